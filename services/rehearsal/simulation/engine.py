"""A world with its controllers, kept in step with a clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import micro_stamp, stamp
from services.rehearsal.simulation.autoscaling import Autoscaler
from services.rehearsal.simulation.budgets import BudgetController
from services.rehearsal.simulation.cordons import Cordons
from services.rehearsal.simulation.daemonsets import DaemonSetController
from services.rehearsal.simulation.deployments import DeploymentController
from services.rehearsal.simulation.endpoints import EndpointController
from services.rehearsal.simulation.garbage import Garbage
from services.rehearsal.simulation.jobs import CronJobController, JobController
from services.rehearsal.simulation.kubelet import Kubelet
from services.rehearsal.simulation.nodes import Nodes
from services.rehearsal.simulation.quota_objects import QuotaController
from services.rehearsal.simulation.replicasets import ReplicaSetController
from services.rehearsal.simulation.scheduler import Scheduler
from services.rehearsal.simulation.statefulsets import StatefulSetController
from services.rehearsal.simulation.world import World

if TYPE_CHECKING:
    from services.rehearsal.clock import Alarm, Clock
    from services.rehearsal.store import Change

_LEASE_EVERY = 10.0
_STATUS_EVERY = 300.0
_AT_ONCE = 400


class Engine:
    """Runs a world: first through its past in one go, then at the pace of the clock."""

    def __init__(self, seed: int, start: float) -> None:
        self.world = world = World(seed, start)
        self.kubelet = Kubelet(world)
        self.scheduler = Scheduler(world, self.kubelet)
        self.endpoints = EndpointController(world)
        self.nodes = Nodes(world, self.kubelet)
        self.budgets = BudgetController(world)
        self.autoscaler = Autoscaler(world)
        self.garbage = Garbage(world, self.kubelet)
        world.controllers = {
            "Deployment": DeploymentController(world),
            "ReplicaSet": ReplicaSetController(world, self.kubelet),
            "StatefulSet": StatefulSetController(world, self.kubelet),
            "DaemonSet": DaemonSetController(world, self.kubelet),
            "Job": JobController(world, self.kubelet),
            "CronJob": CronJobController(world),
            "ResourceQuota": QuotaController(world),
            "PodDisruptionBudget": self.budgets,
            "HorizontalPodAutoscaler": self.autoscaler,
            "Endpoints": self.endpoints,
        }
        world.pod_listeners.append(self._count_quota)
        self._clock: Clock | None = None
        self._alarm: Alarm | None = None
        self._held = False

    def _count_quota(self, change: Change) -> None:
        world, entry = self.world, change.entry
        if change.type == "DELETED" or entry.fields["status.phase"] in {"Succeeded", "Failed"}:
            world.quotas.credit(entry.uid)
        quota = world.quotas.by_namespace.get(entry.namespace)
        if quota is not None and change.type != "MODIFIED":
            world.enqueue("ResourceQuota", entry.namespace, quota.name, 1.0)

    def begin(self) -> None:
        """Connect the controllers; the estate at rest has been built."""
        world = self.world
        world.connect()
        for follower in (self.garbage, self.budgets, self.autoscaler, Cordons(world, self.scheduler)):
            follower.begin()
        world.recorder.start()
        for entry in world.store.collection(resources.CRON_JOBS).ordered():
            world.enqueue("CronJob", entry.namespace, entry.name)
        if "Rollout" in world.controllers:
            for entry in world.store.collection(resources.ROLLOUTS).ordered():
                world.enqueue("Rollout", entry.namespace, entry.name)

    def go_live(self, clock: Clock) -> None:
        """Keep pace with a clock from now on; nodes begin to send heartbeats."""
        self._clock = clock
        self.world.timeline.run_until(clock.now())
        for index, entry in enumerate(self.world.store.collection(resources.NODES).ordered()):
            name = entry.name
            self.world.after(index * 0.13 % _LEASE_EVERY, lambda name=name: self._heartbeat(name))  # type: ignore[misc]
            self.world.after(index * 7 % _STATUS_EVERY, lambda name=name: self._post_status(name))  # type: ignore[misc]
        self.world.timeline.on_sooner = self._arm
        self._arm()

    def keep_up(self) -> None:
        """Let everything happen that is due by now, before somebody from outside acts."""
        self._run()

    def stop(self) -> None:
        """Stop keeping pace."""
        self.world.timeline.on_sooner = None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def hold(self) -> None:
        """Let nothing happen, as when the API server cannot be written to."""
        self._held = True

    def release(self) -> None:
        """Let what fell due meanwhile happen now."""
        if self._held and self._clock is not None:
            self._held = False
            self.world.timeline.skip_to(self._clock.now())
            self._arm()

    def _arm(self) -> None:
        if self._clock is None:
            return
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        due = self.world.timeline.next_due()
        if due is not None and not self._held:
            self._alarm = self._clock.call_at(due, self._run)

    def _run(self) -> None:
        if self._clock is None or self._held:
            return
        timeline = self.world.timeline
        timeline.on_sooner = None
        try:
            timeline.run_until(self._clock.now(), _AT_ONCE)
        finally:
            timeline.on_sooner = self._arm
        self._arm()

    def _heartbeat(self, name: str) -> None:
        world = self.world
        lease = world.store.get(resources.LEASES, "kube-node-lease", name)
        if lease is not None:
            if name not in self.nodes.silent:
                lease["spec"]["renewTime"] = micro_stamp(world.now)
                world.store.update(resources.LEASES, lease)
            world.after(_LEASE_EVERY, lambda: self._heartbeat(name))

    def _post_status(self, name: str) -> None:
        world = self.world
        node = world.store.get(resources.NODES, "", name)
        if node is not None:
            heard = [] if name in self.nodes.silent else node["status"]["conditions"]
            for condition in heard:
                condition["lastHeartbeatTime"] = stamp(world.now)
            world.store.update(resources.NODES, node)
            world.after(_STATUS_EVERY, lambda: self._post_status(name))
