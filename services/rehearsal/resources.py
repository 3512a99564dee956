"""The resources that the server knows: their names, scopes and short names."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False, slots=True)
class Resource:
    """One served resource; compared by identity."""

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[tuple[str, str], ...] = ()
    verbs: tuple[str, ...] = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
    custom: bool = False
    key: str = field(init=False, default="")

    def __post_init__(self) -> None:
        """Derive the storage key, `plural.group`."""
        object.__setattr__(self, "key", f"{self.plural}.{self.group}" if self.group else self.plural)

    @property
    def api_version(self) -> str:
        """Return `group/version`, or `version` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """Return the lower-case kind."""
        return self.kind.lower()


_ALL = ("all",)
_SCALED = (("scale", "Scale"), ("status", ""))
_STATUS = (("status", ""),)

NAMESPACES = Resource("namespaces", "Namespace", namespaced=False, short=("ns",), subresources=_STATUS)
NODES = Resource("nodes", "Node", namespaced=False, short=("no",), subresources=_STATUS)
PODS = Resource(
    "pods",
    "Pod",
    short=("po",),
    categories=_ALL,
    subresources=(("eviction", "Eviction"), ("log", "Pod"), ("status", "")),
)
EVENTS = Resource("events", "Event", short=("ev",))
SERVICES = Resource("services", "Service", short=("svc",), categories=_ALL, subresources=_STATUS)
CONFIG_MAPS = Resource("configmaps", "ConfigMap", short=("cm",))
SECRETS = Resource("secrets", "Secret")
SERVICE_ACCOUNTS = Resource("serviceaccounts", "ServiceAccount", short=("sa",))
CLAIMS = Resource("persistentvolumeclaims", "PersistentVolumeClaim", short=("pvc",), subresources=_STATUS)
QUOTAS = Resource("resourcequotas", "ResourceQuota", short=("quota",), subresources=_STATUS)
DEPLOYMENTS = Resource("deployments", "Deployment", "apps", short=("deploy",), categories=_ALL, subresources=_SCALED)
REPLICA_SETS = Resource("replicasets", "ReplicaSet", "apps", short=("rs",), categories=_ALL, subresources=_SCALED)
STATEFUL_SETS = Resource("statefulsets", "StatefulSet", "apps", short=("sts",), categories=_ALL, subresources=_SCALED)
DAEMON_SETS = Resource("daemonsets", "DaemonSet", "apps", short=("ds",), categories=_ALL, subresources=_STATUS)
CONTROLLER_REVISIONS = Resource("controllerrevisions", "ControllerRevision", "apps")
JOBS = Resource("jobs", "Job", "batch", categories=_ALL, subresources=_STATUS)
CRON_JOBS = Resource("cronjobs", "CronJob", "batch", short=("cj",), categories=_ALL, subresources=_STATUS)
EVENTS_V1 = Resource("events", "Event", "events.k8s.io", short=("ev",), verbs=("get", "list", "watch"))
ENDPOINT_SLICES = Resource("endpointslices", "EndpointSlice", "discovery.k8s.io")
INGRESSES = Resource("ingresses", "Ingress", "networking.k8s.io", short=("ing",), subresources=_STATUS)
AUTOSCALERS = Resource(
    "horizontalpodautoscalers",
    "HorizontalPodAutoscaler",
    "autoscaling",
    "v2",
    short=("hpa",),
    categories=_ALL,
    subresources=_STATUS,
)
BUDGETS = Resource("poddisruptionbudgets", "PodDisruptionBudget", "policy", short=("pdb",), subresources=_STATUS)
LEASES = Resource("leases", "Lease", "coordination.k8s.io")
DEFINITIONS = Resource(
    "customresourcedefinitions",
    "CustomResourceDefinition",
    "apiextensions.k8s.io",
    namespaced=False,
    short=("crd", "crds"),
    categories=("api-extensions",),
    subresources=_STATUS,
)
ROLLOUTS = Resource(
    "rollouts",
    "Rollout",
    "argoproj.io",
    "v1alpha1",
    short=("ro",),
    subresources=_SCALED,
    custom=True,
)
"""Argo Rollouts; served where an estate is asked for them."""

BUILT_IN: tuple[Resource, ...] = (
    NAMESPACES,
    NODES,
    PODS,
    EVENTS,
    SERVICES,
    CONFIG_MAPS,
    SECRETS,
    SERVICE_ACCOUNTS,
    CLAIMS,
    QUOTAS,
    DEPLOYMENTS,
    REPLICA_SETS,
    STATEFUL_SETS,
    DAEMON_SETS,
    CONTROLLER_REVISIONS,
    JOBS,
    CRON_JOBS,
    EVENTS_V1,
    ENDPOINT_SLICES,
    INGRESSES,
    AUTOSCALERS,
    BUDGETS,
    LEASES,
    DEFINITIONS,
)

BY_KIND: dict[str, Resource] = {r.kind: r for r in BUILT_IN if r is not EVENTS_V1}
