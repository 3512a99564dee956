"""What stands behind the alerts: which servers answer, which heartbeat is seen, whether the rules are healthy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, structs

from services.model.alert import Alert, AlertPeer, AlertState
from services.model.severity import Severity
from services.model.source import SourceState, SourceStatus
from services.model.workload import Rollout
from services.ports import Snapshot
from tui.presenters.freshness import Freshness, Reading, read
from tui.presenters.lens import Lens, plural
from tui.presenters.summary import Summary
from tui.presenters.terms import Subject, Test
from widgets.viewmodels import Line, Span, Tone

ALERTS, GROUPS, SILENCES, PEERS = "alerts", "alert-groups", "silences", "alert-peers"
TABLES = (ALERTS, GROUPS, SILENCES, PEERS)
KINDS = ("alertmanager", "prometheus")

POLLED_FOR = 60.0
"""Seconds without an answer after which what a polled server said counts as old."""

YOUNG = 120.0
"""Seconds after its start during which a server may have yet to learn what fires."""

SETTLES, BEGUN = "settles", "started a moment ago"
_SHORT = {SETTLES: "settling", BEGUN: "just started"}

_SILENCE = {
    Freshness.LOADING: "has not answered yet",
    Freshness.NEVER: "was not asked yet",
    Freshness.STALE: "has not answered for a minute",
}
_WORSE = (Freshness.FRESH, Freshness.STALE, Freshness.LOADING, Freshness.NEVER, Freshness.FAILED)


class Evidence(Struct, frozen=True):
    """What may be believed of the alerts.

    `total` servers are configured, of which `answering` do; `silent` names the others with the reason. `reading` is the
    best of them: with one that answers there are alerts to show, with all of them nothing is missing. `waiting` servers
    have neither answered nor failed yet. `heartbeats` are seen by `beating` of those that answer. `doubt` says why not
    even all of them together can know what fires, "" where they do; `doubt_in_short` without their names.
    """

    total: int = 0
    answering: int = 0
    silent: tuple[tuple[str, str], ...] = ()
    reading: Reading = Reading(Freshness.NOT_CONFIGURED)
    heartbeats: tuple[str, ...] = ()
    beating: int = 0
    rules: int = 0
    sick_rules: int = 0
    waiting: int = 0
    doubt: str = ""
    doubt_in_short: str = ""

    @property
    def configured(self) -> bool:
        """Whether alerts are asked for at all."""
        return self.total > 0

    @property
    def whole(self) -> bool:
        """Whether every configured server answers and knows, so that what is not shown is not there."""
        return self.total > 0 and self.answering == self.total and not self.doubt


class AlertCounts(Struct, frozen=True):
    """How many alerts do what; heartbeats left out. `worst` counts by severity what fires in scope.

    `fresh` counts of those only what no workload in trouble stands for already: what the header adds. `hidden` are
    those outside the scope.
    """

    states: Mapping[AlertState, int] = {}
    worst: Mapping[Severity, int] = {}
    fresh: Mapping[Severity, int] = {}
    hidden: Mapping[Severity, int] = {}

    @property
    def firing(self) -> int:
        """How many fire."""
        return self.states.get(AlertState.FIRING, 0)

    @property
    def pending(self) -> int:
        """How many are to fire when they last."""
        return self.states.get(AlertState.PENDING, 0)


def is_alert_source(name: str) -> bool:
    """Return whether a source brings alerts."""
    return name.partition("/")[0] in KINDS


def read_polled(status: SourceStatus, now: float) -> Reading:
    """Return how a polled source stands: between two answers it is as fresh as the last one."""
    reading = read(structs.replace(status, last_byte=now) if status.last_byte else status, now)
    silent = now - status.last_byte if status.last_byte else 0.0
    kind = Freshness.STALE if reading.freshness is Freshness.FRESH and silent > POLLED_FOR else reading.freshness
    return structs.replace(reading, freshness=kind, age=silent)


def why_silent(source: str, snapshot: Snapshot, now: float) -> str:
    """Return why a server that alerts come from does not answer, raw; "" where it does."""
    status = snapshot.sources.get(source)
    return _why(read(None, now) if status is None else read_polled(status, now))


def _why(reading: Reading) -> str:
    return "" if reading.trusted else reading.reason or _SILENCE.get(reading.freshness, reading.freshness.value)


def evidence_of(snapshot: Snapshot, now: float, expected: Iterable[str] = ()) -> Evidence:
    """Return what stands behind the alerts of a snapshot; `expected` are sources that count from the start."""
    read_of = {name: read(None, now) for name in expected}
    read_of |= {
        name: read_polled(status, now)
        for name, status in snapshot.sources.items()
        if is_alert_source(name) and status.state is not SourceState.NOT_CONFIGURED
    }
    if not read_of:
        return Evidence()
    peers: Mapping[str, AlertPeer] = snapshot.tables.get(PEERS, {})
    silent = tuple(
        (name.partition("/")[2], _why(reading)) for name, reading in sorted(read_of.items()) if not reading.trusted
    )
    names = {one for name, reading in read_of.items() if reading.trusted for one in _borne_by(name)}
    heard = [peer for name, peer in peers.items() if name in names]
    doubted = _doubted(heard, now)
    return Evidence(
        total=len(read_of),
        answering=sum(reading.trusted for reading in read_of.values()),
        silent=silent,
        reading=min(read_of.values(), key=lambda reading: _WORSE.index(reading.freshness)),
        heartbeats=tuple(sorted({name for peer in heard for name in peer.heartbeats})),
        beating=sum(bool(peer.heartbeats) for peer in heard),
        rules=sum(peer.rules for peer in heard),
        sick_rules=sum(peer.sick_rules for peer in heard),
        waiting=sum(one.freshness in (Freshness.LOADING, Freshness.NEVER) for one in read_of.values()),
        doubt=_doubt([f"{name} {why}" for name, why in doubted]),
        doubt_in_short=_doubt(sorted({_SHORT[why] for _, why in doubted})),
    )


def _borne_by(source: str) -> tuple[str, str]:
    """Return the names that a source's peer may bear: one of another kind and the same name is told apart by it."""
    kind, _, name = source.partition("/")
    return name, f"{name} ({kind})"


def _doubted(heard: Sequence[AlertPeer], now: float) -> list[tuple[str, str]]:
    """Return who cannot know yet what fires, and why, where that is all of the servers that answer."""
    reasons = []
    for peer in heard:
        if peer.state == "settling":
            reasons.append((peer.name, SETTLES))
        elif 0 < now - peer.started_at < YOUNG:
            reasons.append((peer.name, BEGUN))
        else:
            return []
    return reasons


def _doubt(reasons: Sequence[str]) -> str:
    return f"{' and '.join(reasons[:3])}: alerts may be missing" if reasons else ""


def alert_subject(alert: Alert) -> Subject:
    """Return what a filter looks at; labels count as `key=value`, the state answers to `is:silenced` and the like."""
    entity = alert.entity
    text = (
        f"{alert.name} {entity.namespace}/{entity.workload or entity.pod} {entity.node} {alert.annotation('summary')}"
    )
    labels = tuple(f"{name}={value}" for name, value in alert.labels)
    severity = alert.severity if alert.state is AlertState.FIRING and not alert.heartbeat else Severity.OK
    return Subject(text, entity.namespace, severity, labels, (alert.state.value,))


def count_alerts(alerts: Iterable[Alert], workloads: Mapping[str, Rollout], scope: Test | None = None) -> AlertCounts:
    """Count alerts; one on a workload that is known to be as badly off is the same trouble, and counts once."""
    states: Counter[AlertState] = Counter()
    worst: Counter[Severity] = Counter()
    fresh: Counter[Severity] = Counter()
    hidden: Counter[Severity] = Counter()
    troubled = {
        (row.ref.cluster, row.ref.namespace, row.ref.name): row.severity
        for row in workloads.values()
        if row.severity <= Severity.WARN
    }
    seen: set[tuple[str, str, str, Severity]] = set()
    for alert in alerts:
        if alert.heartbeat:
            continue
        if scope is not None and alert.entity.namespace and not scope(alert_subject(alert)):
            hidden[alert.severity] += alert.state is AlertState.FIRING
            continue
        states[alert.state] += 1
        if alert.state is not AlertState.FIRING:
            continue
        worst[alert.severity] += 1
        entity = alert.entity
        named = (entity.cluster, entity.namespace, entity.workload)
        if entity.workload:
            if troubled.get(named, Severity.OK) <= alert.severity or (*named, alert.severity) in seen:
                continue
            seen.add((*named, alert.severity))
        fresh[alert.severity] += 1
    return AlertCounts(dict(states), dict(worst), dict(fresh), dict(hidden))


def present_evidence(evidence: Evidence, counts: AlertCounts, lens: Lens) -> tuple[Line, ...]:
    """Return the last line of the pane in parts: what is quiet and why, the heartbeat, the servers, the rules.

    How many are pending stands in the header already.
    """
    parts = [_quiet(counts, state) for state in (AlertState.SILENCED, AlertState.INHIBITED, AlertState.MUTED)]
    if evidence.heartbeats:
        parts.append((Span(f"{lens.text(', '.join(evidence.heartbeats), 60)} ok", Tone.MUTED),))
    elif evidence.answering:
        parts.append((Span("no heartbeat", Tone.WARN),))
    peers = f"{evidence.answering}/{evidence.total} peers"
    parts.append((Span(peers, Tone.MUTED if evidence.answering == evidence.total else Tone.WARN),))
    if evidence.doubt_in_short:
        parts.append((Span(evidence.doubt_in_short, Tone.WARN),))
    if evidence.sick_rules:
        parts.append((Span(f"{plural(evidence.sick_rules, 'rule')} sick", Tone.WARN),))
    return tuple(part for part in parts if part)


def _quiet(counts: AlertCounts, state: AlertState) -> Line:
    count = counts.states.get(state, 0)
    return (Span(f"{count:,} {state.value}", Tone.MUTED),) if count else ()


def clear_words(evidence: Evidence, lens: Lens) -> str:
    """Return what "all clear" stands on: "2 of 2 peers answer, Watchdog seen, 118 rules healthy"."""
    words = [f"{evidence.answering} of {evidence.total} peers answer"]
    if evidence.heartbeats:
        everywhere = evidence.beating == evidence.answering
        by = "" if everywhere else f" by {evidence.beating} of {evidence.answering}"
        words.append(f"{lens.text(', '.join(evidence.heartbeats), 60)} seen{by}")
    else:
        words.append("no heartbeat seen")
    if evidence.sick_rules:
        words.append(f"{evidence.sick_rules} of {evidence.rules:,} rules sick")
    elif evidence.rules:
        words.append(f"{plural(evidence.rules, 'rule')} healthy")
    return ", ".join(words)


def silent_words(evidence: Evidence, lens: Lens) -> str:
    """Return which servers do not answer and why, or why those that do may not know; "" when all is known."""
    silent: dict[str, list[str]] = {}
    for name, why in evidence.silent:
        silent.setdefault(lens.text(why, 200).rstrip("."), []).append(lens.text(name, 60))
    said = [
        why if len(names) == 1 and names[0] in why.split() else f"{', '.join(names)}: {why}"
        for why, names in list(silent.items())[:3]
    ]
    if len(silent) > 3:
        said.append(f"and {len(silent) - 3} more")
    if evidence.doubt:
        said.append(str(lens.text(evidence.doubt, 200)))
    return "; ".join(said)


def sum_up_alerts(
    summary: Summary, snapshot: Snapshot, now: float, scope: Test | None = None, counted: AlertCounts | None = None
) -> Summary:
    """Return a summary with the alerts in it: what fires counts where it is fresh, and is no news of a workload.

    `counted` are the counts of these very alerts and workloads, where they are known.
    """
    evidence = evidence_of(snapshot, now)
    if not evidence.configured:
        return summary
    alerts, workloads = snapshot.tables.get(ALERTS, {}), snapshot.tables.get("rollouts", {})
    counts = counted or count_alerts(alerts.values(), workloads, scope)
    if not evidence.reading.trusted:
        return structs.replace(summary, alerts=counts, evidence=evidence)
    total = Counter(summary.counts) + Counter(counts.fresh)
    hidden = Counter(summary.hidden) + Counter(counts.hidden)
    return structs.replace(summary, counts=dict(total), hidden=dict(hidden), alerts=counts, evidence=evidence)
