"""Images on their way to nodes: pulled once a node, or never when the registry has none of that name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal.simulation import sentences

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.rehearsal.jsonic import Json
    from services.rehearsal.simulation.lives import Life, Lives

LONGEST_BACKOFF = 300.0
_FIRST_BACKOFF = 10.0


class Puller:
    """Pulls the images of pods; `start` is called with a pod whose images are all there."""

    def __init__(self, lives: Lives, start: Callable[[Life], None]) -> None:
        self._lives = lives
        self._world = lives.world
        self._start = start
        self._cached: set[tuple[str, str]] = set()

    def preload(self, node: str, image: str) -> None:
        """Note that an image is on a node already."""
        self._cached.add((node, image))

    def pull(self, life: Life) -> None:
        """Get what a pod needs, then start it."""
        pod = self._lives.read(life)
        if pod is None:
            return
        world, node = self._world, pod["spec"]["nodeName"]
        delay = 0.2
        for container in pod["spec"]["containers"]:
            image = container["image"]
            behaviour = world.behaviours.of(image)
            if (node, image) in self._cached and behaviour.conduct != "missing":
                self._lives.tell(pod, "Pulled", sentences.present(image))
                continue
            self._lives.tell(pod, "Pulling", f'Pulling image "{image}"')
            if behaviour.conduct == "missing":
                world.after(behaviour.pull_seconds, lambda image=image: self._failed(life, image, _FIRST_BACKOFF))  # type: ignore[misc]
                return
            delay += behaviour.pull_seconds * world.rng.uniform(0.6, 1.6)
            self._cached.add((node, image))
            self._lives.tell_later(life, delay, "Pulled", sentences.pulled(image, delay))
        world.after(delay, lambda: self._start(life))

    def _failed(self, life: Life, image: str, backoff: float) -> None:
        pod = self._lives.read(life)
        if pod is None:
            return
        if self._world.behaviours.of(image).conduct != "missing":
            self.pull(life)
            return
        error = sentences.pull_error(image)
        self._lives.tell(pod, "Failed", f'Failed to pull image "{image}": {error}', warning=True)
        self._lives.tell(pod, "Failed", "Error: ErrImagePull", warning=True)
        self._wait(pod, image, "ErrImagePull", error)
        self._world.after(1.5, lambda: self._back_off(life, image, backoff, error))

    def _back_off(self, life: Life, image: str, backoff: float, error: str) -> None:
        pod = self._lives.read(life)
        if pod is None:
            return
        self._lives.tell(pod, "BackOff", f'Back-off pulling image "{image}"')
        self._lives.tell(pod, "Failed", "Error: ImagePullBackOff", warning=True)
        self._wait(pod, image, "ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {error}')
        longer = min(LONGEST_BACKOFF, backoff * 2)
        self._world.after(backoff, lambda: self._failed(life, image, longer))

    def _wait(self, pod: Json, image: str, reason: str, message: str) -> None:
        for status in pod["status"]["containerStatuses"]:
            if status["image"] == image:
                status["state"] = {"waiting": {"reason": reason, "message": self._world.rewrite(message)}}
        self._lives.save(pod)
