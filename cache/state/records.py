"""What state.db remembers beside events: rows for the first paint, the operator's place, what a kubeconfig meant."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from services.model.text import SafeText
from services.model.timeline import Event, EventKind
from services.ports import Key


class SavedTable(Struct, frozen=True):
    """Rows of one table as they were: `as_of` is when the source last vouched for them, `saved_at` when written."""

    rows: Mapping[Key, Any]
    as_of: float
    saved_at: float
    count: int


class Place(Struct, frozen=True, gc=False):
    """Where the operator was: view, filter text, namespaces (empty: all), sort column and the key under the cursor.

    `labels` narrow too; `chosen` says that scope and labels were chosen on the screen, also where they are empty.
    `subject` is the key of the object a screen is about (a workload's), "" in a table. `seen_at` is when they last
    looked, epoch seconds: "what changed since" counts from it.
    """

    view: str = ""
    filter: str = ""
    scope: tuple[str, ...] = ()
    sort: str = ""
    descending: bool = False
    cursor: Key = ""
    subject: Key = ""
    seen_at: float = 0.0
    labels: str = ""
    chosen: bool = False


class Memo(Struct, frozen=True):
    """What a kubeconfig meant when it was last resolved, so that the first paint need not parse it.

    `meaning` is the identity it names, packed by who resolved it; no credential is in it. `files` maps other files that
    the meaning depends on (a certificate authority's) to the SHA-256 of their content.
    """

    meaning: bytes
    files: dict[str, str] = {}


BRIDGED = 90.0
"""Seconds between two signs of life that still count as watched: three samples."""


class Span(Struct, frozen=True, gc=False, order=True):
    """A span of time, epoch seconds: began and ended."""

    began: float
    ended: float


class EventQuery(Struct, frozen=True):
    """Which events are wanted: of one identity, with an onset in [since, until), epoch seconds.

    `kinds`, where given, are the only ones; `namespace` and `object` ("Deployment/shop/cart") are exact; each of
    `words` must stand in the text, the kind, the name of the object or what else is told, case ignored. `after` is the
    last event of the page before: the page begins where that one ended. `anywhere` is of every identity instead: the
    events themselves say which cluster's they are.
    """

    identity: str = ""
    since: float = 0.0
    until: float = 1e12
    kinds: tuple[EventKind, ...] = ()
    namespace: str = ""
    object: str = ""
    words: tuple[str, ...] = ()
    after: Event | None = None
    limit: int = 1000
    anywhere: bool = False


class HealthyMark(Struct, frozen=True, gc=False):
    """When a console saw this revision of a workload complete: first and last, epoch seconds."""

    revision: int
    first_seen: float
    last_seen: float


class HistoryState(StrEnum):
    """What the history on disk is doing."""

    STARTING = "starting"
    WRITING = "writing"
    READING = "reading"
    OFF = "off"
    CLOSED = "closed"


class HistoryStatus(Struct, frozen=True):
    """The state of state.db in words. `sentence` is "" while all is well; `notice` tells of a rebuilt database.

    READING means that another console of this user writes. `dropped` counts events that could not be kept.
    """

    state: HistoryState
    sentence: SafeText = SafeText("")
    notice: SafeText = SafeText("")
    since: float = 0.0
    dropped: int = 0


def identity_key(server: str, ca_fingerprint: str, user: str) -> str:
    """Return the key that rows of one server, authority and user are kept under: 32 hexadecimal digits."""
    return _digest(part.encode("utf-8", "surrogatepass") for part in (server, ca_fingerprint, user))[:32]


def narrowed_key(identity: str, namespaces: Iterable[str]) -> str:
    """Return the key that rows of these namespaces alone are kept under; the identity's own where none is named."""
    named = sorted(namespaces)
    return _digest(part.encode("utf-8", "surrogatepass") for part in (identity, *named))[:32] if named else identity


def kubeconfig_fingerprint(files: Iterable[tuple[str, bytes]], context: str) -> str:
    """Return what the content of these files (path, bytes; in order) and the asked context ("": current) hash to."""
    parts = [context.encode("utf-8", "surrogatepass")]
    for path, content in files:
        parts += [path.encode("utf-8", "surrogatepass"), content]
    return _digest(parts)


def content_hash(content: bytes) -> str:
    """Return the SHA-256 that `Memo.files` holds."""
    return hashlib.sha256(content).hexdigest()


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()
