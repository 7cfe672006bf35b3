"""Passes AWS calls on to the emulator and remembers them.

GET /_recorder answers how many there were and which of them change something; DELETE /_recorder forgets them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "e2e"))
from recorder import Handler, Recorder


class Control(Handler):
    def handle_request(self) -> None:
        if self.path != "/_recorder":
            super().handle_request()
            return
        answer = json.dumps({"calls": len(self.server.calls), "mutating": self.server.mutating()}).encode()
        if self.command == "DELETE":
            self.server.calls.clear()
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
