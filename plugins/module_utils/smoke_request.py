# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask an address until it answers as it should."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError

from ansible.module_utils.urls import ConnectionError as UrlsError
from ansible.module_utils.urls import open_url
from ansible_collections.pulsegrid.aws.plugins.module_utils.progress import plain

REQUEST_SECONDS = 10
INTERVAL_SECONDS = 2
EXCERPT_CHARACTERS = 200


def smoke(request: dict[str, Any], say: Callable[[str], None]) -> str:
    """What is wrong, in a sentence without a full stop; empty when the address answered as it should."""
    end = time.monotonic() + request["timeout_seconds"]
    say(f"smoke request to {request['url']}")
    said = ""
    while True:
        status, answer = answer_of(request, min(REQUEST_SECONDS, max(1.0, end - time.monotonic())))
        if status in request["status"]:
            say(f"{request['url']} answered {answer}")
            return ""
        if answer != said:
            say(f"{request['url']}: {answer}")
            said = answer
        if time.monotonic() + INTERVAL_SECONDS >= end:
            wanted = " or ".join(map(str, request["status"]))
            return f"the smoke request to {request['url']} was not answered {wanted} within {request['timeout_seconds']} s, but: {answer}"
        time.sleep(INTERVAL_SECONDS)


def answer_of(request: dict[str, Any], seconds: float) -> tuple[int, str]:
    """The status, 0 where there is none, and what a person is told of the answer."""
    try:
        with open_url(request["url"], headers=request["headers"], timeout=seconds, follow_redirects="safe", http_agent="pulsegrid.aws") as response:
            return response.status, str(response.status)
    except HTTPError as error:
        return error.code, f"{error.code} {excerpt(error)}".strip()
    except (OSError, UrlsError, http.client.HTTPException, ValueError) as error:
        return 0, f"no answer ({error})"


def excerpt(error: HTTPError) -> str:
    try:
        text = error.read(EXCERPT_CHARACTERS * 4).decode(errors="replace")
    except (OSError, http.client.HTTPException, ValueError):
        return ""
    text = " ".join(plain(text).split())
    return text if len(text) <= EXCERPT_CHARACTERS else f"{text[:EXCERPT_CHARACTERS]} ..."
