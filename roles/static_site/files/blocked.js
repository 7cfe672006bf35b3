// Answers a path that is not for the public, before any origin is asked.
function handler(event) {
    return {
        statusCode: 403,
        statusDescription: 'Forbidden',
        headers: {'cache-control': {value: 'no-store'}}
    };
}
