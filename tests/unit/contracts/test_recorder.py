"""The recorder passes requests on and says what they called."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
from e2e.recorder import Recorder


class Upstream(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"{}")

    do_HEAD = do_PUT = do_POST

    def log_message(self, *args: Any) -> None:
        pass


def test_calls_changes_and_actions_are_remembered() -> None:
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    with Recorder(upstream.server_address[1]) as recorder:
        session = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")
        s3 = session.client("s3", endpoint_url=recorder.url)
        s3.head_bucket(Bucket="shop")
        s3.put_public_access_block(Bucket="shop", PublicAccessBlockConfiguration={})
        session.client("ecs", endpoint_url=recorder.url).list_clusters()
    upstream.shutdown()
    upstream.server_close()

    assert recorder.calls == ["s3:HeadBucket", "s3:PutPublicAccessBlock", "ecs:ListClusters"]
    assert recorder.mutating() == ["s3:PutPublicAccessBlock"]
    assert recorder.actions() == ["ecs:ListClusters", "s3:ListBucket", "s3:PutBucketPublicAccessBlock"]
