# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""CloudFront: a viewer's request reaches its distribution, whatever its path and name, and streams."""

from __future__ import annotations

from urllib.parse import parse_qs

from mending import mend
from ministack import app
from ministack.core.responses import StreamingResponse
from ministack.services import cloudfront


def distribution_for(host: str):
    """The distribution with this domain name (also as *.cloudfront.localhost) or alias."""
    if label := app._parse_cloudfront_dataplane_host(host):
        return cloudfront.find_distribution_for_label(label)
    name = host.split(":")[0].lower()
    for distribution in list(cloudfront._distributions.values()):
        for alias in cloudfront._get_distribution_aliases(distribution):
            if name == alias.lower() or (alias.startswith("*.") and name.partition(".")[2] == alias[2:].lower()):
                return distribution
    return None


def viewers_first(application):
    """An ASGI application that gives a viewer's request to its distribution before MiniStack guesses a service from the path.

    Upstream, /v2/ is the image registry and /health MiniStack's own also below a distribution's name, and an alias is not known at all: the answer is then the
    list of S3 buckets with status 200. A viewer at *.cloudfront.localhost counts as one with TLS: loopback needs none, and a browser could not follow the
    redirect to it.
    """

    async def viewers_served(scope, receive, send):
        if scope["type"] != "http":
            return await application(scope, receive, send)
        headers: dict[str, str] = {}
        for raw_name, raw_value in scope.get("headers", []):
            name, value = raw_name.decode("latin-1").lower(), app.decode_header_value(raw_value)
            headers[name] = headers[name] + ("; " if name == "cookie" else ", ") + value if name in headers else value
        distribution = distribution_for(headers.get("host", ""))
        if distribution is None:
            return await application(scope, receive, send)
        if headers["host"].split(":")[0].endswith(".localhost"):
            headers.setdefault("x-forwarded-proto", "https")
        client = (scope.get("client") or ("127.0.0.1",))[0]
        app.set_request_client_ip(client)
        query = scope.get("query_string", b"").decode()
        body = await app._read_request_body(receive, scope["method"], headers)
        raw_path = (scope.get("raw_path") or scope["path"].encode()).decode("ascii", "replace")
        status, answer, content = await cloudfront.handle_viewer_request(
            distribution, scope["method"], scope["path"], raw_path, query, headers, body, parse_qs(query, keep_blank_values=True), client
        )
        send = app._with_date_header(send)
        if isinstance(content, StreamingResponse):
            return await app._send_streaming_response(send, receive, status, answer, content)
        return await app._send_response(send, status, answer, content, head=scope["method"] == "HEAD")

    return viewers_served


@mend("services.cloudfront:_collect_streaming_body", "18c4e3a8f943")
def answers_stream(upstream):
    """An origin's answer is collected before the viewer gets the first byte, so an event stream ends in a time-out."""

    async def collect_streaming_body(stream, read_timeout):
        return stream

    return collect_streaming_body
