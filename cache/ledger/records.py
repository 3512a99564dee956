"""What the ledger takes and gives: requests, entries of the audit trail, intents that nobody settled, a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from cache.faults import Fault
from services.errors import Problem
from services.model.actor import Actor
from services.model.ref import Ref
from services.model.text import SafeText


class EntryKind(StrEnum):
    """What an entry of the audit trail tells."""

    SESSION = "session"
    CONTEXT = "context"
    NOTE = "note"
    INTENT = "intent"
    STEP = "step"
    OUTCOME = "outcome"


class Result(StrEnum):
    """How an intent ended. UNKNOWN leaves it open: somebody has to find out."""

    OK = "ok"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Request(Struct, frozen=True):
    """What somebody is about to do. `body` is JSON data: parameters, reason, plan digest, exact request, before.

    The caller has taken every secret out of `body`; a `Secret` in it is refused.
    """

    actor: Actor
    action: str
    target: Ref | None = None
    body: Mapping[str, Any] = {}


class Entry(Struct, frozen=True):
    """One entry of the audit trail. `at` is epoch seconds; `body` is JSON in ASCII, as it was hashed."""

    seq: int
    at: float
    kind: EntryKind
    intent: str
    actor: Actor
    action: str
    target: Ref | None
    result: str
    body: str
    hash: str


class OpenIntent(Struct, frozen=True):
    """An intent without a final outcome: `steps` names those that were noted, `unknown` says if it was called so."""

    id: str
    entry: Entry
    steps: tuple[str, ...]
    unknown: bool


class Verdict(Struct, frozen=True):
    """Whether the chain holds: `broken_at` is the first entry that does not (0: all do), `head` the last good hash."""

    ok: bool
    entries: int
    head: str
    broken_at: int
    sentence: SafeText


class LedgerStatus(Struct, frozen=True):
    """Whether anything may be done: no action without a ledger that takes entries. `sentence` is "" if so."""

    ok: bool
    sentence: SafeText = SafeText("")
    fault: Fault | None = None


class LedgerRefused(Problem):
    """The ledger could not take an entry, so what it would have vouched for must not be done."""
