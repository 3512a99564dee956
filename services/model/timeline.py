"""Everything that happens is one event on one timeline, recorded once however many consoles saw it."""

from __future__ import annotations

import hashlib
from enum import StrEnum

from msgspec import Struct

from services.model.ref import Ref
from services.model.severity import Severity


class EventKind(StrEnum):
    """What kind of thing happened."""

    ROLLOUT = "rollout"
    UNHEALTHY = "unhealthy"
    RECOVERED = "recovered"
    SCALE = "scale"
    CONFIG = "config"
    NODE = "node"
    JOB = "job"
    WARNING = "warning"
    SOURCE = "source"
    ACTION = "action"
    NOTE = "note"
    ALERT = "alert"
    COST = "cost"


class Event(Struct, frozen=True, gc=False):
    """One thing that happened. `at` is the server's time of onset, `seen_at` when this console learned of it."""

    id: str
    at: float
    seen_at: float
    kind: EventKind
    ref: Ref
    text: str
    severity: Severity = Severity.NOTICE
    payload: dict[str, str] = {}


def event_id(cluster: str, source: str, uid: str, transition: str, onset: str) -> str:
    """Return the id two consoles give the same happening.

    `source` is the kind of system ("kubernetes"), never the peer; `onset` the server's timestamp, or where it gives
    none a generation or resourceVersion, never the time we saw it.
    """
    return hashlib.sha256("\x00".join((cluster, source, uid, transition, onset)).encode()).hexdigest()[:32]
