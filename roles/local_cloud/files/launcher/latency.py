# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""AWS's API is far away: each request to it takes a while longer, several at a time."""

from __future__ import annotations

import asyncio


def far_away(application, seconds: float):
    """An ASGI application that waits before it passes a signed request on. Viewers, clients of a load balancer and the registry's do not sign."""

    async def delayed(scope, receive, send):
        if scope["type"] == "http" and dict(scope["headers"]).get(b"authorization", b"").startswith(b"AWS4-"):
            await asyncio.sleep(seconds)
        await application(scope, receive, send)

    return delayed
