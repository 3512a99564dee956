"""The alerting rules of the estate, written as an operator would write them; workloads' names come from the seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.rehearsal.estate.blueprint import App, Blueprint

_MOST_OWN = 40
"""Workloads that have a rule of their own; a large estate has too many for that."""

_Row = tuple[str, str, float, str, str]
"""The name of a rule, its expression, the seconds of its `for:`, its severity and its summary."""

_WAITING = "kube_pod_container_status_waiting_reason"
_MISMATCH = "kube_deployment_spec_replicas > kube_deployment_status_replicas_available"
_STATEFUL = "kube_statefulset_replicas != kube_statefulset_status_replicas_ready"
_SAME = "on (namespace, resourcequota, resource)"
_QUOTA = f'kube_resourcequota{{type="used"}} / {_SAME} kube_resourcequota{{type="hard"}} > 0.9'
_POD = "Pod {{ $labels.namespace }}/{{ $labels.pod }}"
_DEPLOYMENT = "Deployment {{ $labels.namespace }}/{{ $labels.deployment }}"
_WORKLOADS: tuple[_Row, ...] = (
    (
        "KubePodCrashLooping",
        f'max_over_time({_WAITING}{{reason="CrashLoopBackOff"}}[5m]) >= 1',
        120,
        "warning",
        f"{_POD} is crash looping ({{{{ $labels.container }}}}).",
    ),
    (
        "KubeContainerWaiting",
        f'sum by (namespace, pod, container, reason) ({_WAITING}{{reason=~".*ImagePull.*"}}) > 0',
        300,
        "warning",
        f"{_POD}: container {{{{ $labels.container }}}} waits ({{{{ $labels.reason }}}}).",
    ),
    (
        "KubeDeploymentReplicasMismatch",
        _MISMATCH,
        180,
        "warning",
        f"{_DEPLOYMENT} has fewer replicas than it should.",
    ),
    (
        "KubeDeploymentRolloutStuck",
        'kube_deployment_status_condition{condition="Progressing",status="false"} != 0',
        900,
        "warning",
        f"The rollout of {_DEPLOYMENT} is not progressing.",
    ),
    (
        "KubeStatefulSetReplicasMismatch",
        _STATEFUL,
        180,
        "warning",
        "StatefulSet {{ $labels.namespace }}/{{ $labels.statefulset }} misses ready replicas.",
    ),
    (
        "KubeDaemonSetPodsMissing",
        "kube_daemonset_status_desired_number_scheduled > kube_daemonset_status_number_ready",
        300,
        "warning",
        "DaemonSet {{ $labels.namespace }}/{{ $labels.daemonset }} is not ready on every node.",
    ),
    ("KubePodNotScheduled", "kube_pod_status_unschedulable == 1", 180, "warning", f"{_POD} fits on no node."),
    (
        "KubeJobFailed",
        'kube_job_failed{condition="true"} > 0',
        0,
        "warning",
        "Job {{ $labels.namespace }}/{{ $labels.job_name }} failed.",
    ),
    (
        "KubeQuotaAlmostFull",
        _QUOTA,
        900,
        "info",
        "Namespace {{ $labels.namespace }} uses {{ $value | humanizePercentage }} of its quota.",
    ),
)

_CONDITION = "kube_node_status_condition"
_FREE = 'node_filesystem_avail_bytes{mountpoint="/"} / node_filesystem_size_bytes{mountpoint="/"}'
_BUSY = 'sum by (node, instance) (rate(node_cpu_seconds_total{mode!="idle"}[2m]))'
_EVERY = "sum by (node, instance) (rate(node_cpu_seconds_total[2m]))"
_NODE = "Node {{ $labels.node }}"
_NODES: tuple[_Row, ...] = (
    (
        "NodeNotReady",
        f'{_CONDITION}{{condition="Ready",status="true"}} == 0',
        60,
        "critical",
        f"{_NODE} is not ready.",
    ),
    (
        "NodeMemoryPressure",
        f'{_CONDITION}{{condition="MemoryPressure",status="true"}} == 1',
        60,
        "warning",
        f"{_NODE} is short of memory.",
    ),
    (
        "NodeMemoryLow",
        "node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes < 0.1",
        120,
        "warning",
        f"{_NODE} has {{{{ $value | humanizePercentage }}}} of its memory left.",
    ),
    (
        "DiskFull",
        f"{_FREE} < 0.08",
        120,
        "critical",
        f"{_NODE} has {{{{ $value | humanizePercentage }}}} of its disk left.",
    ),
    (
        "NodeCPUSaturated",
        f"{_BUSY} / {_EVERY} > 0.85",
        120,
        "warning",
        f"{_NODE} uses {{{{ $value | humanizePercentage }}}} of its processors.",
    ),
    ("TargetDown", "up == 0", 120, "warning", "{{ $labels.job }} at {{ $labels.instance }} does not answer."),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One alerting rule; `hold` are the seconds of its `for:`. Annotations are templates."""

    name: str
    expr: str
    hold: float
    labels: dict[str, str]
    annotations: dict[str, str]


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated together."""

    name: str
    rules: list[Rule] = field(default_factory=list)

    @property
    def file(self) -> str:
        """Return the file that the group stands in."""
        return f"/etc/prometheus/rules/{self.name.split('.')[0]}.yaml"


class RuleBook:
    """Writes the rules for one plan."""

    def __init__(self, plan: Blueprint) -> None:
        self._plan = plan
        self._runbooks = f"https://runbooks.{plan.company}.example"
        self._boards = f"https://grafana.{plan.company}.example/d"

    def groups(self) -> list[Group]:
        """Return all groups in the order in which they are evaluated."""
        return [self._heartbeat(), *self._services(), self._workloads(), self._nodes(), self._drill()]

    def _rule(self, name: str, expr: str, hold: float, severity: str, summary: str, **more: str) -> Rule:
        board = more.pop("board", "cluster")
        notes = {
            "summary": summary,
            "description": more.pop("description", summary),
            "runbook_url": f"{self._runbooks}/{name}",
            "dashboard": f"{self._boards}/{board}",
        }
        return Rule(name, expr, hold, {"severity": severity, **more}, notes)

    def _heartbeat(self) -> Group:
        summary = "Always fires: when it is missing, alerting itself is broken."
        return Group("general.rules", [self._rule("Watchdog", "vector(1)", 0, "none", summary)])

    def _services(self) -> list[Group]:
        found = []
        own = [one for one in self._plan.deployments() if len(self._plan.apps) <= 4 * _MOST_OWN][:_MOST_OWN]
        for namespace in self._plan.namespaces:
            team = self._plan.teams[namespace]
            rules = [self._errors(namespace, team), self._latency(namespace, team)]
            rules += [self._down(app) for app in own if app.namespace == namespace]
            found.append(Group(f"{namespace}.services", rules))
        return found

    def _errors(self, namespace: str, team: str) -> Rule:
        where = f'namespace="{namespace}"'
        by = "sum by (namespace, service, deployment)"
        expr = (
            f'{by} (rate(http_requests_total{{{where},code=~"5.."}}[2m]))'
            f" / {by} (rate(http_requests_total{{{where}}}[2m])) > 0.05"
        )
        text = "{{ $value | humanizePercentage }} of the requests to {{ $labels.service }} fail."
        board = f"{namespace}-red"
        return self._rule(f"{_camel(namespace)}ErrorRate", expr, 60, "critical", text, team=team, board=board)

    def _latency(self, namespace: str, team: str) -> Rule:
        inner = f'rate(http_request_duration_seconds_bucket{{namespace="{namespace}"}}[5m])'
        expr = f"histogram_quantile(0.95, sum by (namespace, service, deployment, le) ({inner})) > 0.75"
        text = "The slowest 5 % of requests to {{ $labels.service }} take {{ $value | humanizeDuration }}."
        board = f"{namespace}-red"
        return self._rule(f"{_camel(namespace)}LatencyHigh", expr, 120, "warning", text, team=team, board=board)

    def _down(self, app: App) -> Rule:
        where = f'{{namespace="{app.namespace}",deployment="{app.name}"}}'
        expr = f"kube_deployment_status_replicas_available{where} == 0 and kube_deployment_spec_replicas{where} > 0"
        text = f"{app.name} has no replica that can answer."
        board = f"{app.namespace}-workloads"
        return self._rule(f"{_camel(app.name)}Down", expr, 60, "critical", text, team=app.team, board=board)

    def _workloads(self) -> Group:
        return Group("kubernetes-workloads", [self._rule(*row, board="kubernetes-workloads") for row in _WORKLOADS])

    def _nodes(self) -> Group:
        return Group("nodes", [self._rule(*row, board="nodes") for row in _NODES])

    def _drill(self) -> Group:
        text = "Queue at {{ $labels.instance }} holds {{ $value | humanize }} messages."
        return Group("drill", [self._rule("DrillQueueDeep", "drill_queue_depth > 50", 0, "warning", text)])


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))
