"""Reads what a Prometheus tells of its alerting: rules with their alerts, what it sends where, and what fired before.

Wire format: prometheus/prometheus, docs/querying/api.md, from 2.42 on; Thanos, Mimir and VictoriaMetrics answer alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder

from services.alertmanager.decode import FAILURES
from services.alerts.backfill import Past
from services.alerts.observed import Rule, RuleAlert
from services.errors import Problem
from services.model.alert import Pairs
from services.sanitize import safe_text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Wire = TypeVar("Wire")


class _Envelope(Struct, gc=False):
    status: str
    data: Raw = Raw(b"null")
    error: str = ""


class _WireAlert(Struct, gc=False, rename="camel"):
    labels: dict[str, str]
    state: str
    active_at: datetime | None = None
    value: str | float | None = None
    annotations: dict[str, str] | None = None


class _WireRule(Struct, gc=False, rename="camel"):
    name: str
    query: str
    type: str = "alerting"
    duration: float = 0.0
    health: str = "ok"
    last_error: str | None = None
    last_evaluation: datetime | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    alerts: list[_WireAlert] | None = None


class _WireGroup(Struct, gc=False):
    name: str = ""
    interval: float = 0.0
    rules: list[Raw] = []


class _WireGroups(Struct, gc=False):
    groups: list[_WireGroup] = []


class _WireConfig(Struct, gc=False):
    yaml: str


class _WirePeer(Struct, gc=False):
    url: str


class _WirePeers(Struct, gc=False, rename="camel"):
    active_alertmanagers: list[_WirePeer] | None = None


class _WireBuild(Struct, gc=False):
    version: str = ""


class _WireRuntime(Struct, gc=False, rename="camel"):
    start_time: datetime | None = None


class _WireSeries(Struct, gc=False):
    metric: dict[str, str]
    values: list[tuple[float, str]] = []
    value: tuple[float, str] | None = None


class _WireResult(Struct, gc=False, rename="camel"):
    result_type: str = ""
    result: list[Raw] = []


_ENVELOPE, _RULE, _SERIES = Decoder(_Envelope), Decoder(_WireRule), Decoder(_WireSeries)


def decode_rules(body: bytes) -> tuple[list[Rule], int]:
    """Return the alerting rules of GET /api/v1/rules, and how many could not be read. Raises Problem."""
    rules, unread = [], 0
    for group in _data(body, _WireGroups).groups:
        for raw in group.rules:
            try:
                wire = _RULE.decode(raw)
                if wire.type == "alerting":
                    rules.append(_rule(wire, group))
            except FAILURES:
                unread += 1
    return rules, unread


def decode_labels(body: bytes) -> tuple[str, ...]:
    """Return the values of a label (GET /api/v1/label/NAME/values). Raises Problem."""
    return tuple(_data(body, list[str]))


def decode_config(body: bytes) -> str:
    """Return the YAML of GET /api/v1/status/config. Raises Problem."""
    return _data(body, _WireConfig).yaml


def decode_alertmanagers(body: bytes) -> tuple[str, ...]:
    """Return the URLs of the Alertmanagers that are sent to (GET /api/v1/alertmanagers). Raises Problem."""
    return tuple(peer.url for peer in _data(body, _WirePeers).active_alertmanagers or ())


def decode_version(body: bytes) -> str:
    """Return the version of GET /api/v1/status/buildinfo. Raises Problem."""
    return _data(body, _WireBuild).version


def decode_started_at(body: bytes) -> float:
    """Return the start (epoch seconds) of GET /api/v1/status/runtimeinfo, 0 where it is missing. Raises Problem."""
    return _seconds(_data(body, _WireRuntime).start_time)


def decode_past(body: bytes) -> list[Past]:
    """Return the series of a range query, or of an instant one as a single point each. Raises Problem."""
    result = []
    for wire in _series(body):
        labels = tuple(sorted(pair for pair in wire.metric.items() if pair[0] not in ("__name__", "alertstate")))
        points = [*wire.values, *((wire.value,) if wire.value is not None else ())]
        result.append(Past(labels, [(at, float(value)) for at, value in points]))
    return result


def _series(body: bytes) -> Iterator[_WireSeries]:
    for raw in _data(body, _WireResult).result:
        try:
            wire = _SERIES.decode(raw)
            for _, value in wire.values:
                float(value)
        except FAILURES:
            continue
        yield wire


def _data(body: bytes, shape: type[Wire]) -> Wire:
    try:
        envelope = _ENVELOPE.decode(body)
        if envelope.status != "success":
            raise Problem(safe_text(f"Prometheus refused: {envelope.error or 'it does not say why'}."))
        return msgspec.json.decode(envelope.data, type=shape)
    except FAILURES as error:
        raise Problem(safe_text(f"The answer is no Prometheus' ({error}); check the address.")) from error


def _rule(wire: _WireRule, group: _WireGroup) -> Rule:
    return Rule(
        name=wire.name,
        group=group.name,
        expression=wire.query,
        hold=wire.duration,
        interval=group.interval,
        health=wire.health,
        last_error=wire.last_error or "",
        evaluated_at=_seconds(wire.last_evaluation),
        labels=_pairs(wire.labels),
        annotations=_pairs({name: said for name, said in (wire.annotations or {}).items() if "{{" not in said}),
        alerts=tuple(_alert(each, wire) for each in wire.alerts or ()),
    )


def _alert(wire: _WireAlert, rule: _WireRule) -> RuleAlert:
    labels = wire.labels if "alertname" in wire.labels else {**wire.labels, "alertname": rule.name}
    return RuleAlert(
        labels=_pairs(labels),
        firing=wire.state == "firing",
        active_at=_seconds(wire.active_at),
        value=_number(wire.value),
        annotations=_pairs(wire.annotations),
    )


def _pairs(labels: dict[str, str] | None) -> Pairs:
    return tuple(sorted(labels.items())) if labels else ()


def _number(value: Any) -> float | None:  # noqa: ANN401 - a string, a number or nothing
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _seconds(at: datetime | None) -> float:
    if at is None:
        return 0.0
    aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (aware - _EPOCH).total_seconds())
