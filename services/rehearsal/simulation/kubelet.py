"""The life of a pod on its node: pulling, starting, becoming ready, crashing, backing off, going."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import stamp
from services.rehearsal.simulation import pods, sentences
from services.rehearsal.simulation.lives import Life, Lives, life_of, status_of
from services.rehearsal.simulation.pulling import LONGEST_BACKOFF, Puller

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json
    from services.rehearsal.simulation.behaviour import Behaviour
    from services.rehearsal.simulation.world import World


class Kubelet:
    """All kubelets in one: each pod moves by timers of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._addresses = 0
        self.lives = Lives(world)
        self.images = Puller(self.lives, self._start)

    def next_address(self) -> str:
        """Return a pod address that nobody has."""
        self._addresses += 1
        return f"10.{244 + self._addresses // 62_500}.{self._addresses // 250 % 250}.{self._addresses % 250 + 2}"

    def bound(self, pod: Json) -> None:
        """Take a pod that has just been given to a node."""
        life = life_of(pod)
        self._world.after(self._world.rng.uniform(0.2, 0.6), lambda: self._prepare(life))

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
        pod = self.lives.read(life)
        if pod is None:
            return
        self.settle(pod, pod["spec"]["nodeName"], self._world.now)
        self.lives.save(pod)
        self.images.pull(life)

    def _start(self, life: Life) -> None:
        pod = self.lives.read(life)
        if pod is None:
            return
        pods.start_containers(pod, self._world.rng, self._world.now)
        for container in pod["spec"]["containers"]:
            self.lives.tell(pod, "Created", f"Created container: {container['name']}")
            self.lives.tell(pod, "Started", f"Started container {container['name']}")
        self.lives.save(pod)
        for container in pod["spec"]["containers"]:
            self._conduct(life, container["name"], self._world.behaviours.of(container["image"]))

    def _conduct(self, life: Life, container: str, behaviour: Behaviour) -> None:
        world = self._world
        run = self._run_of(life, container)
        jitter = world.rng.uniform(0.8, 1.25)
        if behaviour.conduct == "serves":
            world.after(behaviour.ready_after * jitter, self.lives.while_running(life, container, run, self._ready))
        elif behaviour.conduct in {"crashes", "completes"}:
            ended = self.lives.while_running(
                life, container, run, lambda pod, status: self._exited(life, pod, status, behaviour)
            )
            world.after(behaviour.runs_for * jitter, ended)
        elif behaviour.conduct == "never-ready":
            world.after(5.0 * jitter, self.lives.while_running(life, container, run, self._unready))

    def _run_of(self, life: Life, container: str) -> str:
        pod = self.lives.read(life)
        return "" if pod is None else str(status_of(pod, container).get("containerID", ""))

    def _ready(self, pod: Json, status: Json) -> None:
        status["ready"] = True
        self.lives.save(pod)

    def _unready(self, pod: Json, status: Json) -> None:
        message = sentences.not_ready(pod["status"].get("podIP", ""), _port(pod))
        self.lives.tell(pod, "Unhealthy", message, warning=True)
        life = life_of(pod)
        self._world.after(
            20.0, self.lives.while_running(life, status["name"], status.get("containerID", ""), self._unready)
        )

    def _exited(self, life: Life, pod: Json, status: Json, behaviour: Behaviour) -> None:
        container = next(one for one in pod["spec"]["containers"] if one["name"] == status["name"])
        message = ""
        if behaviour.exit_code and container.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            message = self._world.rewrite("\n".join(behaviour.last_words[-10:]))
        pods.terminate(status, behaviour.exit_code, behaviour.exit_reason, self._world.now, message)
        self.lives.save(pod)
        if pod["spec"]["restartPolicy"] == "Always":
            name = status["name"]
            self._world.after(0.9, lambda: self._after_exit(life, name))

    def _after_exit(self, life: Life, name: str) -> None:
        pod = self.lives.read(life)
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
        self.lives.save(pod)
        self.lives.tell(pod, "BackOff", f"Back-off restarting failed container {name} in pod {where}", warning=True)
        self._world.after(delay, lambda: self._restart_due(life, name))

    def _restart_due(self, life: Life, name: str) -> None:
        pod = self.lives.read(life)
        if pod is not None and "waiting" in status_of(pod, name)["state"]:
            self._rerun(life, pod, status_of(pod, name))

    def _rerun(self, life: Life, pod: Json, status: Json) -> None:
        container = next(one for one in pod["spec"]["containers"] if one["name"] == status["name"])
        image = container["image"]
        status["restartCount"] += 1
        pods.run_container(status, self._world.rng, self._world.now)
        self.lives.tell(pod, "Pulled", sentences.present(image))
        self.lives.tell(pod, "Created", f"Created container: {status['name']}")
        self.lives.tell(pod, "Started", f"Started container {status['name']}")
        self.lives.save(pod)
        self._conduct(life, status["name"], self._world.behaviours.of(image))

    def restart(
        self, namespace: str, name: str, *, reason: str = "Error", probe: bool = True, late: bool = False
    ) -> bool:
        """End the first container of a running pod, which starts it again; return whether there was one.

        With `probe` its liveness probe has failed, with `late` because no answer came in time.
        """
        pod = self._world.store.get(resources.PODS, namespace, name)
        if pod is None or "deletionTimestamp" in pod["metadata"] or pod["spec"].get("nodeName") in self.lives.silent:
            return False
        status = pod["status"].get("containerStatuses", [{}])[0]
        if "running" not in status.get("state", {}):
            return False
        life = Life(namespace, name, pod["metadata"]["uid"])
        if probe:
            why = "HTTP probe failed with statuscode: 503"
            if late:
                why = sentences.timed_out(pod["status"].get("podIP", ""), _port(pod), "/live")
            self.lives.tell(pod, "Unhealthy", f"Liveness probe failed: {why}", warning=True)
            self.lives.tell(pod, "Killing", f"Container {status['name']} failed liveness probe, will be restarted")
        status["lastState"] = {"terminated": pods.terminate(status, 137, reason, self._world.now)}
        self._rerun(life, pod, status)
        return True

    def stop(self, namespace: str, name: str, grace: int | None = None) -> None:
        """Delete a pod: at once when it has no node, else after its containers have ended.

        `grace` replaces the pod's own seconds of grace.
        """
        world = self._world
        pod = world.store.get(resources.PODS, namespace, name)
        if pod is None or "deletionTimestamp" in pod["metadata"]:
            return
        if not pod["spec"].get("nodeName"):
            world.store.delete(resources.PODS, namespace, name)
            return
        if grace is None:
            grace = int(pod["spec"].get("terminationGracePeriodSeconds", 30))
        pod["metadata"]["deletionTimestamp"] = stamp(world.now + grace)
        pod["metadata"]["deletionGracePeriodSeconds"] = grace
        pod["metadata"]["generation"] = pod["metadata"].get("generation", 1) + 1
        for status in pod["status"].get("containerStatuses", ()):
            if "running" in status["state"]:
                self.lives.tell(pod, "Killing", f"Stopping container {status['name']}")
        world.store.update(resources.PODS, pod)
        uid = pod["metadata"]["uid"]
        if pod["spec"]["nodeName"] not in self.lives.silent:
            world.after(min(float(grace), world.rng.uniform(1.0, 4.0)), lambda: self._gone(namespace, name, uid))

    def _gone(self, namespace: str, name: str, uid: str) -> None:
        pod = self._world.store.get(resources.PODS, namespace, name)
        if pod is not None and pod["metadata"]["uid"] == uid:
            self._world.store.delete(resources.PODS, namespace, name)


def _port(pod: Json) -> int:
    """Return the port that a pod is probed on."""
    ports = (one["containerPort"] for container in pod["spec"]["containers"] for one in container.get("ports", ()))
    return next(ports, 8080)
