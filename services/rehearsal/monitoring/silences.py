"""Silences of one Alertmanager cluster, with the rules by which they may be set, changed and expired."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.rehearsal.clock import parse_stamp
from services.rehearsal.monitoring.promql.tree import Matcher, QueryError, anchored
from services.rehearsal.monitoring.values import milli_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.rehearsal.jsonic import Json

GOSSIP = 0.15
"""Seconds until a silence set at one peer is known to the others."""
_KEPT = 120 * 3600.0
_OPS = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
_FILTER = re.compile(r"\s*([a-zA-Z_:][\w:]*)\s*(=~|!=|!~|=)\s*(.*?)\s*", re.DOTALL)


class RefusedError(Exception):
    """What Alertmanager refuses: `code` is the HTTP status; 422 has a body of another shape."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(slots=True)
class Silence:
    """One silence; moments in seconds. `known_since` is when the peers other than `origin` hear of it."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: float
    ends_at: float
    created_by: str
    comment: str
    updated_at: float
    origin: int = 0
    annotations: dict[str, str] = field(default_factory=dict)

    def state(self, now: float) -> str:
        """Return pending, active or expired."""
        return "pending" if now < self.starts_at else "active" if now < self.ends_at else "expired"

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether an alert with these labels is hidden."""
        return all(one.matches(labels.get(one.name, "")) for one in self.matchers)

    def describe(self, now: float) -> Json:
        """Return the silence as the API shows it."""
        return {
            "id": self.id,
            "status": {"state": self.state(now)},
            "updatedAt": milli_text(self.updated_at),
            "comment": self.comment,
            "createdBy": self.created_by,
            "startsAt": milli_text(self.starts_at),
            "endsAt": milli_text(self.ends_at),
            "matchers": [
                {"name": one.name, "value": one.value, "isRegex": one.op in {"=~", "!~"}, "isEqual": one.op[0] == "="}
                for one in self.matchers
            ],
        }


class Silences:
    """All silences that the peers share."""

    def __init__(self) -> None:
        self._all: dict[str, Silence] = {}

    def seen_by(self, peer: int, now: float) -> list[Silence]:
        """Return what a peer knows, as it lists them: active (soonest end first), pending, expired."""
        rank = {"active": 0, "pending": 1, "expired": 2}
        known = [
            one
            for one in self._all.values()
            if (one.origin == peer or now >= one.updated_at + GOSSIP) and one.ends_at > now - _KEPT
        ]

        def order(one: Silence) -> tuple[int, float]:
            state = one.state(now)
            return rank[state], {"active": one.ends_at, "pending": one.starts_at}.get(state, -one.ends_at)

        return sorted(known, key=order)

    def get(self, identity: str, peer: int, now: float) -> Silence:
        """Return one silence; raise RefusedError 422 for a bad id, 404 for an unknown one."""
        try:
            uuid.UUID(identity)
        except ValueError:
            raise RefusedError(422, f"silenceID in path must be of type uuid: {identity!r}") from None
        known = self._all.get(identity)
        if known is None or not (known.origin == peer or now >= known.updated_at + GOSSIP):
            raise RefusedError(404, "")
        return known

    def expire(self, identity: str, peer: int, now: float) -> None:
        """End a silence now; ending it twice is no error. Raise RefusedError when there is none."""
        known = self.get(identity, peer, now)
        if known.state(now) != "expired":
            known.starts_at, known.ends_at = min(known.starts_at, now), now
            known.updated_at, known.origin = now, peer

    def put(self, asked: Json, peer: int, now: float) -> str:
        """Set or change a silence and return its id; raise RefusedError as Alertmanager does."""
        made = _read(asked, now)
        identity = asked.get("id") or ""
        before = self.get(identity, peer, now) if identity else None
        made.origin = peer
        if before is not None and _may_change(before, made, parse_stamp(asked["startsAt"]), now):
            made.id = before.id
            made.starts_at = before.starts_at if before.state(now) == "active" else made.starts_at
        elif before is not None and before.state(now) != "expired":
            self.expire(before.id, peer, now)
        self._all[made.id] = made
        return made.id

    def plant(self, silence: Silence) -> None:
        """Take a silence that was set in the past."""
        self._all[silence.id] = silence


def _may_change(before: Silence, after: Silence, starts: float, now: float) -> bool:
    """Tell whether the same silence goes on that is asked to start at `starts` (silence/silence.go, canUpdate)."""
    state = before.state(now)
    if state == "expired" or before.matchers != after.matchers:
        return False
    return starts >= now if state == "pending" else int(starts) == int(before.starts_at)


def _check(asked: Json) -> None:
    for name in ("matchers", "startsAt", "endsAt", "createdBy", "comment"):
        if asked.get(name) is None:
            raise RefusedError(422, f"{name} in body is required")
    if not asked["matchers"]:
        raise RefusedError(422, "matchers in body should have at least 1 items")
    for number, one in enumerate(asked["matchers"]):
        for name in ("name", "value", "isRegex"):
            if one.get(name) is None:
                raise RefusedError(422, f"matchers.{number}.{name} in body is required")


def _read(asked: Json, now: float) -> Silence:
    _check(asked)
    try:
        starts, ends = parse_stamp(asked["startsAt"]), parse_stamp(asked["endsAt"])
    except ValueError:
        raise RefusedError(400, 'parsing silence body from "" failed, because time is no RFC 3339') from None
    if ends < now:
        raise RefusedError(400, "Failed to create silence: end time can't be in the past")
    if starts >= ends:
        raise RefusedError(400, "Failed to create silence: start time must be before end time")
    matchers = tuple(_matcher(one) for one in asked["matchers"])
    if all(one.matches("") for one in matchers):
        raise RefusedError(400, "silence invalid: at least one matcher must not match the empty string")
    identity = str(uuid.uuid4())
    author, comment = str(asked["createdBy"]), str(asked["comment"])
    return Silence(identity, matchers, max(starts, now), ends, author, comment, now)


def _matcher(given: Json) -> Matcher:
    name, value = str(given.get("name", "")), str(given.get("value", ""))
    op = _OPS[bool(given.get("isRegex", False)), bool(given.get("isEqual", True))]
    if not re.fullmatch(r"[a-zA-Z_]\w*", name, re.ASCII):
        raise RefusedError(400, f'silence invalid: invalid label matcher 0: invalid label name "{name}"')
    if op in {"=~", "!~"}:
        try:
            anchored(value)
        except QueryError as error:
            raise RefusedError(400, f"silence invalid: invalid label matcher 0: {error.message}") from None
    return Matcher(name, op, value)


def read_filter(text: str) -> Matcher:
    """Read one `filter` parameter such as `alertname="X"`; raise RefusedError 400 when it is none."""
    match = _FILTER.fullmatch(text)
    if match is None:
        raise RefusedError(400, f"bad matcher format: {text}")
    name, op, value = match.groups()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = value[1:-1].replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
    elif '"' in value:
        raise RefusedError(400, f"matcher value contains unescaped double quote: {value}")
    if op in {"=~", "!~"}:
        try:
            anchored(value)
        except QueryError as error:
            raise RefusedError(400, f"bad matcher format: {error.message}") from None
    return Matcher(name, op, value)
