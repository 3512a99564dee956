"""Names who does something: on every command, every audit entry, every lock."""

from __future__ import annotations

from msgspec import Struct


class Actor(Struct, frozen=True, gc=False):
    """Who acts: the user as the system or the cluster knows them, the machine, and this console's own id."""

    user: str
    host: str
    console: str
