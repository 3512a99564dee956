"""Fill a control plane with an estate of chosen size and wait until it is at rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from . import manifests
from .manifests import Manifest
from .plane import ControlPlane
from .process import PlaneError, until

Report = Callable[[str], None]

PLURALS = {
    "Namespace": "namespaces",
    "Node": "nodes",
    "Service": "services",
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "DaemonSet": "daemonsets",
    "Job": "jobs",
    "CronJob": "cronjobs",
    "Ingress": "ingresses",
}


@dataclass(frozen=True)
class Estate:
    """How big the estate is. Deployments are dealt out over the namespaces in turn; ``replicas`` is for each."""

    nodes: int = 6
    deployments: int = 24
    replicas: int = 3
    namespaces: int = 10
    containers: int = 1
    variables: int = 4
    other_kinds: bool = True
    """Also a StatefulSet, a DaemonSet, a Job, a CronJob, Services, an Ingress, and a second revision of some."""
    instant: bool = False
    """Simulated pods become ready in one step, not in two."""

    @property
    def pods(self) -> int:
        """How many pods the Deployments make."""
        return self.deployments * self.replicas


SMALL = Estate()
BIG = Estate(
    nodes=60, deployments=500, replicas=20, namespaces=10, containers=2, variables=30, other_kinds=False, instant=True
)
"""Ten thousand pods, of which each is about 9 kB of JSON."""


def populate(plane: ControlPlane, estate: Estate, report: Report = lambda _line: None) -> float:
    """Create ``estate`` on ``plane``, wait until every workload is ready, and return the seconds that waiting took.

    What exists already is left as it is. Raises PlaneError when the server refuses an object or the estate does not
    come to rest within a minute and 0.1 s a pod (ten thousand take 2 to 6 minutes on two cores).
    """
    names = [manifests.numbered(manifests.TEAMS, index) for index in range(estate.namespaces)]
    create(plane, ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names))
    create(plane, (manifests.node(index) for index in range(estate.nodes)))
    report(f"{estate.nodes} nodes, {len(names)} namespaces; creating {estate.deployments} Deployments")
    create(plane, (_deployment(estate, names, index) for index in range(estate.deployments)))
    if estate.other_kinds:
        create(plane, _other_kinds(names))
    waited = await_rest(plane, 60 + estate.pods * 0.1, report)
    if estate.other_kinds:
        _second_revisions(plane, names)
        waited += await_rest(plane, 60, report)
    return waited


def create(plane: ControlPlane, items: Iterable[Manifest]) -> None:
    """Create each manifest, eight at a time; one that exists already is left alone."""
    api = plane.api()

    def post(item: Manifest) -> None:
        answer = api.post(collection(item), json=item)
        if answer.status_code not in (201, 409):
            name = f"{item['kind']} {item['metadata']['name']}"
            raise PlaneError(f"the server refused {name}: {answer.status_code} {answer.text[:300]}")

    with ThreadPoolExecutor(8) as pool:
        for _done in pool.map(post, items):
            pass


def collection(item: Manifest) -> str:
    """Name the path that objects of this kind and namespace are posted to."""
    version = item["apiVersion"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = item["metadata"].get("namespace")
    return f"{root}/namespaces/{namespace}/{PLURALS[item['kind']]}" if namespace else f"{root}/{PLURALS[item['kind']]}"


def await_rest(plane: ControlPlane, seconds: float, report: Report = lambda _line: None) -> float:
    """Wait until each Deployment, StatefulSet and DaemonSet has all its pods updated and ready."""
    said = 0

    def at_rest() -> bool:
        nonlocal said
        ready, wanted, unsettled = 0, 0, 0
        for kind in ("deployments", "statefulsets", "daemonsets"):
            answer = plane.api().get(f"/apis/apps/v1/{kind}", params={"resourceVersion": "0"})
            for item in answer.raise_for_status().json()["items"]:
                have, want, settled = progress(item)
                ready, wanted, unsettled = ready + have, wanted + want, unsettled + (not settled)
        if ready >= said + 1000 or unsettled == 0:
            said = ready
            report(f"{ready} of {wanted} pods ready")
        return unsettled == 0

    # each question is a list of every workload: a big estate is asked less often than it is built
    return until(at_rest, seconds, "the estate coming to rest", every=0.5 if seconds < 120 else 4.0)


def progress(item: dict[str, Any]) -> tuple[int, int, bool]:
    """Read (ready pods, wanted pods, whether the last change is rolled out) from a workload of the apps group."""
    status = item.get("status", {})
    if "desiredNumberScheduled" in status:
        wanted, updated = status["desiredNumberScheduled"], status.get("updatedNumberScheduled", 0)
        ready, total = status.get("numberReady", 0), status.get("currentNumberScheduled", 0)
    else:
        wanted, updated = item["spec"].get("replicas", 1), status.get("updatedReplicas", 0)
        ready, total = status.get("readyReplicas", 0), status.get("replicas", 0)
    observed = status.get("observedGeneration", 0) >= item["metadata"]["generation"]
    return ready, wanted, observed and ready == wanted == updated == total


def _deployment(estate: Estate, names: list[str], index: int) -> Manifest:
    namespace = names[index % len(names)]
    app = manifests.numbered(manifests.SERVICES, index // len(names))
    image = f"registry.example/{namespace}/{app}:{manifests.version(namespace + app)}"
    template = manifests.pod_template(app, image, estate.containers, estate.variables)
    if estate.instant:
        template["metadata"]["annotations"] = {"controlplane/instant": "true"}
    return manifests.workload("Deployment", namespace, app, template, replicas=estate.replicas)


def _other_kinds(names: list[str]) -> list[Manifest]:
    first, last = names[0], names[-1]
    database = manifests.pod_template("database", "registry.example/data/postgres:17.6", variables=6)
    agent = manifests.pod_template("node-agent", "registry.example/ops/node-agent:0.48.1")
    migrate = manifests.job_template("migrate-orders", f"registry.example/{first}/migrate:4.2.0", "3s")
    reindex = manifests.job_template("reindex", f"registry.example/{first}/reindex:2.0.3", "20s")
    return [
        manifests.workload("StatefulSet", first, "database", database, replicas=3, serviceName="database"),
        manifests.workload("DaemonSet", last, "node-agent", agent),
        {"apiVersion": "batch/v1", "kind": "Job", **_named(migrate, first, "migrate-orders")},
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "reindex", "namespace": first},
            "spec": {"schedule": "*/5 * * * *", "jobTemplate": reindex, "successfulJobsHistoryLimit": 3},
        },
        *(manifests.service(name, "web") for name in names),
        manifests.ingress(first, "web"),
    ]


def _named(template: Manifest, namespace: str, name: str) -> Manifest:
    return {**template, "metadata": {**template["metadata"], "name": name, "namespace": namespace}}


def _second_revisions(plane: ControlPlane, names: list[str]) -> None:
    """Release a patch of ``web`` in the first three namespaces, so that there is a history to look at."""
    for namespace in names[:3]:
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/web"
        found = plane.api().get(path)
        if found.status_code == 404:
            continue
        container = found.raise_for_status().json()["spec"]["template"]["spec"]["containers"][0]
        image = f"{container['image']}-1"
        change = {
            "metadata": {"annotations": {"kubernetes.io/change-cause": f"release of {image}"}},
            "spec": {"template": {"spec": {"containers": [{"name": container["name"], "image": image}]}}},
        }
        kind = "application/strategic-merge-patch+json"
        plane.api().patch(path, json=change, headers={"Content-Type": kind}).raise_for_status()
