"""Passes AWS calls on to the emulator and remembers them.

GET /_recorder answers how many there were, which of them change something, and the IAM actions that they need; DELETE /_recorder answers the same and
forgets them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from e2e.recorder import Handler, Recorder


class Control(Handler):
    def handle_request(self) -> None:
        if self.path != "/_recorder":
            super().handle_request()
            return
        recorder = self.server
        answer = json.dumps({"calls": len(recorder.requests), "mutating": recorder.mutating(), "actions": recorder.actions()}).encode()
        if self.command == "DELETE":
            recorder.requests.clear()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = handle_request


class Standing(Recorder):
    """Listens on a port that is known beforehand."""

    def __init__(self, port: int, upstream_port: int) -> None:
        super().__init__(upstream_port, port, Control)


Standing(int(sys.argv[1]), int(sys.argv[2])).serve_forever()
