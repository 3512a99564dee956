"""A recorded moment of one cluster at 03:14 on a Saturday: what the README's pictures and the screen tests show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cache.live import LiveState
from screenshots.scene_costs import cost_tables, incident_table
from services.clock import ManualClock
from services.model.cluster import (
    CronJob,
    Job,
    KubeEvent,
    Namespace,
    Node,
    Symptom,
    TableColumn,
    TableInfo,
    TableRow,
    Usage,
)
from services.model.ref import CRONJOBS, JOBS, NAMESPACES, NODES, Ref, Resource
from services.model.severity import Severity
from services.model.source import SourceState, SourceStatus
from services.model.timeline import Event, EventKind
from services.model.workload import ContainerState, Owner, Pod, ReplicaSetInfo, Rollout, Workload
from services.ports import Replace

NOW = 1_793_416_447.0
"""2026-10-31 03:14:07 UTC, a Saturday."""

CLUSTER = "prod-eu-1"
SOURCES = (
    "kubernetes",
    *(
        f"kubernetes/{table}"
        for table in (
            "deployments.apps",
            "statefulsets.apps",
            "daemonsets.apps",
            "replicasets.apps",
            "pods",
            "nodes",
            "jobs.batch",
            "cronjobs.batch",
            "events",
            "namespaces",
        )
    ),
)
INGRESSES = Resource("networking.k8s.io", "v1", "ingresses", "Ingress")
HEALTHY_APPS = ("billing", "ledger", "gateway", "session", "catalog", "pricing", "stock", "mailer", "report", "audit")
NAMESPACES_USED = ("payments", "shop", "platform", "data", "search", "media", "identity", "edge")


def ref(kind: str, namespace: str, name: str, group: str = "apps") -> Ref:
    """Return the identity of an object of the scene."""
    return Ref(CLUSTER, group, kind, namespace, name, f"uid-{kind.lower()}-{namespace}-{name}")


def rollout(  # noqa: PLR0913 - a scene names everything it shows
    namespace: str,
    name: str,
    ready: int,
    desired: int,
    severity: Severity = Severity.OK,
    *,
    kind: str = "Deployment",
    revision: int = 3,
    tags: tuple[str, str] = ("v1.2.0", "v1.3.0"),
    what: str = "",
    cause: str = "",
    last_words: str = "",
    status: str = "",
    since: float = 0.0,
    deadline_at: float = 0.0,
    restarts: int = 0,
    age: float = 26 * 86400.0,
    recovered_at: float = 0.0,
) -> Rollout:
    """Return one workload joined with what explains it."""
    workload = Workload(
        ref(kind, namespace, name),
        generation=7,
        observed_generation=7,
        spec_replicas=desired,
        desired=desired,
        replicas=desired,
        ready=ready,
        updated=desired,
        available=ready,
        created_at=NOW - age,
        revision=str(revision),
        images=(f"registry.example/{namespace}/{name}:{tags[1]}",),
        strategy="RollingUpdate",
        progress_deadline=600,
        labels=(f"app={name}", f"team={namespace}"),
        selector=f"app={name}",
    )
    return Rollout(
        workload,
        severity,
        status or f'deployment "{name}" successfully rolled out',
        done=not status,
        what=what,
        cause=cause,
        last_words=last_words,
        deadline_at=deadline_at,
        since=NOW - since if since else 0.0,
        revision=revision,
        previous_revision=revision - 1,
        previous_images=(f"registry.example/{namespace}/{name}:{tags[0]}",),
        restarts=restarts,
        recovered_at=recovered_at,
    )


def workloads() -> dict[str, Rollout]:
    """Return 214 workloads: two in deep trouble, one on its way, one just recovered, the others well."""
    rows = [
        rollout(
            "payments", "checkout", 3, 5, Severity.CRIT, revision=42, tags=("v1.8.2", "v1.8.3"),
            what="quota: cpu exceeded",
            cause='pods "checkout-6f5d" is forbidden: exceeded quota: compute, requested: cpu=500m, limited: cpu=10',
            status='Waiting for deployment "checkout" rollout to finish: 3 out of 5 new replicas have been updated...',
            since=840, deadline_at=NOW + 170,
        ),
        rollout(
            "shop", "cart", 0, 3, Severity.CRIT, revision=17, tags=("v2.0.0", "v2.0.1"),
            what="CrashLoop exit 1, x7", cause="3 pods crash at start: container app exited with 1 (Error), 7 restarts",
            last_words="sqlite3.OperationalError: no such column: vat",
            status='Waiting for deployment "cart" rollout to finish: 0 of 3 updated replicas are available...',
            since=360, restarts=21,
        ),
        rollout(
            "shop", "search", 4, 5, Severity.WARN, revision=9, tags=("v0.9.1", "v0.9.2"), what="updating 3 of 5",
            status='Waiting for deployment "search" rollout to finish: 3 out of 5 new replicas have been updated...',
            since=40, deadline_at=NOW + 560,
        ),
        rollout("identity", "login", 4, 4, recovered_at=NOW - 130, revision=12),
    ]  # fmt: skip
    for index in range(210):
        app, namespace = HEALTHY_APPS[index % 10], NAMESPACES_USED[index % 8]
        rows.append(rollout(namespace, f"{app}-{index // 10:02d}", 3, 3, revision=1 + index % 9))
    return {f"{row.ref.kind}/{row.ref.key}": row for row in rows}


def pods() -> dict[str, Pod]:
    """Return the pods of the workloads in trouble, and a few healthy ones."""
    rows: list[Pod] = []
    cart = Owner("ReplicaSet", "cart-7d9", "uid-rs-cart")
    crash = ContainerState(
        "app", "CrashLoopBackOff", "back-off 5m0s restarting failed container", None, 7, "Error", 1,
        "sqlite3.OperationalError: no such column: vat",
    )  # fmt: skip
    for index, suffix in enumerate(("2xk", "9qd", "m4t")):
        rows.append(
            Pod(
                ref("Pod", "shop", f"cart-7d9-{suffix}", ""), "CrashLoopBackOff", Severity.CRIT, 0, 1, 7, NOW - 960,
                "Running", f"node-{index + 3:03d}", f"10.4.{index}.17", cart, NOW - 40, crash,
                container_names=("app",), labels=("app=cart", "team=shop"),
                cpu_request=250, memory_request=256 << 20, memory_limit=512 << 20,
            )
        )  # fmt: skip
    checkout = Owner("ReplicaSet", "checkout-6f5", "uid-rs-checkout")
    rows += [_healthy_pod("payments", "checkout", f"checkout-6f5-{'abc'[at]}7x", checkout, at) for at in range(3)]
    search = Owner("ReplicaSet", "search-55c", "uid-rs-search")
    rows += [_healthy_pod("shop", "search", f"search-55c-{'defg'[at]}2k", search, at) for at in range(4)]
    return {pod.ref.key: pod for pod in rows}


def _healthy_pod(namespace: str, app: str, name: str, owner: Owner, index: int) -> Pod:
    return Pod(
        ref("Pod", namespace, name, ""), "Running", Severity.OK, 1, 1, 0, NOW - 3 * 86400, "Running",
        f"node-{index + 1:03d}", f"10.4.{index}.9", owner, container_names=("app",),
        labels=(f"app={app}", f"team={namespace}"),
        cpu_request=500, memory_request=512 << 20, memory_limit=1 << 30,
    )  # fmt: skip


def replicasets() -> dict[str, ReplicaSetInfo]:
    """Return the ReplicaSets that join pods and workloads."""
    rows = {}
    for namespace, app, name, uid, revision in (
        ("shop", "cart", "cart-7d9", "uid-rs-cart", 17),
        ("payments", "checkout", "checkout-6f5", "uid-rs-checkout", 42),
        ("shop", "search", "search-55c", "uid-rs-search", 9),
    ):
        owner = Owner("Deployment", app, f"uid-deployment-{namespace}-{app}")
        identity = Ref(CLUSTER, "apps", "ReplicaSet", namespace, name, uid)
        rows[identity.key] = ReplicaSetInfo(identity, owner, revision, "", 3, 3, 0, (), NOW - 960)
    return rows


def cluster_tables() -> dict[str, Mapping[str, Any]]:
    """Return nodes, jobs, cron jobs, events, namespaces, and one kind shown through the server's Table."""
    nodes = {}
    for index in range(1, 13):
        bad = index == 7
        node = ref("Node", "", f"node-{index:03d}", "")
        nodes[node.key] = Node(
            node, "NotReady" if bad else "Ready", Severity.CRIT if bad else Severity.OK, NOW - 90 * 86400, "worker",
            "v1.36.3", f"10.0.0.{index}", pressure=("MemoryPressure",) if bad else (), cpu_allocatable=8000,
            memory_allocatable=32 << 30, pods_allocatable=110,
        )  # fmt: skip
    job = ref("Job", "data", "nightly-export-29", "batch")
    cron = ref("CronJob", "data", "nightly-export", "batch")
    event = ref("Event", "shop", "cart-7d9-2xk.17c", "")
    about = ref("Pod", "shop", "cart-7d9-2xk", "")
    ingress = ref("Ingress", "shop", "storefront", "networking.k8s.io")
    columns = (TableColumn("Name"), TableColumn("Class"), TableColumn("Hosts"), TableColumn("Age"))
    return {
        NODES.table: nodes,
        JOBS.table: {
            job.key: Job(
                job, "Failed", Severity.WARN, NOW - 7200, failed=3, started_at=NOW - 7200, finished_at=NOW - 7000,
                reason="BackoffLimitExceeded", message="Job has reached the specified backoff limit",
            )
        },
        CRONJOBS.table: {cron.key: CronJob(cron, "15 1 * * *", False, NOW - 200 * 86400, 0, NOW - 7200, NOW - 93600)},
        "events": {
            event.key: KubeEvent(
                event, about, "Warning", "BackOff", "Back-off restarting failed container app", NOW - 20,
                NOW - 900, 31, "kubelet",
            )
        },
        NAMESPACES.table: {
            name: Namespace(ref("Namespace", "", name, ""), "Active", NOW - 300 * 86400) for name in NAMESPACES_USED
        },
        INGRESSES.printed: {
            ingress.key: TableRow(ingress, ("storefront", "nginx", "shop.example", "80d"), NOW - 80 * 86400)
        },
        "columns": {INGRESSES.table: TableInfo(INGRESSES, columns)},
    }  # fmt: skip


def events() -> list[Event]:
    """Return the timeline of the last hour."""
    told = [
        (840, EventKind.ROLLOUT, "payments", "checkout", "rev 42  v1.8.2→v1.8.3", Severity.NOTICE),
        (960, EventKind.ROLLOUT, "shop", "cart", "rev 17  v2.0.0→v2.0.1", Severity.NOTICE),
        (360, EventKind.UNHEALTHY, "shop", "cart", "CrashLoop exit 1", Severity.CRIT),
        (130, EventKind.RECOVERED, "identity", "login", "recovered", Severity.OK),
        (40, EventKind.ROLLOUT, "shop", "search", "rev 9  v0.9.1→v0.9.2", Severity.NOTICE),
    ]
    return [
        Event(f"e{index}", NOW - ago, NOW - ago, kind, ref("Deployment", namespace, name), text, severity)
        for index, (ago, kind, namespace, name, text, severity) in enumerate(told)
    ]


def live(clock: ManualClock | None = None, state: SourceState = SourceState.LIVE, error: str = "") -> LiveState:
    """Return live state that holds the scene; `state` and `error` are those of the connection."""
    feed = LiveState(clock or ManualClock(NOW))
    tables: dict[str, Mapping[str, Any]] = {
        "rollouts": workloads(),
        "pods": pods(),
        "replicasets.apps": replicasets(),
        "symptoms": symptoms(),
        "usage.pods": {pod.ref.key: Usage(pod.ref, 180, 300 << 20, NOW) for pod in pods().values() if pod.ready},
        **cluster_tables(),
        **cost_tables(NOW),
        **incident_table(NOW, CLUSTER),
    }
    for name, rows in tables.items():
        feed.apply("scene", Replace(name, rows))
    feed.happened(events())
    failed = state is SourceState.FAILED
    feed.status(SourceStatus("costs", state, NOW, NOW, NOW - 600, "the cluster does not answer" if failed else ""))
    feed.status(SourceStatus("incidents", SourceState.LIVE, NOW, NOW, NOW - 600))
    for source in SOURCES:
        last = NOW - 17 if failed else NOW
        feed.status(SourceStatus(source, state, last, last, NOW - 15 if failed else NOW - 600, error))
    return feed


def symptoms() -> dict[str, Symptom]:
    """Return what is wrong with the cluster itself."""
    return {
        "nodes": Symptom("nodes", Severity.CRIT, "1 node not ready: node-007", 1, NOW - 120, "nodes"),
        "jobs": Symptom("jobs", Severity.WARN, "1 job failed: data/nightly-export-29", 1, NOW - 7000, "jobs"),
    }
