"""Names a thing for good: by cluster identity and uid, never by a context's name or a cursor's position."""

from __future__ import annotations

from msgspec import Struct


class Resource(Struct, frozen=True, gc=False, order=True):
    """One kind as the API server serves it.

    `group` is "" for the core group; `plural` is the path segment ("pods"), `kind` the type's name ("Pod").
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def table(self) -> str:
        """The live-state table that holds this kind: "pods", "deployments.apps"."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def printed(self) -> str:
        """The live-state table of what the server prints of this kind: of its own, as the kind may be decoded too."""
        return f"{self.table} printed"

    @property
    def api_version(self) -> str:
        """`apiVersion` as a manifest writes it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the REST path of the collection, of one object, or of its subresource."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [root]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


class Ref(Struct, frozen=True, gc=False, order=True):
    """The identity of one object. `uid` is "" only while the object itself has not been fetched yet."""

    cluster: str
    group: str
    kind: str
    namespace: str
    name: str
    uid: str = ""

    @property
    def key(self) -> str:
        """The key inside a live-state table: "namespace/name", or "name" where there is no namespace."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def ref_of(row: object) -> Ref | None:
    """Return the identity of an object, whatever kind of row it is; None of what is no object of a cluster."""
    ref = getattr(row, "ref", None)
    return ref if isinstance(ref, Ref) else None


PODS = Resource("", "v1", "pods", "Pod")
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
EVENTS = Resource("", "v1", "events", "Event")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
STATEFULSETS = Resource("apps", "v1", "statefulsets", "StatefulSet")
DAEMONSETS = Resource("apps", "v1", "daemonsets", "DaemonSet")
CONFIGMAPS = Resource("", "v1", "configmaps", "ConfigMap")
REPLICASETS = Resource("apps", "v1", "replicasets", "ReplicaSet")
CONTROLLERREVISIONS = Resource("apps", "v1", "controllerrevisions", "ControllerRevision")
JOBS = Resource("batch", "v1", "jobs", "Job")
CRONJOBS = Resource("batch", "v1", "cronjobs", "CronJob")
ARGO_ROLLOUTS = Resource("argoproj.io", "v1alpha1", "rollouts", "Rollout")
ANALYSISRUNS = Resource("argoproj.io", "v1alpha1", "analysisruns", "AnalysisRun")

WORKLOAD_KINDS = (DEPLOYMENTS, STATEFULSETS, DAEMONSETS, ARGO_ROLLOUTS)

ALERTS = Resource("", "v2", "alerts", "Alert", namespaced=False)
SILENCES = Resource("", "v2", "silences", "Silence", namespaced=False)
ALERTMANAGERS = Resource("", "v2", "alertmanagers", "Alertmanager", namespaced=False)
"""What Alertmanagers hold, as actions name it: no kinds of any API server. Their tables are named alike."""
