"""Shows the parts of one workload: its facts, revisions, pods, events, and what changed between two revisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import structs

from services.kubernetes.history import diff_templates
from services.model.cluster import KubeEvent, Usage
from services.model.ref import PODS as POD_KIND
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.workload import Healthy, Pod, Revision, Rollout
from tui.presenters import pods as pod_rows
from tui.presenters.cluster import cores, present_event
from tui.presenters.detail import labelled, present_facts
from tui.presenters.lens import Lens, age, clock, moment, tag
from tui.presenters.terms import Subject
from tui.presenters.view import View
from widgets.viewmodels import Column, Line, Row, Span, Tone

DAY = 86400.0
MOSTLY = 0.9
"""The share of a time that must have been watched for the rest to need no word."""

UNNOTED = 600.0
"""Seconds that need no word either: watching is written down by the minute, and not before the first rows are there."""


def present_head(rollout: Rollout | None, lens: Lens) -> list[Line]:
    """Return the facts of a workload, or that it is gone."""
    if rollout is None:
        return [labelled("STATE", lens.badge(Severity.UNKNOWN), Span(" gone: the server no longer lists it"))]
    lines = present_facts(rollout, lens)
    workload = rollout.workload
    if workload.change_cause:
        noted = Span(lens.text(workload.change_cause, 200))
        lines.append(labelled("NOTED", noted, Span("  change-cause", Tone.MUTED)))
    return lines


def mebibytes(size: int) -> str:
    """Return bytes as Mi, or Gi from ten thousand Mi on."""
    return f"{size / 2**30:.1f}Gi" if size >= 10_000 * 2**20 else f"{size // 2**20}Mi"


def present_usage(pods: Sequence[Pod], usage: Mapping[str, Usage], lens: Lens) -> list[Line]:
    """Return requests and limits of the pods, summed, and what metrics-server says they use, where it exists."""
    if not pods:
        return []
    cpu, memory = sum(pod.cpu_request for pod in pods), sum(pod.memory_request for pod in pods)
    cpu_limit, memory_limit = sum(pod.cpu_limit for pod in pods), sum(pod.memory_limit for pod in pods)
    used = [usage[pod.ref.key] for pod in pods if pod.ref.key in usage]
    words = f"cpu {cores(cpu)} requested" if cpu else "cpu: nothing requested"
    words += f", limit {cores(cpu_limit)}" if cpu_limit else ", no limit"
    if used:
        words += f", used {cores(sum(one.cpu for one in used))}"
    more = f"memory {mebibytes(memory)} requested" if memory else "memory: nothing requested"
    more += f", limit {mebibytes(memory_limit)}" if memory_limit else ", no limit"
    if used:
        more += f", used {mebibytes(sum(one.memory for one in used))}"
    return [labelled("ASKS", Span(lens.text(f"{words}   {more}")))]


def with_observed(
    revisions: Sequence[Revision], observed: Mapping[int, Healthy], rollout: Rollout | None
) -> list[Revision]:
    """Return revisions with when they were observed healthy; one that was gone back to also under its old numbers."""
    healthy_now = rollout is not None and rollout.done and not rollout.cause and rollout.severity > Severity.WARN
    found = []
    for revision in revisions:
        earlier = [int(part) for part in revision.was.split(",") if part.strip().isdigit()]
        numbers = [revision.number, *sorted(earlier, reverse=True)]
        seen = next((observed[number] for number in numbers if number in observed), revision.healthy)
        if seen is not None and revision.current and revision.number in observed and healthy_now:
            seen = structs.replace(seen, until=0.0)
        found.append(structs.replace(revision, healthy=seen))
    return found


def health_words(revision: Revision, now: float, *, short: bool = False) -> str:
    """Return "observed healthy 26d, until 02:58", and how much of it was watched where that was much less.

    "inferred" where only the cluster's marks say so, "" where nothing does. `short` stands below a heading that says
    what it is about.
    """
    healthy = revision.healthy
    if healthy is None:
        return revision.mark
    span = (healthy.until or now) - healthy.since
    words = f"observed {age(span)}" if short else f"observed healthy {age(span)}"
    if healthy.until:
        words += f", until {clock(healthy.until) if now - healthy.until < DAY else moment(healthy.until, now)}"
    missed = span - healthy.watched > UNNOTED and 0 < healthy.watched < MOSTLY * span
    return f"{words} ({age(healthy.watched)} watched)" if missed else words


def _revision_row(key: str, revision: Revision, lens: Lens) -> Row:
    severity = Severity.OK
    if revision.current and revision.desired and revision.ready < revision.desired:
        severity = Severity.CRIT if not revision.ready else Severity.WARN
    was = f" (was {revision.was})" if revision.was else ""
    counts = f"{revision.ready}/{revision.desired}" if revision.desired or revision.current else ""
    return Row(
        key,
        (
            lens.badge(severity),
            Span(lens.text(f"{revision.number}{was}"), Tone.STRONG if revision.current else Tone.PLAIN),
            Span(lens.text(" ".join(tag(image) for image in revision.images))),
            Span(lens.age(revision.created_at)),
            Span(lens.name("user", revision.who), Tone.MUTED),
            Span(counts),
            Span(lens.text(health_words(revision, lens.now, short=True)), Tone.MUTED),
            Span(lens.text(revision.change_cause), Tone.MUTED),
        ),
    )


REVISIONS = View(
    id="revisions",
    title="Revisions",
    noun="revision",
    table="revisions",
    sources=(),
    columns=(
        Column("shape", "", 1),
        Column("revision", "REV", 5, weight=1),
        Column("image", "IMAGES", 8, weight=2),
        Column("age", "WHEN", 5, right=True),
        Column("who", "WHO", 8, weight=1, priority=2),
        Column("ready", "READY", 5, right=True),
        Column("mark", "HEALTH", 27, weight=1, priority=1),
        Column("cause", "CAUSE", 8, weight=2, priority=3),
    ),
    row=_revision_row,
    subject=lambda one: Subject(f"{one.number} {one.images} {one.who} {one.change_cause}", "", Severity.OK),
    ref=lambda one: Ref("", "apps", "ReplicaSet", "", one.name, one.uid),
    ranks={"age": lambda one: -one.number, "name": lambda one: one.name},
    empty="the history has not come yet",
)


def _pod_row(key: str, pod: Pod, lens: Lens) -> Row:
    row = pod_rows.present_row(key, pod, lens)
    keep = [index for index, column in enumerate(pod_rows.COLUMNS) if column.key not in ("namespace", "ip")]
    return Row(key, tuple(row.cells[index] for index in keep), row.tone, row.dimmed)


PODS = View(
    id="workload-pods",
    title="Pods",
    noun="pod",
    table="pods",
    sources=("pods",),
    columns=tuple(column for column in pod_rows.COLUMNS if column.key not in ("namespace", "ip")),
    row=_pod_row,
    subject=pod_rows.subject,
    ref=lambda pod: pod.ref,
    ranks=pod_rows.VIEW.ranks,
    resource=POD_KIND,
    empty="it has no pods",
)


def _event_row(key: str, event: KubeEvent, lens: Lens) -> Row:
    row = present_event(key, event, lens)
    return Row(key, (row.cells[0], row.cells[1], row.cells[3], row.cells[4], row.cells[5], row.cells[6]))


EVENTS = View(
    id="workload-events",
    title="Events",
    noun="event",
    table="events",
    sources=(),
    columns=(
        Column("shape", "", 1),
        Column("age", "SEEN", 6, right=True),
        Column("reason", "REASON", 10, weight=1),
        Column("about", "ABOUT", 12, weight=1, priority=2),
        Column("count", "", 5, right=True, priority=1),
        Column("message", "MESSAGE", 16, weight=4),
    ),
    row=_event_row,
    subject=lambda event: Subject(f"{event.reason} {event.message}", event.ref.namespace, Severity.OK),
    ref=lambda event: event.about,
    ranks={"age": lambda event: -event.at, "name": lambda event: event.about.name},
    empty="no events about it in the last hour",
)


def present_diff(old: Revision, new: Revision, lens: Lens) -> tuple[Line, ...]:
    """Return what changed from one revision to another, field by field; values that look secret are masked."""

    def head(revision: Revision) -> str:
        by = f"  by {lens.name('user', revision.who)}" if revision.who else ""
        return f"rev {revision.number}  {moment(revision.created_at, lens.now)}{by}"

    lines: list[Line] = [
        (Span("- ", Tone.WARN), Span(lens.text(head(old)), Tone.MUTED)),
        (Span("+ ", Tone.NOTICE), Span(lens.text(head(new)), Tone.MUTED)),
        (),
    ]
    changes = diff_templates(old.template, new.template)
    if not changes:
        lines.append((Span("The two templates are equal."),))
    for change in changes:
        lines.append((Span(lens.text(change.path), Tone.STRONG),))
        if change.old:
            lines.append((Span("  - ", Tone.WARN), Span(lens.text(change.old, 2000))))
        if change.new:
            lines.append((Span("  + ", Tone.NOTICE), Span(lens.text(change.new, 2000))))
    return tuple(lines)
