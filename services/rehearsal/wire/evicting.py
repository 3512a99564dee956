"""The eviction subresource of pods: deletion that asks disruption budgets first (registry/core/pod/storage)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import stamp
from services.rehearsal.jsonic import Json, encode
from services.rehearsal.simulation import pods
from services.rehearsal.wire import errors
from services.rehearsal.wire.bodies import read_object, read_write_options
from services.rehearsal.wire.deleting import DeleteOptions, Deleter, delete_options, demand
from services.rehearsal.wire.http1 import Reply
from services.rehearsal.wire.schema import structs

if TYPE_CHECKING:
    from services.rehearsal.simulation.engine import Engine
    from services.rehearsal.wire.http1 import Request
    from services.rehearsal.wire.paths import Target

_REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
_TWO = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."


class Evictor:
    """Evicts pods where their budget allows it."""

    def __init__(self, engine: Engine, deleter: Deleter) -> None:
        self._engine = engine
        self._deleter = deleter

    def evict(self, request: Request, target: Target) -> Reply:
        """Answer POST on `pods/NAME/eviction`; raise ApiError 400, 404, 409, 429 or 500."""
        options = read_write_options(request, "CreateOptions")
        eviction = read_object(request, resources.PODS, structs()["policy.Eviction"])
        if eviction.get("metadata", {}).get("name") != target.name:
            raise errors.bad_request("name in URL does not match name in Eviction object")
        deletion = delete_options(eviction.get("deleteOptions") or {})
        deletion.dry = deletion.dry or options.dry
        pod = self._engine.world.store.get(resources.PODS, target.namespace, target.name)
        if pod is None:
            raise errors.not_found(resources.PODS, target.name)
        if not _free(pod):
            self._ask_budgets(pod, deletion)
        else:
            demand(resources.PODS, pod, deletion)
        if not deletion.dry:
            self._mark(pod)
        self._deleter.remove(resources.PODS, pod, deletion)
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
        return Reply(201, encode(status), {"Content-Type": "application/json"})

    def _ask_budgets(self, pod: Json, deletion: DeleteOptions) -> None:
        budgets = self._engine.budgets.of(pod)
        if len(budgets) > 1:
            raise errors.ApiError(500, "", _TWO)
        if not budgets:
            demand(resources.PODS, pod, deletion)
            return
        budget = budgets[0]
        status = budget["status"]
        if not pods.is_ready(pod):
            broken_may_go = budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow"
            if broken_may_go or 0 < status["desiredHealthy"] <= status["currentHealthy"]:
                demand(resources.PODS, pod, deletion)
                return
        self._check(budget)
        if not deletion.dry:
            status["disruptionsAllowed"] -= 1
            status.setdefault("disruptedPods", {})[pod["metadata"]["name"]] = stamp(self._engine.world.now)
            self._engine.world.store.update(resources.BUDGETS, budget)
        demand(resources.PODS, pod, deletion)

    def _check(self, budget: Json) -> None:
        name, status = budget["metadata"]["name"], budget["status"]
        if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 1):
            cause = f"The disruption budget {name} is still being processed by the server."
            raise errors.too_many_requests(_REFUSED, cause, 10)
        if status["disruptionsAllowed"] > 0:
            return
        if status["currentHealthy"] <= status["desiredHealthy"]:
            wanted, healthy = status["desiredHealthy"], status["currentHealthy"]
            cause = f"The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently"
        else:
            cause = f"The disruption budget {name} does not allow evicting pods currently"
        raise errors.too_many_requests(_REFUSED, cause)

    def _mark(self, pod: Json) -> None:
        """Write the condition that says why the pod goes."""
        world = self._engine.world
        conditions = pod["status"].setdefault("conditions", [])
        pods.set_condition(
            conditions,
            "DisruptionTarget",
            "True",
            world.now,
            reason="EvictionByEvictionAPI",
            message="Eviction API: evicting",
        )
        world.store.update(resources.PODS, pod)


def _free(pod: Json) -> bool:
    """Tell whether a pod may go without asking: it has not started, has ended, or is going."""
    return pod["status"]["phase"] in {"Succeeded", "Failed", "Pending"} or "deletionTimestamp" in pod["metadata"]
