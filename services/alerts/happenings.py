"""Says on the timeline when alerts began and ended, under ids that any console gives that sees the same alerts."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct, structs

from services.alerts.evidence import PREFIX
from services.model.alert import Alert, AlertState, Pairs
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.timeline import Event, EventKind, event_id
from services.sanitize import safe_text

SOURCE = "alerting"
BEGAN, ENDED = "began", "ended"

MOST_TOLD, LONGEST = 3000, 600
"""Characters of all labels or annotations that are kept of an alert, and of one of them."""

_QUIET = {AlertState.SILENCED: "silenced", AlertState.INHIBITED: "inhibited", AlertState.MUTED: "muted"}


class Told(Struct, frozen=True):
    """What the begin of an alert keeps for those who ask when it is over; safe to be shown, "" and () if unknown."""

    labels: Pairs = ()
    annotations: Pairs = ()
    expression: str = ""
    generator_url: str = ""
    severity: Severity | None = None


def began_event(alert: Alert, seen_at: float) -> Event:
    """Return that an alert fires, with what it said of itself; `at` is its onset, when the condition began."""
    quiet = _QUIET.get(alert.state, "")
    text = f"{alert.name} firing ({quiet})" if quiet else f"{alert.name} firing"
    shown = Severity.NOTICE if quiet else alert.severity
    event = _event(alert, BEGAN, alert.onset, text=text, severity=shown, seen_at=seen_at)
    return structs.replace(event, payload=event.payload | _details(alert, shown))


def _details(alert: Alert, shown: Severity) -> dict[str, str]:
    said = {
        "labels": _spelled(alert.labels),
        "annotations": _spelled(alert.annotations),
        "expression": safe_text(alert.expression, MOST_TOLD),
        "rule_at": "" if alert.expression else safe_text(alert.generator_url, LONGEST),
        "severity": "" if shown is alert.severity else alert.severity.name,
    }
    return {name: value for name, value in said.items() if value}


def _spelled(pairs: Iterable[tuple[str, str]]) -> str:
    """Return pairs as one JSON object, "" for none: the short ones, where there is not room for all."""
    left, kept = MOST_TOLD, {}
    for name, value in sorted(pairs, key=lambda pair: (len(pair[1]), pair[0])):
        said = str(safe_text(value, LONGEST))
        left -= len(msgspec.json.encode((name, said)))
        if left < 0:
            break
        kept[str(safe_text(name))] = said
    return msgspec.json.encode(kept, order="sorted").decode() if kept else ""


def told_of(event: Event) -> Told:
    """Return what the begin of an alert kept; nothing where another version, or a strange console, wrote it."""
    said = event.payload
    severity = Severity.__members__.get(said.get("severity", ""))
    return Told(
        _pairs(said.get("labels", "")),
        _pairs(said.get("annotations", "")),
        said.get("expression", ""),
        said.get("rule_at", ""),
        severity,
    )


def _pairs(spelled: str) -> Pairs:
    if not spelled:
        return ()
    try:
        return tuple(sorted(msgspec.json.decode(spelled.encode(), type=dict[str, str]).items()))
    except (msgspec.MsgspecError, RecursionError):
        return ()


def ended_event(alert: Alert, seen_at: float) -> Event:
    """Return that an alert ended; `at` is when, `alert.onset` the onset its begin was told with."""
    return _event(alert, ENDED, alert.ended_at, text=f"{alert.name} ended", severity=Severity.OK, seen_at=seen_at)


def is_told(alert: Alert) -> bool:
    """Return whether an alert belongs on the timeline: not what this console alone knows, with its own clock."""
    return not alert.heartbeat and not alert.key.startswith(PREFIX)


def _event(alert: Alert, transition: str, at: float, *, text: str, severity: Severity, seen_at: float) -> Event:
    """Whole seconds name the episode: `ALERTS_FOR_STATE`, from which others backfill, has no fractions."""
    entity = alert.entity
    ref = Ref(entity.cluster, "", "Alert", entity.namespace, alert.name, alert.fingerprint)
    identity = event_id(entity.cluster, SOURCE, alert.fingerprint, transition, f"{int(alert.onset)}")
    payload = {
        "what": transition,
        "alert": alert.key,
        "fingerprint": alert.fingerprint,
        "workload": entity.workload,
        "pod": entity.pod,
        "node": entity.node,
        "onset": f"{alert.onset:.3f}",
        "fired_at": f"{alert.fired_at:.3f}" if alert.fired_at else "",
    }
    return Event(identity, at, seen_at, EventKind.ALERT, ref, text, severity, {k: v for k, v in payload.items() if v})
