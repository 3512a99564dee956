"""Shows workloads worst first: what state, since when, and why, on one row."""

from __future__ import annotations

from operator import attrgetter

from services.model.ref import ARGO_ROLLOUTS, DAEMONSETS, DEPLOYMENTS, STATEFULSETS, WORKLOAD_KINDS, Resource
from services.model.severity import Severity
from services.model.workload import Rollout
from tui.presenters.lens import TONES, Lens, countdown, tag
from tui.presenters.terms import Subject
from tui.presenters.view import View
from widgets.viewmodels import Column, Line, Row, Span, Tone

SHORT_KIND = {"Deployment": "deploy", "StatefulSet": "sts", "DaemonSet": "ds", "Rollout": "ro"}

COLUMNS = (
    Column("shape", "", 1),
    Column("workload", "WORKLOAD", 18, weight=3),
    Column("kind", "KIND", 6, priority=5),
    Column("ready", "READY", 7, right=True),
    Column("updated", "UPD", 5, priority=4, right=True),
    Column("available", "AVAIL", 5, priority=4, right=True),
    Column("revision", "REV", 4, priority=3, right=True),
    Column("tag", "IMAGE", 10, weight=1, priority=2),
    Column("what", "WHAT", 20, weight=5),
    Column("age", "AGE", 6, right=True),
)
PANE_COLUMNS = (
    Column("shape", "", 1),
    Column("workload", "WORKLOAD", 19, weight=1),
    Column("ready", "READY", 7, right=True),
    Column("what", "WHAT", 15, weight=2),
    Column("age", "AGE", 4, right=True),
)


def kind_of(rollout: Rollout) -> Resource | None:
    """Return the workload's kind as the API serves it."""
    return next((kind for kind in WORKLOAD_KINDS if kind.kind == rollout.ref.kind), None)


def subject(rollout: Rollout) -> Subject:
    """Return what a filter looks at."""
    workload = rollout.workload
    text = (
        f"{workload.ref.namespace}/{workload.ref.name} {rollout.what} {' '.join(workload.images)} {workload.ref.kind}"
    )
    return Subject(text, workload.ref.namespace, rollout.severity, workload.labels)


def what(rollout: Rollout) -> str:
    """Return the row's one line: the cause where there is one, else kubectl's words."""
    words = rollout.what or ("" if rollout.done else rollout.status)
    if rollout.flapping:
        words = f"{words}; flapping" if words else "flapping"
    return words


def recovering(rollout: Rollout, lens: Lens) -> bool:
    """Return whether a healthy row recovered so lately that it should still be seen."""
    return rollout.severity >= Severity.UNKNOWN and 0 < lens.now - rollout.recovered_at < lens.recovered_for


def _cells(rollout: Rollout, lens: Lens) -> dict[str, Span]:
    workload = rollout.workload
    tone = TONES[rollout.severity]
    name = lens.text(f"{workload.ref.namespace}/{workload.ref.name}")
    words = what(rollout)
    recovered = recovering(rollout, lens)
    if recovered and not words:
        words = f"recovered {lens.age(rollout.recovered_at)} ago"
    since = rollout.since or workload.created_at
    return {
        "shape": lens.badge(rollout.severity),
        "workload": Span(name, tone if rollout.severity is Severity.CRIT else Tone.PLAIN),
        "kind": Span(SHORT_KIND.get(workload.ref.kind, workload.ref.kind), Tone.MUTED),
        "ready": Span(f"{workload.ready}/{workload.desired}", tone),
        "updated": Span(str(workload.updated)),
        "available": Span(str(workload.available)),
        "revision": Span(str(rollout.revision or workload.revision or ""), Tone.MUTED),
        "tag": Span(lens.text(tag(workload.images[0])) if workload.images else ""),
        "what": Span(lens.text(words), tone if rollout.severity < Severity.NOTICE else Tone.PLAIN),
        "age": Span(lens.age(since)),
    }


def change(rollout: Rollout, lens: Lens) -> str:
    """Return "rev 42 ← 41  v1.8.2 → v1.8.3", as much of it as is known."""
    parts = []
    if rollout.revision:
        back = f" {lens.glyphs.left} {rollout.previous_revision}" if rollout.previous_revision else ""
        parts.append(f"rev {rollout.revision}{back}")
    now = [tag(image) for image in rollout.workload.images]
    before = [tag(image) for image in rollout.previous_images]
    if now and before and now != before:
        parts.append(f"{before[0]} {lens.glyphs.right} {now[0]}")
    elif now:
        parts.append(now[0])
    return "  ".join(parts)


def _details(rollout: Rollout, lens: Lens) -> tuple[Line, ...]:
    """Return two lines: what changed and how long there is left, then the last words or the cause."""
    first: list[Span] = [Span(lens.text(change(rollout, lens)), Tone.MUTED)]
    left = _time_left(rollout, lens.now)
    if left:
        first.append(Span(f"  {left}"))
    if rollout.last_words:
        return tuple(first), (Span(f'"{lens.text(rollout.last_words, 300)}"'),)
    if rollout.cause and rollout.cause != rollout.what:
        return tuple(first), (Span(lens.text(rollout.cause, 300), Tone.MUTED),)
    return (tuple(first),)


def _time_left(rollout: Rollout, now: float) -> str:
    """Return "deadline in 2m50s" while a rollout may still make it."""
    if rollout.deadline_at > now and not rollout.done and not rollout.stalled:
        return f"deadline in {countdown(rollout.deadline_at - now)}"
    return ""


def detail_lines(rollout: Rollout) -> int:
    """Return how many lines `present_pane_row` puts below a row."""
    if rollout.severity > Severity.WARN:
        return 0
    return 2 if rollout.last_words or (rollout.cause and rollout.cause != rollout.what) else 1


def present_row(key: str, rollout: Rollout, lens: Lens) -> Row:
    """Return a row of the full table."""
    cells = _cells(rollout, lens)
    left = _time_left(rollout, lens.now)
    if left:
        cells["what"] = Span(f"{cells['what'].text}  {left}", cells["what"].tone)
    dimmed = recovering(rollout, lens)
    return Row(key, tuple(cells[column.key] for column in COLUMNS), dimmed=dimmed)


def _four(shown: str) -> str:
    """Return an age in the four cells that the pane has for it: "1h04" instead of "1h04m", "3d" instead of "3d14h"."""
    if len(shown) <= 4:
        return shown
    return shown.removesuffix("m") if shown.endswith("m") else f"{shown.partition('d')[0]}d"


def present_pane_row(key: str, rollout: Rollout, lens: Lens) -> Row:
    """Return a row of the pane, with the change and the last words below those in trouble."""
    cells = _cells(rollout, lens)
    cells["age"] = Span(_four(cells["age"].text))
    return Row(
        key,
        tuple(cells[column.key] for column in PANE_COLUMNS),
        dimmed=recovering(rollout, lens),
        details=_details(rollout, lens) if rollout.severity <= Severity.WARN else (),
    )


def by_severity(rollout: Rollout) -> tuple[int, int, str, str]:
    """Rank worst first; a workload with nothing running before one that is short of a replica; then by name."""
    workload = rollout.workload
    missing = 0 if workload.desired and not workload.ready else 1
    return (rollout.severity, missing, workload.ref.namespace, workload.ref.name)


VIEW = View(
    id="rollouts",
    title="Rollouts",
    noun="workload",
    table="rollouts",
    sources=(DEPLOYMENTS.table, STATEFULSETS.table, DAEMONSETS.table, "replicasets.apps", "pods"),
    optional=(ARGO_ROLLOUTS.table,),
    columns=COLUMNS,
    row=present_row,
    subject=subject,
    severity=attrgetter("severity"),
    ref=lambda rollout: rollout.ref,
    ranks={
        "status": by_severity,
        "name": lambda rollout: rollout.ref.name,
        "namespace": lambda rollout: (rollout.ref.namespace, rollout.ref.name),
        "age": lambda rollout: -(rollout.since or rollout.workload.created_at),
        "ready": lambda rollout: (rollout.workload.ready - rollout.workload.desired, rollout.ref.name),
    },
    aliases=(
        "ro",
        "workloads",
        "wk",
        "deploy",
        "dp",
        "deployments",
        "sts",
        "statefulsets",
        "ds",
        "daemonsets",
        "rollout",
    ),
    resource_of=kind_of,
    empty="no workloads here",
)
