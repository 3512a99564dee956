"""Says on the timeline when alerts began and ended, under ids that any console gives that sees the same alerts."""

from __future__ import annotations

from services.alerts.evidence import PREFIX
from services.model.alert import Alert, AlertState
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.timeline import Event, EventKind, event_id

SOURCE = "alerting"
BEGAN, ENDED = "began", "ended"

_QUIET = {AlertState.SILENCED: "silenced", AlertState.INHIBITED: "inhibited", AlertState.MUTED: "muted"}


def began_event(alert: Alert, seen_at: float) -> Event:
    """Return that an alert fires; `at` is its onset, when the condition began."""
    quiet = _QUIET.get(alert.state, "")
    text = f"{alert.name} firing ({quiet})" if quiet else f"{alert.name} firing"
    return _event(
        alert, BEGAN, alert.onset, text=text, severity=Severity.NOTICE if quiet else alert.severity, seen_at=seen_at
    )


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
