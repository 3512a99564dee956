"""Ties each audit entry to the one before it, so that an entry changed, removed or put in is found.

The chain shows edits, not that its end was cut off or that all of it was written anew: for that, the head's hash has
to be kept somewhere else as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import NamedTuple

GENESIS = "0" * 64
COLUMNS = "seq, at_us, kind, intent, user, host, console, action, target, result, body, prev, hash"


class Link(NamedTuple):
    """One row of the audit table, in the order of `COLUMNS`; `at_us` is epoch microseconds."""

    seq: int
    at_us: int
    kind: str
    intent: str
    user: str
    host: str
    console: str
    action: str
    target: str
    result: str
    body: str
    prev: str
    hash: str = ""

    def sealed(self) -> Link:
        """Return the entry with the hash that belongs to it: SHA-256 over all its fields as an ASCII JSON array."""
        content = json.dumps(self[:-1], ensure_ascii=True, separators=(",", ":"))
        return self._replace(hash=hashlib.sha256(content.encode("ascii")).hexdigest())

    @property
    def intact(self) -> bool:
        """Whether the hash is the one that belongs to the content."""
        return self.sealed().hash == self.hash


def follows(link: Link, before: Link | None) -> bool:
    """Whether an intact entry stands where it belongs: right after `before`, or first of all."""
    seq, prev = (before.seq + 1, before.hash) if before is not None else (1, GENESIS)
    return link.seq == seq and link.prev == prev and link.intact


def last_good(links: Iterable[Link], before: Link | None = None) -> tuple[Link | None, Link | None]:
    """Follow a chain; return the last entry that holds and the first that does not (None where all do)."""
    for link in links:
        if not follows(link, before):
            return before, link
        before = link
    return before, None
