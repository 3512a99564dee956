"""Says of one alert, on one screen, all that the first half minute after a page needs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from msgspec import Struct

from services.alerts.matchers import spelled_all
from services.model.alert import Alert, AlertState, Silence
from services.model.change import Suspect
from services.model.severity import Severity
from services.model.workload import Pod, Rollout
from services.ports import Snapshot
from tui.presenters.alert_targets import workload_of
from tui.presenters.alert_words import (
    change_word,
    is_ack,
    labels_words,
    score_line,
    since_words,
    tone_of,
    value_words,
    where_words,
)
from tui.presenters.detail import labelled, pod_line, pods_of, present_because
from tui.presenters.lens import TONES, WORDS, Lens, age, clock, moment, plural
from tui.presenters.rollouts import change as change_of_rollout
from tui.presenters.silences import ends_words
from widgets.viewmodels import Line, Span, Tone

RUNBOOKS = ("runbook_url", "runbook", "playbook_url")
DASHBOARDS = ("dashboard_url", "dashboard", "grafana_url", "dashboard_link")
SAID = ("summary", "message", "description")
MOST_PODS = 8
DAY = 86400.0
MOST_SUSPECTS = 5
MOST_WORDS = 12
_BACK_OFF = re.compile(r"[,:]? ?back-off \S+ restarting failed container=.*", re.IGNORECASE)
"""What the kubelet says of every pod that crashes again and again: its status says so already."""

_LINKS = frozenset({*RUNBOOKS, *DASHBOARDS})


class Links(Struct, frozen=True):
    """Where an alert says that more is to be read; raw, "" where it says nothing. Only http and https count."""

    runbook: str = ""
    dashboard: str = ""
    source: str = ""


class LastWords(Struct, frozen=True):
    """The end of a crashed pod's log, or one sentence on why it is not there; while `asked` and neither, on its way."""

    pod: str = ""
    lines: tuple[str, ...] = ()
    missing: str = ""
    asked: bool = False


def links_of(alert: Alert) -> Links:
    """Return the links of an alert's annotations and where its rule was evaluated."""
    return Links(_link(alert, RUNBOOKS), _link(alert, DASHBOARDS), _web(alert.generator_url))


def _link(alert: Alert, names: Sequence[str]) -> str:
    return next((found for name in names if (found := _web(alert.annotation(name)))), "")


def _web(text: str) -> str:
    text = text.strip()
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return text if parts.scheme in ("http", "https") and parts.netloc and not any(map(str.isspace, text)) else ""


def present_alert_title(alert: Alert, lens: Lens) -> Line:
    """Return the frame's title: shape, name, and what it is doing."""
    firing = alert.state is AlertState.FIRING
    shape = lens.badge(alert.severity) if firing else Span(lens.glyphs.dot, Tone.MUTED)
    word = WORDS[alert.severity] if firing else alert.state.value
    return (shape, Span(f" {word} ", tone_of(alert)), Span(lens.text(alert.name, 120), Tone.STRONG))


def present_alert(
    alert: Alert,
    snapshot: Snapshot,
    suspects: Sequence[Suspect],
    *,
    words: LastWords,
    keys: Mapping[str, str],
    lens: Lens,
    unread: str = "",
) -> tuple[Line, ...]:
    """Return everything about an alert, the most needed first. `keys` are those that copy links, by what they copy.

    `unread` says why what changed before the onset is not known, "" where it is.
    """
    row = workload_of(alert, snapshot)
    links = links_of(alert)
    lines = [*_state(alert, lens), *_of_now(_because(row, suspects, lens), alert)]
    lines += _suspects(suspects, lens, unread)
    lines += _links(links, keys, lens, remembered=not (alert.peers or alert.annotations))
    lines += _of_now(_pods(row, alert, snapshot, lens), alert)
    lines += _of_now(present_last_words(words, lens), alert)
    if links.source:
        lines.append(labelled("RULE AT", Span(lens.text(links.source, 1000), Tone.MUTED)))
    lines += [*_rule(alert, lens), *_silences(alert, snapshot, lens)]
    lines.append(labelled("LABELS", Span(labels_words(alert.labels, lens))))
    for name, value in alert.annotations:
        if name not in _LINKS and value and name not in SAID[:1]:
            lines.append(labelled("NOTE", Span(f"{lens.text(name, 60)}  ", Tone.MUTED), Span(lens.text(value, 1000))))
    lines.append(labelled("SEEN BY", Span(lens.text(", ".join(alert.peers) or "nobody now", 300), Tone.MUTED)))
    if alert.receivers:
        lines.append(labelled("TELLS", Span(lens.text(", ".join(alert.receivers), 300), Tone.MUTED)))
    return tuple(lines)


def present_alert_in_short(
    alert: Alert, snapshot: Snapshot, suspects: Sequence[Suspect], lens: Lens
) -> tuple[Line, ...]:
    """Return what the detail of the control room says of an alert: its state, its cause, its suspects, its pods."""
    row = workload_of(alert, snapshot)
    return (
        *_state(alert, lens),
        *_because(row, suspects, lens),
        *_suspects(suspects, lens),
        *_pods(row, alert, snapshot, lens),
    )


def _state(alert: Alert, lens: Lens) -> list[Line]:
    tone = tone_of(alert)
    since = since_words(alert, lens)
    word = ", began" if alert.state is AlertState.ENDED else " since"
    near = lens.now - alert.onset < DAY
    at = f"{word} {clock(alert.onset, seconds=True) if near else moment(alert.onset, lens.now)}" if alert.onset else ""
    doing = "firing" if alert.state is AlertState.FIRING else alert.state.value
    spans = [lens.badge(alert.severity), Span(f" {doing} {since}{at}", tone)]
    value = value_words(alert, lens)
    if value:
        spans.append(Span(f"   {value}", Tone.STRONG))
    if alert.onset_slack:
        spans.append(Span(f"   began up to {age(alert.onset_slack)} earlier", Tone.MUTED))
    lines = [labelled("STATE", *spans)]
    where = where_words(alert, lens)
    if where:
        lines.append(labelled("WHERE", Span(where)))
    said = next((alert.annotation(name) for name in SAID if alert.annotation(name)), "")
    if said:
        lines.append(labelled("SAYS", Span(lens.text(said, 600))))
    return lines


def _because(row: Rollout | None, suspects: Sequence[Suspect], lens: Lens) -> list[Line]:
    """Return what the cluster itself knows of the workload: a cause is more than a number over a line.

    Its last change is left out where it is the first suspect, of which more is said below.
    """
    if row is None or row.severity > Severity.WARN:
        return []
    lines = present_because(row, row.cause or row.what, lens)
    changed = change_of_rollout(row, lens)
    first = suspects[0].change if suspects else None
    told = first is not None and (first.ref.key, first.revision) == (row.ref.key, row.revision)
    if changed and not told:
        lines.append(labelled("CHANGED", Span(lens.text(changed))))
    return lines


def _of_now(lines: list[Line], alert: Alert) -> list[Line]:
    """Return what is said of the cluster, marked as of this moment where the alert is over."""
    if alert.state is not AlertState.ENDED:
        return lines
    now = Span("now  ", Tone.MUTED)
    return [(label, now, *spans) if label.text.strip() else (label, *spans) for label, *spans in lines]


def _suspects(suspects: Sequence[Suspect], lens: Lens, unread: str = "") -> list[Line]:
    """Return the suspects: the first with each line of its score, the others in a line each."""
    if not suspects and unread:
        return [labelled("SUSPECT", Span(lens.text(f"not known: {unread}", 200), Tone.MUTED))]
    if not suspects:
        return [labelled("SUSPECT", Span("none: nothing that changed lies near it in place and time", Tone.MUTED))]
    first, *others = suspects[:MOST_SUSPECTS]
    lines = [labelled("SUSPECT", *change_line(first, lens)), labelled("", *score_line(first, lens))]
    lines += [labelled("", Span(f"{one.score} {one.band}  ", Tone.MUTED), *change_line(one, lens)) for one in others]
    if len(suspects) > MOST_SUSPECTS:
        lines.append(labelled("", Span(f"and {len(suspects) - MOST_SUSPECTS} more", Tone.MUTED)))
    return lines


def change_line(suspect: Suspect, lens: Lens) -> Line:
    """Return "02:58  shop/cart rev 17 v2.0.0→v2.0.1  by ci-deployer"."""
    change = suspect.change
    said = change.text or change_word(change)
    spans = [
        Span(f"{moment(change.start, lens.now)}  ", Tone.MUTED),
        Span(lens.text(change.ref.key, 120), Tone.STRONG),
        Span(f"  {lens.text(said, 200)}"),
    ]
    if change.actor:
        spans.append(Span(f"  by {lens.name('user', change.actor)}", Tone.MUTED))
    return tuple(spans)


def _pods(row: Rollout | None, alert: Alert, snapshot: Snapshot, lens: Lens) -> list[Line]:
    """Return the pods in trouble, of the workload or the one that the labels name."""
    pods: list[Pod] = []
    if row is not None:
        pods = pods_of(snapshot, row.ref)
    elif (one := snapshot.tables.get("pods", {}).get(f"{alert.entity.namespace}/{alert.entity.pod}")) is not None:
        pods = [one]
    if not pods:
        return []
    bad = [pod for pod in pods if pod.severity <= Severity.WARN]
    if not bad:
        return [labelled("PODS", Span(f"{plural(len(pods), 'pod')}, none in trouble", Tone.MUTED))]
    lines = [labelled("PODS", Span(f"{len(bad)} of {plural(len(pods), 'pod')} in trouble", TONES[bad[0].severity]))]
    lines += _pod_lines(bad[:MOST_PODS], lens)
    if len(bad) > MOST_PODS:
        lines.append(labelled("", Span(f"and {len(bad) - MOST_PODS} more", Tone.MUTED)))
    return lines


def _pod_lines(pods: Sequence[Pod], lens: Lens) -> list[Line]:
    """Return pods in a line each; a reason that the pod above has too is not said again, nor what the status says."""
    lines, before = [], ""
    for pod in pods:
        *spans, reason = pod_line(pod, lens)
        said = _BACK_OFF.sub("", reason.text)
        if said and said != before:
            spans.append(Span(said, reason.tone))
        before = said
        lines.append(labelled("", *spans))
    return lines


def present_last_words(words: LastWords, lens: Lens) -> list[Line]:
    """Return the end of the log of the run that crashed, or why it is not there."""
    if not words.asked:
        return []
    head = Span(f"{lens.text(words.pod, 120)}  " if words.pod else "", Tone.MUTED)
    if not words.lines:
        return [labelled("LAST LOG", head, Span(lens.text(words.missing, 300) or "on its way", Tone.MUTED))]
    lines = [labelled("LAST LOG", head, Span(plural(len(words.lines), "line"), Tone.MUTED))]
    return lines + [labelled("", Span(lens.text(line, 400))) for line in words.lines[-MOST_WORDS:]]


def _links(links: Links, keys: Mapping[str, str], lens: Lens, *, remembered: bool) -> list[Line]:
    """Return the links, and that there are none; `remembered` says that the timeline alone knows the alert."""
    lines = []
    for label, name, link in (("RUNBOOK", "runbook", links.runbook), ("BOARD", "dashboard", links.dashboard)):
        if link:
            lines.append(labelled(label, Span(lens.text(link, 1000)), Span(f"  {keys.get(name, '')} copies", Tone.KEY)))
    if not links.runbook:
        why = "not kept of an alert that is over" if remembered else "the rule names none"
        lines.append(labelled("RUNBOOK", Span(why, Tone.MUTED)))
    return lines


def _rule(alert: Alert, lens: Lens) -> list[Line]:
    lines = []
    if alert.expression:
        lasting = f"   for {age(alert.hold)}" if alert.hold else ""
        lines.append(labelled("EXPR", Span(lens.text(alert.expression, 2000)), Span(lasting, Tone.MUTED)))
    if alert.inhibited_by:
        lines.append(labelled("QUIET", Span(f"inhibited by {plural(len(alert.inhibited_by), 'alert')}", Tone.NOTICE)))
    return lines


def _silences(alert: Alert, snapshot: Snapshot, lens: Lens) -> list[Line]:
    known: Mapping[str, Silence] = snapshot.tables.get("silences", {})
    lines = []
    for one in alert.silenced_by:
        silence = known.get(one)
        if silence is None:
            lines.append(labelled("SILENCE", Span(lens.text(one, 60), Tone.MUTED)))
            continue
        word = "ack" if is_ack(silence) else "silenced"
        who = lens.name("user", silence.created_by)
        lines.append(
            labelled(
                "SILENCE",
                Span(f"{word} by {who}, ends {ends_words(silence, lens)}  "),
                Span(lens.text(silence.comment, 300), Tone.STRONG),
                Span(f"  {lens.text(spelled_all(silence.matchers), 300)}", Tone.MUTED),
            )
        )
    return lines


def alert_text(alert: Alert, lens: Lens) -> str:
    """Return an alert as it would be told in a chat, with what the lens masks masked."""
    where = where_words(alert, lens)
    head = f"{WORDS[alert.severity]} {alert.name}{f' on {where}' if where else ''}: {alert.state.value}"
    if alert.onset:
        head += f" since {moment(alert.onset, lens.now)}Z"
    value = value_words(alert, lens)
    lines = [head + (f" ({value})" if value else "")]
    said = next((alert.annotation(name) for name in SAID if alert.annotation(name)), "")
    links = links_of(alert)
    lines += [said, f"runbook: {links.runbook}" if links.runbook else ""]
    lines += [f"dashboard: {links.dashboard}" if links.dashboard else "", labels_words(alert.labels, lens)]
    return "\n".join(str(lens.text(line, 1500)) for line in lines if line)
