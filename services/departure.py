"""Knows whether a request has begun to leave: from then on nobody can say that the server did not get it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Departure:
    """Whether a request began to leave for the server: from then on it may have been done, answered or not."""

    sent = False

    async def note(self, event: str, info: Mapping[str, Any]) -> None:
        """Take what the HTTP library says of its progress; asking a proxy for a tunnel is no request yet."""
        if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            self.sent = True
