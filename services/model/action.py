"""What an operator has done: a target that stays the same, a plan to read before it runs, and how it ended.

All times are epoch seconds UTC, 0 when there is none. Strings are as the servers sent them: raw.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum

import msgspec
from msgspec import Struct

from services.model.ref import Ref, Resource
from services.model.severity import Severity


class Tier(IntEnum):
    """How much a person has to say before something runs: its key, a reason beside it, the object's name typed."""

    KEY = 1
    REASON = 2
    TYPED = 3


class Outcome(StrEnum):
    """How an action ended. UNKNOWN: it may have happened, and somebody has to find out."""

    OK = "ok"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Stage(StrEnum):
    """How far a running action is, in order."""

    GUARD = "guard"
    INTENT = "intent"
    LEASE = "lease"
    REHEARSE = "rehearse"
    EXECUTE = "execute"
    VERIFY = "verify"
    SETTLE = "settle"


class Parameter(Struct, frozen=True):
    """One thing that an action asks for: `kind` is "int", "text", "choice", "seconds" or "bool" ("true"/"false")."""

    name: str
    label: str
    kind: str = "text"
    default: str = ""
    choices: tuple[str, ...] = ()
    required: bool = False


class Target(Struct, frozen=True):
    """The object that was shown when the key was pressed; nothing else is ever acted upon.

    `generation` and `resource_version` are those of the row that was shown (0 and "" where the row has none), `as_of`
    when that row was last known to be true.
    """

    ref: Ref
    resource: Resource
    generation: int = 0
    resource_version: str = ""
    as_of: float = 0.0


class Right(Struct, frozen=True):
    """What the user must be allowed: a verb on a kind, its subresource, in a namespace."""

    verb: str
    resource: Resource
    namespace: str = ""
    subresource: str = ""


class Write(Struct, frozen=True):
    """One request that changes something. `body` is JSON without preconditions: those are put in when it is sent.

    `uid` and `resource_version` are the preconditions ("" for none). `spec` is the digest of the object's spec that the
    plan was made for: while it is the same, a request that lost a race is sent again with the newer version.
    `what` names it in sentences: "patch deployment shop/cart".
    """

    method: str
    path: str
    what: str
    body: bytes = b""
    content_type: str = "application/json"
    params: tuple[tuple[str, str], ...] = ()
    uid: str = ""
    resource_version: str = ""
    spec: str = ""


class Fact(Struct, frozen=True):
    """One line of a plan: its label ("from", "to"), what it says; a severity that is not OK makes it a warning."""

    label: str
    text: str
    severity: Severity = Severity.OK


class Edit(Struct, frozen=True, gc=False):
    """One field that the server's dry run changes, as a JSON pointer; "" before or after where it is not there."""

    path: str
    before: str
    after: str


class Undo(Struct, frozen=True):
    """The inverse of what was done: another action with its parameters, in words, offered until `until` (0: no end)."""

    action: str
    ref: Ref
    resource: Resource
    parameters: Mapping[str, str]
    words: str
    until: float = 0.0


class Step(Struct, frozen=True):
    """One object of an action that works on many: what becomes of it or how far it is (`fate`), and why.

    `limit` is what holds it back (a disruption budget and its room), `seconds` how long it may take (0: not known).
    """

    name: str
    fate: str
    why: str = ""
    limit: str = ""
    seconds: float = 0.0
    severity: Severity = Severity.OK


class Plan(Struct, frozen=True):
    """What will be done, whole: read by a person before, by the runner while, and by the audit trail after it.

    `command` is the equivalent kubectl command without program name, context and namespace; `expects` says what is
    watched afterwards, `state` (JSON-able) what verification and undo need to know. `typed` is what has to be typed in
    tier TYPED, "" for the object's name. `touches` counts the pods concerned. Without an `undo`, `no_undo` says why.
    `steps` are the objects it works on, one by one; a plan that is `blocked` is there to be read, and says why it
    cannot run as it is.
    """

    action: str
    target: Target
    title: str
    parameters: Mapping[str, str] = {}
    facts: tuple[Fact, ...] = ()
    edits: tuple[Edit, ...] = ()
    writes: tuple[Write, ...] = ()
    rights: tuple[Right, ...] = ()
    command: str = ""
    tier: Tier = Tier.KEY
    typed: str = ""
    touches: int = 0
    expects: str = ""
    undo: Undo | None = None
    no_undo: str = ""
    leased: bool = True
    state: Mapping[str, str] = {}
    steps: tuple[Step, ...] = ()
    blocked: str = ""

    @property
    def name_to_type(self) -> str:
        """What has to be typed where a name has to be: the action's own word, else the object's name."""
        return self.typed or self.target.ref.name

    @property
    def digest(self) -> str:
        """What two plans must share to be the same plan: action, object, parameters and requests; SHA-256, hex."""
        import hashlib  # not before something is to be done

        same = (self.action, self.target.ref, dict(sorted(self.parameters.items())), self.edits)
        requests = [(one.method, one.path, one.body, one.params, one.uid, one.spec) for one in self.writes]
        return hashlib.sha256(msgspec.json.encode((same, requests), enc_hook=str)).hexdigest()


class Progress(Struct, frozen=True):
    """How far a running action is: the stage, a sentence, and how many of how many where something is counted.

    `steps` are the objects it works on, each with what is happening to it (a drain's pods).
    """

    stage: Stage
    text: str = ""
    done: int = 0
    of: int = 0
    steps: tuple[Step, ...] = ()


class Ended(Struct, frozen=True):
    """How an action ended, in one sentence; `intent` is its number in the audit trail, `at` when that was."""

    outcome: Outcome
    text: str
    intent: str = ""
    at: float = 0.0
    undo: Undo | None = None


class Altered(Struct, frozen=True):
    """Something an action left otherwise than it was, until it is put back: listed so that nobody forgets it.

    `since` is when it was done (epoch seconds), `who` did it ("alice@bastion-2"), `undo` puts it back.
    """

    key: str
    title: str
    ref: Ref
    who: str
    since: float
    undo: Undo


ALTERED = "altered"
"""The live-state table of what was left altered, by `Altered.key`."""
