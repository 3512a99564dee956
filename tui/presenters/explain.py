"""Explains a workload: why it is broken, what changed, what is suspected and why, and what can be done from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, structs

from services.insight.correlation import Trouble
from services.kubernetes.delivery import because
from services.model.alert import Alert, AlertState, Entity
from services.model.change import Change, Suspect
from services.model.metric import Golden
from services.model.severity import Severity
from services.model.workload import Pod, Revision, Rollout
from services.ports import Snapshot
from tui.presenters.alert_detail import LastWords, Links, change_line, links_of, present_last_words
from tui.presenters.alert_sources import ALERTS
from tui.presenters.alert_words import score_line, since_words, value_words
from tui.presenters.detail import labelled, present_because, present_ready
from tui.presenters.lens import TONES, WORDS, Lens, age, clock, countdown, moment
from tui.presenters.rollouts import change as change_of_rollout
from tui.presenters.workload import health_words
from widgets.viewmodels import Line, Span, Tone

MOST_ALERTS = 8
MOST_SUSPECTS = 3


class Known(Struct, frozen=True):
    """What is known around a workload when it is explained. `kubectl` is how a command for it begins, raw.

    `delivery` are the lines that only a Rollout has, `words` the end of the log of the pod that crashed.
    """

    alerts: Sequence[Alert] = ()
    suspects: Sequence[Suspect] = ()
    changes: Sequence[Change] = ()
    revisions: Sequence[Revision] = ()
    kubectl: str = "kubectl"
    keys: Mapping[str, str] = {}
    delivery: Sequence[Line] = ()
    words: LastWords = LastWords()


def alerts_of(row: Rollout, snapshot: Snapshot) -> list[Alert]:
    """Return the alerts that fire about a workload, the worst first, of those the earliest."""
    ref = row.ref
    found = [
        alert
        for alert in snapshot.tables.get(ALERTS, {}).values()
        if alert.entity.workload == ref.name
        and alert.entity.namespace == ref.namespace
        and alert.state is AlertState.FIRING
        and not alert.heartbeat
    ]
    return sorted(found, key=lambda alert: (alert.severity, alert.onset, alert.key))


def trouble_of(row: Rollout) -> Trouble | None:
    """Return what broke about a workload for which no alert fires; None where nothing did."""
    if row.severity > Severity.WARN or not row.since:
        return None
    return Trouble(Entity(row.ref.cluster, row.ref.namespace, row.ref.name), row.since)


def present_explanation(row: Rollout | None, known: Known, lens: Lens) -> list[Line]:
    """Return the explanation: STATE, ALERT, BECAUSE, CHANGED, SUSPECT with its score's lines, YOU CAN; then more.

    What is short comes first: the other alerts stand below the links and the last log.
    """
    if row is None:
        return [labelled("STATE", lens.badge(Severity.UNKNOWN), Span(" gone: the server no longer lists it"))]
    lines = [_state(row, lens), *_alert(known.alerts, lens), *present_because(row, because(row), lens), *known.delivery]
    lines += _changed(row, known, lens)
    lines += [*_suspects(known.suspects, row, lens), *_you_can(row, known, lens)]
    lines += [*_says(known.alerts, lens), *_links(known, lens), *present_last_words(known.words, lens)]
    return [*lines, *_more_alerts(known.alerts, lens)]


def _state(row: Rollout, lens: Lens) -> Line:
    tone = TONES[row.severity]
    spans = [lens.badge(row.severity), Span(f" {WORDS[row.severity]}  ", tone), Span(present_ready(row, lens))]
    if not row.done and row.workload.delivery is None:
        status = row.status.partition("rollout to finish: ")[2] or row.status
        spans.append(Span(f"   {lens.text(status.rstrip('.'), 160)}", Tone.MUTED))
    if row.deadline_at and not row.done:
        left = row.deadline_at - lens.now
        words = f"deadline in {countdown(left)}" if left > 0 else f"deadline passed {age(-left)} ago"
        spans.append(Span(f"   {words}", Tone.WARN))
    return labelled("STATE", *spans)


def _alert(alerts: Sequence[Alert], lens: Lens) -> list[Line]:
    """Return the first of the alerts, and how many more there are: all that follows explains it."""
    more = (Span(f"   and {len(alerts) - 1} more, below", Tone.MUTED),) if len(alerts) > 1 else ()
    return [labelled("ALERT", *_named(alert, lens), *more) for alert in alerts[:1]]


def _says(alerts: Sequence[Alert], lens: Lens) -> list[Line]:
    """Return what the first alert says of itself."""
    summary = lens.text(alerts[0].annotation("summary"), 200) if alerts else ""
    return [labelled("SAYS", Span(summary))] if summary else []


def _more_alerts(alerts: Sequence[Alert], lens: Lens) -> list[Line]:
    """Return the alerts beside the first in a line each, as many as are read."""
    others = alerts[1 : 1 + MOST_ALERTS]
    lines = [labelled("" if at else "ALERTS", *_named(alert, lens)) for at, alert in enumerate(others)]
    if (left := len(alerts) - 1 - len(others)) > 0:
        lines.append(labelled("", Span(f"and {left} more", Tone.MUTED)))
    return lines


def _named(alert: Alert, lens: Lens) -> tuple[Span, ...]:
    said = f"  {value_words(alert, lens)}  for {since_words(alert, lens)}".replace("    ", "  ")
    return lens.badge(alert.severity), Span(f" {lens.text(alert.name, 80)}", TONES[alert.severity]), Span(said)


def told_links(alerts: Sequence[Alert]) -> Links:
    """Return where alerts say that more is to be read: the first runbook and the first dashboard of any, raw."""
    known = [links_of(alert) for alert in alerts]
    runbook = next((one.runbook for one in known if one.runbook), "")
    return Links(runbook, next((one.dashboard for one in known if one.dashboard), ""))


def _links(known: Known, lens: Lens) -> list[Line]:
    links = told_links(known.alerts)
    listed = (("RUNBOOK", "copy_runbook", links.runbook), ("BOARD", "copy_dashboard", links.dashboard))
    return [
        labelled(
            label,
            Span(lens.text(link, 1000)),
            Span(f"  {known.keys[key]} copies" if known.keys.get(key) else "", Tone.KEY),
        )
        for label, key, link in listed
        if link
    ]


def _changed(row: Rollout, known: Known, lens: Lens) -> list[Line]:
    """Return the last change of the workload itself, with how long before the trouble it was."""
    ref = row.ref
    own = [one for one in known.changes if (one.ref.namespace, one.ref.name) == (ref.namespace, ref.name)]
    said = change_of_rollout(row, lens)
    if not own:
        return [labelled("CHANGED", Span(lens.text(said)))] if said else []
    last = max(own, key=lambda one: one.start)
    onset = min((alert.onset for alert in known.alerts), default=row.since)
    text = said if last.revision and last.revision == row.revision else last.text or last.kind.value
    spans = [Span(f"{moment(last.start, lens.now)}  ", Tone.MUTED), Span(lens.text(text, 200))]
    if last.actor:
        spans.append(Span(f"  by {lens.name('user', last.actor)}"))
    troubled = row.severity <= Severity.WARN or bool(known.alerts)
    if troubled and onset >= last.start:
        spans.append(Span(f"   {age(onset - last.start)} before the trouble", Tone.STRONG))
    return [labelled("CHANGED", *spans)]


def _suspects(suspects: Sequence[Suspect], row: Rollout, lens: Lens) -> list[Line]:
    if not suspects:
        if row.severity > Severity.WARN:
            return []
        return [labelled("SUSPECT", Span("none: nothing that changed lies near it in place and time", Tone.MUTED))]
    first, *others = suspects[:MOST_SUSPECTS]
    lines = [labelled("SUSPECT", *score_line(first, lens))]
    ref = first.change.ref
    if (ref.namespace, ref.name) != (row.ref.namespace, row.ref.name):
        lines.append(labelled("", *change_line(first, lens)))
    return lines + [
        labelled("", Span(f"{one.score} {one.band}  ", Tone.MUTED), *change_line(one, lens)) for one in others
    ]


def _you_can(row: Rollout, known: Known, lens: Lens) -> list[Line]:
    """Return what works from here, what helps most first, and the command for those who have no key at hand."""
    keys = known.keys
    back = revision_before(known.revisions) if row.severity <= Severity.WARN else None
    spans: list[Span] = []
    if back is not None and keys.get("rollback"):
        seen = health_words(back, lens.now)
        made = f"made {lens.age(back.created_at)} ago" if back.created_at else ""
        known_of = lens.text(seen or made)
        spans += [Span(keys["rollback"], Tone.KEY), Span(f" roll back to rev {back.number}")]
        spans.append(Span(f" ({known_of})   " if known_of else "   ", Tone.MUTED))
    spans += _steer(row, keys)
    for name, words in (("logs", "logs"), ("previous_logs", "logs of the run before"), ("diff", "what changed")):
        if keys.get(name) and (name != "diff" or len(known.revisions) > 1):
            spans += [Span(keys[name], Tone.KEY), Span(f" {words}   ")]
    if keys.get("incident"):
        spans += [Span(keys["incident"], Tone.KEY), Span(" declare an incident   ")]
    if row.severity <= Severity.WARN and row.what.startswith("CrashLoop"):
        spans.append(Span("a restart would start the same image", Tone.MUTED))
    lines = [labelled("YOU CAN", *spans)]
    if back is not None:
        command = f"{known.kubectl} {_undo(row)} --to-revision={back.number}"
        lines.append(labelled("BY HAND", Span(lens.text(command, 600))))
    return lines


def _steer(row: Rollout, keys: Mapping[str, str]) -> list[Span]:
    """Return that a delivery on its way can be promoted or aborted, or an aborted one tried again."""
    delivery = row.workload.delivery
    if delivery is None or delivery.promoted or not keys.get("actions"):
        return []
    return [Span(keys["actions"], Tone.KEY), Span(" retry   " if delivery.aborted else " promote, abort   ")]


def _undo(row: Rollout) -> str:
    if row.workload.delivery is not None:
        return f"argo rollouts undo {row.ref.name}"
    return f"rollout undo {row.ref.kind.lower()}/{row.ref.name}"


def revision_before(revisions: Sequence[Revision]) -> Revision | None:
    """Return the revision to go back to: the newest older one observed healthy, else inferred, else the one before."""
    current = next((one for one in revisions if one.current), None)
    if current is None:
        return None
    older = sorted((one for one in revisions if one.number < current.number), key=lambda one: -one.number)
    observed = (one for one in older if one.healthy is not None)
    inferred = (one for one in older if one.mark)
    return next(observed, None) or next(inferred, None) or (older[0] if older else None)


def with_asked(golden: Golden, pods: Sequence[Pod]) -> Golden:
    """Return what was measured, with the requests and limits of the pods where the monitoring knows none."""
    cpu, memory = sum(pod.cpu_request for pod in pods) / 1000, float(sum(pod.memory_request for pod in pods))
    cpu_limit = sum(pod.cpu_limit for pod in pods) / 1000 if all(pod.cpu_limit for pod in pods) else 0.0
    memory_limit = float(sum(pod.memory_limit for pod in pods)) if all(pod.memory_limit for pod in pods) else 0.0
    return structs.replace(
        golden,
        cpu_request=golden.cpu_request or cpu,
        cpu_limit=golden.cpu_limit or cpu_limit,
        memory_request=golden.memory_request or memory,
        memory_limit=golden.memory_limit or memory_limit,
    )


def present_measured(golden: Golden | None, window: str, lens: Lens) -> Line:
    """Return one line on the charts: how far back they look, where they come from, what could not be had."""
    if golden is None:
        return (Span(f"last {window}", Tone.MUTED),)
    source = f"  {lens.text(golden.source, 60)}" if golden.source else ""
    missing = f"   {lens.text('; '.join(golden.missing), 300)}" if golden.missing else ""
    at = f"  {clock(lens.now)}" if golden.source else ""
    return (Span(f"last {window}{source}{at}", Tone.MUTED), Span(missing, Tone.NOTICE))
