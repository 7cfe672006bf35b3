// A path whose last part has no extension is a route of the page, which the page itself resolves. Everything else is a file.
function handler(event) {
    var request = event.request;
    if (request.uri.lastIndexOf('.') < request.uri.lastIndexOf('/')) {
        request.uri = '/index.html';
    }
    return request;
}
