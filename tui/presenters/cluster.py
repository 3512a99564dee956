"""Shows nodes, jobs, cron jobs, events and namespaces as tables, worst first."""

from __future__ import annotations

from services.model.cluster import CronJob, Job, KubeEvent, Namespace, Node
from services.model.ref import CRONJOBS, EVENTS, JOBS, NAMESPACES, NODES
from services.model.severity import Severity
from tui.presenters.lens import TONES, Lens, tag
from tui.presenters.terms import Subject
from tui.presenters.view import View
from widgets.viewmodels import Column, Row, Span, Tone


def gibibytes(size: int) -> str:
    """Return bytes as GiB, one decimal below ten."""
    value = size / 2**30
    return f"{value:.1f}Gi" if value < 10 else f"{value:.0f}Gi"


def cores(millicores: int) -> str:
    """Return CPU as kubectl writes it: "500m", "4"."""
    return str(millicores // 1000) if millicores % 1000 == 0 else f"{millicores}m"


def present_node(key: str, node: Node, lens: Lens) -> Row:
    """Return a row of the nodes table."""
    tone = TONES[node.severity]
    return Row(
        key,
        (
            lens.badge(node.severity),
            Span(lens.name("host", node.ref.name)),
            Span(lens.text(node.status), tone),
            Span(lens.text(", ".join(node.pressure)), tone),
            Span(lens.text(node.roles or "-"), Tone.MUTED),
            Span(cores(node.cpu_allocatable)),
            Span(gibibytes(node.memory_allocatable)),
            Span(str(node.pods_allocatable)),
            Span(lens.text(node.version), Tone.MUTED),
            Span(lens.text(node.internal_ip), Tone.MUTED),
            Span(lens.age(node.created_at)),
        ),
    )


NODES_VIEW = View(
    id="nodes",
    title="Nodes",
    noun="node",
    table=NODES.table,
    sources=(NODES.table,),
    columns=(
        Column("shape", "", 1),
        Column("name", "NAME", 16, weight=2),
        Column("status", "STATUS", 12, weight=1),
        Column("pressure", "CONDITIONS", 12, weight=2, priority=1),
        Column("roles", "ROLES", 8, priority=3),
        Column("cpu", "CPU", 5, right=True, priority=2),
        Column("memory", "MEMORY", 7, right=True, priority=2),
        Column("pods", "PODS", 5, right=True, priority=4),
        Column("version", "VERSION", 9, priority=3),
        Column("ip", "IP", 12, priority=5),
        Column("age", "AGE", 6, right=True),
    ),
    row=present_node,
    subject=lambda node: Subject(
        f"{node.ref.name} {node.status} {node.roles} {' '.join(node.pressure)}", "", node.severity, node.labels
    ),
    ref=lambda node: node.ref,
    ranks={
        "status": lambda node: (node.severity, node.ref.name),
        "name": lambda node: node.ref.name,
        "age": lambda node: -node.created_at,
    },
    aliases=("no", "node"),
    resource=NODES,
    empty="no nodes",
)


def present_job(key: str, job: Job, lens: Lens) -> Row:
    """Return a row of the jobs table."""
    tone = TONES[job.severity]
    lasted = (job.finished_at or lens.now) - job.started_at if job.started_at else 0
    return Row(
        key,
        (
            lens.badge(job.severity),
            Span(lens.text(job.ref.namespace), Tone.MUTED),
            Span(lens.text(job.ref.name)),
            Span(lens.text(job.status), tone),
            Span(f"{job.succeeded}/{job.completions}"),
            Span(str(job.failed) if job.failed else "", tone),
            Span(lens.text(f"{job.reason} {job.message}".strip()), tone),
            Span(lens.age(lens.now - lasted) if lasted else ""),
            Span(lens.age(job.created_at)),
        ),
    )


JOBS_VIEW = View(
    id="jobs",
    title="Jobs",
    noun="job",
    table=JOBS.table,
    sources=(JOBS.table,),
    columns=(
        Column("shape", "", 1),
        Column("namespace", "NAMESPACE", 10, weight=1, priority=1),
        Column("name", "NAME", 20, weight=3),
        Column("status", "STATUS", 9),
        Column("completions", "DONE", 6, right=True),
        Column("failed", "FAILED", 6, right=True, priority=2),
        Column("why", "WHY", 12, weight=3, priority=3),
        Column("lasted", "LASTED", 7, right=True, priority=2),
        Column("age", "AGE", 6, right=True),
    ),
    row=present_job,
    subject=lambda job: Subject(
        f"{job.ref.namespace}/{job.ref.name} {job.status} {job.reason}", job.ref.namespace, job.severity, job.labels
    ),
    ref=lambda job: job.ref,
    ranks={
        "status": lambda job: (job.severity, -job.created_at),
        "name": lambda job: job.ref.name,
        "namespace": lambda job: (job.ref.namespace, job.ref.name),
        "age": lambda job: -job.created_at,
    },
    aliases=("job",),
    resource=JOBS,
    empty="no jobs here",
)


def present_cronjob(key: str, job: CronJob, lens: Lens) -> Row:
    """Return a row of the cron jobs table."""
    return Row(
        key,
        (
            lens.badge(Severity.NOTICE if job.suspended else Severity.OK),
            Span(lens.text(job.ref.namespace), Tone.MUTED),
            Span(lens.text(job.ref.name)),
            Span(lens.text(job.schedule)),
            Span("suspended" if job.suspended else "", Tone.NOTICE),
            Span(str(job.active)),
            Span(lens.age(job.last_scheduled_at)),
            Span(lens.age(job.last_succeeded_at)),
            Span(lens.text(tag(job.images[0])) if job.images else ""),
            Span(lens.age(job.created_at)),
        ),
    )


def _cronjob_subject(job: CronJob) -> Subject:
    severity = Severity.NOTICE if job.suspended else Severity.OK
    return Subject(f"{job.ref.namespace}/{job.ref.name} {job.schedule}", job.ref.namespace, severity, job.labels)


CRONJOBS_VIEW = View(
    id="cronjobs",
    title="Cron jobs",
    noun="cron job",
    table=CRONJOBS.table,
    sources=(CRONJOBS.table,),
    columns=(
        Column("shape", "", 1),
        Column("namespace", "NAMESPACE", 10, weight=1, priority=1),
        Column("name", "NAME", 20, weight=3),
        Column("schedule", "SCHEDULE", 14),
        Column("suspended", "", 9),
        Column("active", "ACTIVE", 6, right=True, priority=2),
        Column("last", "LAST", 6, right=True),
        Column("ok", "LAST OK", 7, right=True, priority=2),
        Column("image", "IMAGE", 10, weight=1, priority=3),
        Column("age", "AGE", 6, right=True),
    ),
    row=present_cronjob,
    subject=_cronjob_subject,
    ref=lambda job: job.ref,
    ranks={
        "name": lambda job: (job.ref.namespace, job.ref.name),
        "age": lambda job: -job.created_at,
        "namespace": lambda job: (job.ref.namespace, job.ref.name),
    },
    aliases=("cj", "cronjob"),
    resource=CRONJOBS,
    empty="no cron jobs here",
)


def _event_severity(event: KubeEvent) -> Severity:
    return Severity.WARN if event.type == "Warning" else Severity.OK


def present_event(key: str, event: KubeEvent, lens: Lens) -> Row:
    """Return a row of the events table."""
    severity = _event_severity(event)
    about = f"{event.about.kind.lower()}/{event.about.name}"
    return Row(
        key,
        (
            lens.badge(severity),
            Span(lens.age(event.at)),
            Span(lens.text(event.ref.namespace), Tone.MUTED),
            Span(lens.text(event.reason), TONES[severity]),
            Span(lens.text(about)),
            Span(f"x{event.count}" if event.count > 1 else ""),
            Span(lens.text(event.message)),
        ),
    )


EVENTS_VIEW = View(
    id="events",
    title="Events",
    noun="event",
    table=EVENTS.table,
    sources=(EVENTS.table,),
    columns=(
        Column("shape", "", 1),
        Column("age", "SEEN", 6, right=True),
        Column("namespace", "NAMESPACE", 10, weight=1, priority=2),
        Column("reason", "REASON", 14, weight=1),
        Column("about", "ABOUT", 18, weight=2),
        Column("count", "COUNT", 5, right=True, priority=1),
        Column("message", "MESSAGE", 16, weight=5),
    ),
    row=present_event,
    subject=lambda event: Subject(
        f"{event.ref.namespace} {event.reason} {event.about.kind}/{event.about.name} {event.message}",
        event.ref.namespace,
        _event_severity(event),
    ),
    ref=lambda event: event.about,
    ranks={
        "age": lambda event: -event.at,
        "status": lambda event: (_event_severity(event), -event.at),
        "namespace": lambda event: (event.ref.namespace, -event.at),
        "name": lambda event: event.about.name,
    },
    aliases=("ev", "event"),
    resource_of=lambda _: None,
    empty="no events: the server keeps them for an hour",
)


def present_namespace(key: str, namespace: Namespace, lens: Lens) -> Row:
    """Return a row of the namespaces table."""
    severity = Severity.OK if namespace.phase == "Active" else Severity.WARN
    return Row(
        key,
        (
            lens.badge(severity),
            Span(lens.text(namespace.ref.name)),
            Span(lens.text(namespace.phase), TONES[severity]),
            Span(lens.text(" ".join(namespace.labels[:4])), Tone.MUTED),
            Span(lens.age(namespace.created_at)),
        ),
    )


NAMESPACES_VIEW = View(
    id="namespaces",
    title="Namespaces",
    noun="namespace",
    table=NAMESPACES.table,
    sources=(NAMESPACES.table,),
    columns=(
        Column("shape", "", 1),
        Column("name", "NAME", 20, weight=2),
        Column("phase", "PHASE", 11),
        Column("labels", "LABELS", 10, weight=3, priority=1),
        Column("age", "AGE", 6, right=True),
    ),
    row=present_namespace,
    subject=lambda namespace: Subject(
        f"{namespace.ref.name} {namespace.phase}",
        namespace.ref.name,
        Severity.OK if namespace.phase == "Active" else Severity.WARN,
        namespace.labels,
    ),
    ref=lambda namespace: namespace.ref,
    ranks={
        "name": lambda namespace: namespace.ref.name,
        "status": lambda namespace: (namespace.phase == "Active", namespace.ref.name),
        "age": lambda namespace: -namespace.created_at,
    },
    aliases=("ns", "namespace"),
    resource=NAMESPACES,
    empty="no namespaces",
)
