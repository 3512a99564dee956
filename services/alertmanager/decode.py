"""Turns Alertmanager's answers into what the merge takes: any version's, and one bad object costs itself alone.

Wire format: prometheus/alertmanager, api/v2/openapi.yaml, versions 0.25 to 0.34.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder

from services.alertmanager.fingerprint import fingerprint
from services.errors import Problem
from services.model.alert import Matcher, Pairs, Silence
from services.sanitize import safe_text

FAILURES = (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError)
"""What decoding hostile JSON can raise."""

_HEX = frozenset("0123456789abcdef")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Wire = TypeVar("Wire")
Made = TypeVar("Made")


class Notifying(StrEnum):
    """What an Alertmanager does about an alert; `UNPROCESSED` when it has yet to decide."""

    ACTIVE = "active"
    SILENCED = "silenced"
    INHIBITED = "inhibited"
    MUTED = "muted"
    UNPROCESSED = "unprocessed"


class GivenAlert(Struct, frozen=True, gc=False):
    """One alert as one Alertmanager holds it. Times are epoch seconds UTC, 0 where it gave none.

    `starts_at` is when the rule began to fire, after its `for`. `ends_at` lies in the future while the alert lives: it
    is when it would lapse unless it is sent again, and no end.
    """

    labels: Pairs
    fingerprint: str
    state: Notifying
    annotations: Pairs = ()
    starts_at: float = 0.0
    ends_at: float = 0.0
    updated_at: float = 0.0
    generator_url: str = ""
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    muted_by: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()


class GivenStatus(Struct, frozen=True, gc=False):
    """How an Alertmanager is.

    `state` is "ready", "settling" or "disabled"; `name` its own in the cluster, `members` the names of all the members
    it sees; `started_at` is in epoch seconds UTC.
    """

    state: str
    version: str
    started_at: float
    name: str = ""
    members: tuple[str, ...] = ()


class Given(Struct, frozen=True):
    """A decoded list; `quarantined` counts the objects that could not be read."""

    items: list[Any]
    quarantined: int = 0


class _Named(Struct, gc=False):
    name: str | None = None


class _WireState(Struct, gc=False, rename="camel"):
    state: str | None = None
    silenced_by: list[str] | None = None
    inhibited_by: list[str] | None = None
    muted_by: list[str] | None = None


class _WireAlert(Struct, gc=False, rename="camel"):
    labels: dict[str, str]
    annotations: dict[str, str] | None = None
    fingerprint: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    updated_at: datetime | None = None
    generator_url: str | None = msgspec.field(default=None, name="generatorURL")
    receivers: list[_Named] | None = None
    status: _WireState | None = None


class _WireMatcher(Struct, gc=False, rename="camel"):
    name: str
    value: str
    is_regex: bool = False
    is_equal: bool | None = None


class _WireSilence(Struct, gc=False, rename="camel"):
    id: str
    matchers: list[_WireMatcher]
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    created_by: str | None = None
    comment: str | None = None
    status: _WireState | None = None


class _WireCluster(Struct, gc=False):
    status: str | None = None
    name: str | None = None
    peers: list[_Named] | None = None


class _WireVersion(Struct, gc=False):
    version: str | None = None


class _WireStatus(Struct, gc=False, rename="camel"):
    cluster: _WireCluster | None = None
    version_info: _WireVersion | None = None
    uptime: datetime | None = None


_RAW = Decoder(list[Raw])
_ALERTS, _ALERT = Decoder(list[_WireAlert]), Decoder(_WireAlert)
_SILENCES, _SILENCE = Decoder(list[_WireSilence]), Decoder(_WireSilence)
_STATUS = Decoder(_WireStatus)


def decode_alerts(body: bytes) -> Given:
    """Return the `GivenAlert`s of GET /api/v2/alerts. Raises Problem where it is no list."""
    return _decoded(body, _ALERTS, _ALERT, _alert, "alerts")


def decode_silences(body: bytes) -> Given:
    """Return the `Silence`s of GET /api/v2/silences, of unknown source. Raises Problem where it is no list."""
    return _decoded(body, _SILENCES, _SILENCE, _silence, "silences")


def decode_status(body: bytes) -> GivenStatus:
    """Return the answer of GET /api/v2/status. Raises Problem where it is none."""
    try:
        wire = _STATUS.decode(body)
    except FAILURES as error:
        raise _unreadable("status", error) from error
    cluster = wire.cluster or _WireCluster()
    return GivenStatus(
        state=cluster.status or "",
        version=(wire.version_info.version or "") if wire.version_info else "",
        started_at=_seconds(wire.uptime),
        name=cluster.name or "",
        members=_names(cluster.peers),
    )


def _decoded(
    body: bytes,
    whole: Decoder[list[Wire]],
    single: Decoder[Wire],
    make: Callable[[Wire], Made],
    what: str,
) -> Given:
    """Decode all at once; where that fails, each object by itself, so that only the bad ones are lost."""
    try:
        return Given([make(wire) for wire in whole.decode(body)])
    except FAILURES:
        pass
    try:
        raws = _RAW.decode(body)
    except FAILURES as error:
        raise _unreadable(what, error) from error
    items = []
    for raw in raws:
        try:
            items.append(make(single.decode(raw)))
        except FAILURES:
            continue
    return Given(items, len(raws) - len(items))


def _unreadable(what: str, error: Exception) -> Problem:
    return Problem(safe_text(f"The answer is no Alertmanager's list of {what} ({error}); check the address."))


def _alert(wire: _WireAlert) -> GivenAlert:
    labels = tuple(sorted(wire.labels.items()))
    status = wire.status or _WireState()
    silenced, inhibited = tuple(status.silenced_by or ()), tuple(status.inhibited_by or ())
    muted = tuple(status.muted_by or ())
    own = wire.fingerprint or ""
    return GivenAlert(
        labels=labels,
        fingerprint=own if len(own) == 16 and _HEX.issuperset(own) else fingerprint(labels),
        state=_state(status.state, silenced=bool(silenced), inhibited=bool(inhibited), muted=bool(muted)),
        annotations=tuple(sorted(wire.annotations.items())) if wire.annotations else (),
        starts_at=_seconds(wire.starts_at),
        ends_at=_seconds(wire.ends_at),
        updated_at=_seconds(wire.updated_at),
        generator_url=wire.generator_url or "",
        silenced_by=silenced,
        inhibited_by=inhibited,
        muted_by=muted,
        receivers=_names(wire.receivers),
    )


def _state(state: str | None, *, silenced: bool, inhibited: bool, muted: bool) -> Notifying:
    """Return why nobody is told, in the order the server itself asks; "suppressed" without a reason is muted."""
    if state == "active":
        return Notifying.ACTIVE
    if silenced:
        return Notifying.SILENCED
    if inhibited:
        return Notifying.INHIBITED
    if muted or state == "suppressed":
        return Notifying.MUTED
    return Notifying.UNPROCESSED


def _silence(wire: _WireSilence) -> Silence:
    return Silence(
        id=wire.id,
        matchers=tuple(
            Matcher(one.name, one.value, one.is_regex, is_equal=one.is_equal is not False) for one in wire.matchers
        ),
        starts_at=_seconds(wire.starts_at),
        ends_at=_seconds(wire.ends_at),
        created_by=wire.created_by or "",
        comment=wire.comment or "",
        state=(wire.status.state or "") if wire.status else "",
    )


def _names(named: list[_Named] | None) -> tuple[str, ...]:
    return tuple(one.name for one in named or () if one.name)


def _seconds(at: datetime | None) -> float:
    """Return epoch seconds; a time without a zone is UTC, and Go's zero time is none."""
    if at is None:
        return 0.0
    aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (aware - _EPOCH).total_seconds())
