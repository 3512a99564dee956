"""The life of a pod on its node: pulling, starting, becoming ready, crashing, backing off, going."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import stamp
from services.rehearsal.simulation import pods, sentences

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.rehearsal.jsonic import Json
    from services.rehearsal.simulation.behaviour import Behaviour
    from services.rehearsal.simulation.world import World

_COMPONENT = "kubelet"
LONGEST_BACKOFF = 300.0
_RESET_AFTER = 600.0


@dataclass(frozen=True, slots=True)
class Life:
    """One pod by identity: a pod of the same name that came later is another life."""

    namespace: str
    name: str
    uid: str


class Kubelet:
    """All kubelets in one: each pod moves by timers of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._cached: set[tuple[str, str]] = set()
        self._addresses = 0
        self.silent: set[str] = set()
        """Nodes on which nothing moves any more."""

    def preload(self, node: str, image: str) -> None:
        """Note that an image is on a node already."""
        self._cached.add((node, image))

    def next_address(self) -> str:
        """Return a pod address that nobody has."""
        self._addresses += 1
        return f"10.{244 + self._addresses // 62_500}.{self._addresses // 250 % 250}.{self._addresses % 250 + 2}"

    def bound(self, pod: Json) -> None:
        """Take a pod that has just been given to a node."""
        metadata = pod["metadata"]
        life = Life(metadata["namespace"], metadata["name"], metadata["uid"])
        self._world.after(self._world.rng.uniform(0.2, 0.6), lambda: self._prepare(life))

    def read(self, life: Life) -> Json | None:
        """Return the pod while it lives on a node that is heard of and is not being deleted."""
        pod = self._world.store.get(resources.PODS, life.namespace, life.name)
        if pod is None or pod["metadata"]["uid"] != life.uid or "deletionTimestamp" in pod["metadata"]:
            return None
        if pod["spec"].get("nodeName") in self.silent:
            return None
        return pod

    def settle(self, pod: Json, node: str, now: float) -> None:
        """Fill in what a pod has from the moment that its node took it."""
        world, status = self._world, pod["status"]
        status["startTime"] = stamp(now)
        room = world.capacity.rooms[node]
        status["hostIP"], status["hostIPs"] = room.address, [{"ip": room.address}]
        address = room.address if pod["spec"].get("hostNetwork") else self.next_address()
        status["podIP"], status["podIPs"] = address, [{"ip": address}]
        waiting: Json = {"waiting": {"reason": "ContainerCreating"}}
        status["containerStatuses"] = [pods.container_status(one, waiting) for one in pod["spec"]["containers"]]
        conditions = status.setdefault("conditions", [])
        pods.set_condition(conditions, "PodReadyToStartContainers", "True", now)
        pods.set_condition(conditions, "Initialized", "True", now)

    def _prepare(self, life: Life) -> None:
        pod = self.read(life)
        if pod is None:
            return
        self.settle(pod, pod["spec"]["nodeName"], self._world.now)
        self._save(pod)
        self._pull(life)

    def _pull(self, life: Life) -> None:
        pod = self.read(life)
        if pod is None:
            return
        world, node = self._world, pod["spec"]["nodeName"]
        delay = 0.2
        for container in pod["spec"]["containers"]:
            image = container["image"]
            behaviour = world.behaviours.of(image)
            if behaviour.conduct == "missing":
                self._event(pod, "Pulling", f'Pulling image "{image}"')
                world.after(behaviour.pull_seconds, lambda image=image: self._pull_failed(life, image, 10.0))  # type: ignore[misc]
                return
            if (node, image) in self._cached:
                self._event(
                    pod,
                    "Pulled",
                    sentences.present(image),
                )
                continue
            self._event(pod, "Pulling", f'Pulling image "{image}"')
            delay += behaviour.pull_seconds * world.rng.uniform(0.6, 1.6)
            self._cached.add((node, image))
            self._later(life, delay, "Pulled", sentences.pulled(image, delay))
        world.after(delay, lambda: self._start(life))

    def _later(self, life: Life, delay: float, reason: str, message: str) -> None:
        def tell() -> None:
            pod = self.read(life)
            if pod is not None:
                self._event(pod, reason, message)

        self._world.after(delay, tell)

    def _pull_failed(self, life: Life, image: str, backoff: float) -> None:
        pod = self.read(life)
        if pod is None:
            return
        if self._world.behaviours.of(image).conduct != "missing":
            self._pull(life)
            return
        error = sentences.pull_error(image)
        self._event(pod, "Failed", f'Failed to pull image "{image}": {error}', warning=True)
        self._event(pod, "Failed", "Error: ErrImagePull", warning=True)
        self._wait(pod, image, "ErrImagePull", error)
        self._world.after(1.5, lambda: self._pull_backoff(life, image, backoff, error))

    def _pull_backoff(self, life: Life, image: str, backoff: float, error: str) -> None:
        pod = self.read(life)
        if pod is None:
            return
        self._event(pod, "BackOff", f'Back-off pulling image "{image}"')
        self._event(pod, "Failed", "Error: ImagePullBackOff", warning=True)
        self._wait(pod, image, "ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {error}')
        longer = min(LONGEST_BACKOFF, backoff * 2)
        self._world.after(backoff, lambda: self._pull_failed(life, image, longer))

    def _wait(self, pod: Json, image: str, reason: str, message: str) -> None:
        for status in pod["status"]["containerStatuses"]:
            if status["image"] == image:
                status["state"] = {"waiting": {"reason": reason, "message": self._world.rewrite(message)}}
        self._save(pod)

    def _start(self, life: Life) -> None:
        pod = self.read(life)
        if pod is None:
            return
        pods.start_containers(pod, self._world.rng, self._world.now)
        for container in pod["spec"]["containers"]:
            self._event(pod, "Created", f"Created container: {container['name']}")
            self._event(pod, "Started", f"Started container {container['name']}")
        self._save(pod)
        for container in pod["spec"]["containers"]:
            self._conduct(life, container["name"], self._world.behaviours.of(container["image"]))

    def _conduct(self, life: Life, container: str, behaviour: Behaviour) -> None:
        world = self._world
        run = self._run_of(life, container)
        jitter = world.rng.uniform(0.8, 1.25)
        if behaviour.conduct == "serves":
            world.after(behaviour.ready_after * jitter, self._while_running(life, container, run, self._ready))
        elif behaviour.conduct in {"crashes", "completes"}:
            ended = self._while_running(
                life, container, run, lambda pod, status: self._exited(life, pod, status, behaviour)
            )
            world.after(behaviour.runs_for * jitter, ended)
        elif behaviour.conduct == "never-ready":
            world.after(5.0 * jitter, self._while_running(life, container, run, self._unready))

    def _run_of(self, life: Life, container: str) -> str:
        pod = self.read(life)
        return "" if pod is None else str(status_of(pod, container).get("containerID", ""))

    def _while_running(
        self, life: Life, container: str, run: str, action: Callable[[Json, Json], None]
    ) -> Callable[[], None]:
        """Return a call of `action` with pod and container status, made only if the same run still goes on."""

        def act() -> None:
            pod = self.read(life)
            if pod is not None:
                status = status_of(pod, container)
                if status.get("containerID", "") == run and "running" in status["state"]:
                    action(pod, status)

        return act

    def _ready(self, pod: Json, status: Json) -> None:
        status["ready"] = True
        self._save(pod)

    def _unready(self, pod: Json, status: Json) -> None:
        port = next((one["containerPort"] for c in pod["spec"]["containers"] for one in c.get("ports", ())), 8080)
        address = pod["status"].get("podIP", "")
        message = sentences.not_ready(address, port)
        self._event(pod, "Unhealthy", message, warning=True)
        metadata = pod["metadata"]
        life = Life(metadata["namespace"], metadata["name"], metadata["uid"])
        self._world.after(20.0, self._while_running(life, status["name"], status.get("containerID", ""), self._unready))

    def _exited(self, life: Life, pod: Json, status: Json, behaviour: Behaviour) -> None:
        container = next(one for one in pod["spec"]["containers"] if one["name"] == status["name"])
        message = ""
        if behaviour.exit_code and container.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            message = self._world.rewrite("\n".join(behaviour.last_words[-10:]))
        pods.terminate(status, behaviour.exit_code, behaviour.exit_reason, self._world.now, message)
        self._save(pod)
        if pod["spec"]["restartPolicy"] == "Always":
            name = status["name"]
            self._world.after(0.9, lambda: self._after_exit(life, name))

    def _after_exit(self, life: Life, name: str) -> None:
        pod = self.read(life)
        if pod is None:
            return
        status = status_of(pod, name)
        terminated = status["state"].get("terminated")
        if terminated is None:
            return
        status["lastState"] = {"terminated": terminated}
        restarts = status["restartCount"]
        if restarts == 0:
            self._rerun(life, pod, status)
            return
        delay = min(LONGEST_BACKOFF, 10.0 * 2 ** (restarts - 1))
        metadata = pod["metadata"]
        where = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
        message = f"back-off {sentences.back_off(delay)} restarting failed container={name} pod={where}"
        status["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": self._world.rewrite(message)}}
        self._save(pod)
        self._event(pod, "BackOff", f"Back-off restarting failed container {name} in pod {where}", warning=True)
        self._world.after(delay, lambda: self._restart_due(life, name))

    def _restart_due(self, life: Life, name: str) -> None:
        pod = self.read(life)
        if pod is not None and "waiting" in status_of(pod, name)["state"]:
            self._rerun(life, pod, status_of(pod, name))

    def _rerun(self, life: Life, pod: Json, status: Json) -> None:
        container = next(one for one in pod["spec"]["containers"] if one["name"] == status["name"])
        image = container["image"]
        status["restartCount"] += 1
        pods.run_container(status, self._world.rng, self._world.now)
        self._event(pod, "Pulled", sentences.present(image))
        self._event(pod, "Created", f"Created container: {status['name']}")
        self._event(pod, "Started", f"Started container {status['name']}")
        self._save(pod)
        self._conduct(life, status["name"], self._world.behaviours.of(image))

    def restart(
        self, namespace: str, name: str, *, reason: str = "Error", exit_code: int = 137, probe: bool = True
    ) -> bool:
        """End the first container of a running pod, which starts it again; return whether there was one."""
        pod = self._world.store.get(resources.PODS, namespace, name)
        if pod is None or "deletionTimestamp" in pod["metadata"] or pod["spec"].get("nodeName") in self.silent:
            return False
        status = pod["status"].get("containerStatuses", [{}])[0]
        if "running" not in status.get("state", {}):
            return False
        life = Life(namespace, name, pod["metadata"]["uid"])
        if probe:
            self._event(pod, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 503", warning=True)
            self._event(pod, "Killing", f"Container {status['name']} failed liveness probe, will be restarted")
        status["lastState"] = {"terminated": pods.terminate(status, exit_code, reason, self._world.now)}
        self._rerun(life, pod, status)
        return True

    def stop(self, namespace: str, name: str) -> None:
        """Delete a pod: at once when it has no node, else after its containers have ended."""
        world = self._world
        pod = world.store.get(resources.PODS, namespace, name)
        if pod is None or "deletionTimestamp" in pod["metadata"]:
            return
        if not pod["spec"].get("nodeName"):
            world.store.delete(resources.PODS, namespace, name)
            return
        grace = pod["spec"].get("terminationGracePeriodSeconds", 30)
        pod["metadata"]["deletionTimestamp"] = stamp(world.now + grace)
        pod["metadata"]["deletionGracePeriodSeconds"] = grace
        pod["metadata"]["generation"] = pod["metadata"].get("generation", 1) + 1
        for status in pod["status"].get("containerStatuses", ()):
            if "running" in status["state"]:
                self._event(pod, "Killing", f"Stopping container {status['name']}")
        world.store.update(resources.PODS, pod)
        uid = pod["metadata"]["uid"]
        if pod["spec"]["nodeName"] not in self.silent:
            world.after(world.rng.uniform(1.0, 4.0), lambda: self._gone(namespace, name, uid))

    def _gone(self, namespace: str, name: str, uid: str) -> None:
        pod = self._world.store.get(resources.PODS, namespace, name)
        if pod is not None and pod["metadata"]["uid"] == uid:
            self._world.store.delete(resources.PODS, namespace, name)

    def _save(self, pod: Json) -> None:
        pods.refresh(pod, self._world.now)
        self._world.store.update(resources.PODS, pod)

    def _event(self, pod: Json, reason: str, message: str, *, warning: bool = False) -> None:
        write = self._world.warn if warning else self._world.event
        write(resources.PODS, pod, reason, message, _COMPONENT, pod["spec"].get("nodeName", ""))


def status_of(pod: Json, container: str) -> Json:
    """Return the status of one container; raise StopIteration when the pod has none of that name."""
    found: Json = next(one for one in pod["status"]["containerStatuses"] if one["name"] == container)
    return found
