"""Shows pods as kubectl does, worst first, with the reason on the row."""

from __future__ import annotations

from operator import attrgetter

from services.model.ref import PODS
from services.model.severity import Severity
from services.model.workload import Pod
from tui.presenters.lens import TONES, Lens
from tui.presenters.terms import Subject
from tui.presenters.view import View
from widgets.viewmodels import Column, Row, Span, Tone

COLUMNS = (
    Column("shape", "", 1),
    Column("namespace", "NAMESPACE", 10, weight=1, priority=1),
    Column("name", "NAME", 20, weight=3),
    Column("ready", "READY", 5, right=True),
    Column("status", "STATUS", 16),
    Column("restarts", "RESTARTS", 8, right=True),
    Column("why", "WHY", 10, weight=4, priority=2),
    Column("ip", "IP", 12, priority=5),
    Column("node", "NODE", 10, weight=1, priority=3),
    Column("age", "AGE", 6, right=True),
)


def why(pod: Pod) -> str:
    """Return what explains the pod's trouble, "" for a healthy one."""
    if pod.unschedulable:
        return pod.unschedulable
    trouble = pod.trouble
    if trouble is None:
        return ""
    parts = []
    if trouble.last_exit_code is not None:
        parts.append(f"exit {trouble.last_exit_code} {trouble.last_reason}".strip())
    elif trouble.exit_code is not None:
        parts.append(f"exit {trouble.exit_code}")
    if trouble.last_message or trouble.message:
        parts.append(trouble.last_message or trouble.message)
    return f"{trouble.name}: {', '.join(parts)}" if parts else ""


def subject(pod: Pod) -> Subject:
    """Return what a filter looks at."""
    text = f"{pod.ref.namespace}/{pod.ref.name} {pod.status} {pod.node}"
    return Subject(text, pod.ref.namespace, pod.severity, pod.labels)


def present_row(key: str, pod: Pod, lens: Lens) -> Row:
    """Return a row of the pods table."""
    tone = TONES[pod.severity]
    restarts = str(pod.restarts)
    if pod.restarts and pod.last_restart_at:
        restarts = f"{restarts} {lens.age(pod.last_restart_at)}"
    cells = (
        lens.badge(pod.severity),
        Span(lens.text(pod.ref.namespace), Tone.MUTED),
        Span(lens.text(pod.ref.name), tone if pod.severity is Severity.CRIT else Tone.PLAIN),
        Span(f"{pod.ready}/{pod.containers}", tone),
        Span(lens.text(pod.status), tone),
        Span(restarts),
        Span(lens.text(why(pod))),
        Span(lens.text(pod.ip), Tone.MUTED),
        Span(lens.name("host", pod.node), Tone.MUTED),
        Span(lens.age(pod.created_at)),
    )
    return Row(key, cells, dimmed=pod.status in ("Completed", "Succeeded"))


VIEW = View(
    id="pods",
    title="Pods",
    noun="pod",
    table="pods",
    sources=("pods",),
    columns=COLUMNS,
    row=present_row,
    subject=subject,
    severity=attrgetter("severity"),
    ref=lambda pod: pod.ref,
    ranks={
        "status": attrgetter("severity", "ref.namespace", "ref.name"),
        "name": attrgetter("ref.name"),
        "namespace": attrgetter("ref.namespace", "ref.name"),
        "age": lambda pod: -pod.created_at,
        "restarts": lambda pod: (-pod.restarts, pod.ref.namespace, pod.ref.name),
        "node": attrgetter("node", "ref.namespace", "ref.name"),
    },
    aliases=("po", "pod"),
    resource=PODS,
    empty="no pods here",
)
