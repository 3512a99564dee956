"""The log subresource of pods, as the kubelet serves it through the API server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import nano_stamp, parse_stamp, wait_until
from services.rehearsal.estate.journal import Journal
from services.rehearsal.estate.speech import voice_of
from services.rehearsal.wire import errors
from services.rehearsal.wire.http1 import Reply, Request, Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from services.rehearsal.clock import Clock
    from services.rehearsal.estate.blueprint import Blueprint
    from services.rehearsal.jsonic import Json
    from services.rehearsal.simulation.world import World
    from services.rehearsal.store import Entry
    from services.rehearsal.wire.access import Access, Account
    from services.rehearsal.wire.paths import Target

_BATCH = 0.05
_TYPE = {"Content-Type": "text/plain"}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The query of one request."""

    container: str
    follow: bool
    previous: bool
    stamps: bool
    since: float
    tail: int | None
    limit: int | None


class Logs:
    """Serves pods' logs."""

    def __init__(
        self, world: World, plan: Blueprint, access: Access, clock: Clock, rewrite: Callable[[str], str]
    ) -> None:
        self._world = world
        self._plan = plan
        self._access = access
        self._clock = clock
        self._rewrite = rewrite

    def __call__(self, request: Request, account: Account, target: Target) -> Reply | Stream | None:
        """Answer a request for a pod's log; None for anything else."""
        if target.plural != "pods" or target.group or target.subresource != "log":
            return None
        self._access.demand(account, target.attributes("get"))
        if request.method != "GET":
            raise errors.method_not_allowed()
        entry = self._world.store.collection(resources.PODS).entries.get((target.namespace, target.name))
        if entry is None:
            raise errors.not_found(resources.PODS, target.name)
        wanted = self._read(request)
        pod = entry.look()
        container = _container(pod, wanted.container)
        journal = self._journal(entry, container, previous=wanted.previous)
        first = self._first(journal, wanted)
        if not wanted.follow or journal.ended is not None:
            return Reply(200, self._block(journal, first, journal.count(self._clock.now()), wanted), dict(_TYPE))
        return Stream(self._follow(entry, container, journal, first, wanted), dict(_TYPE))

    def _read(self, request: Request) -> _Wanted:
        seconds, moment = request.first("sinceSeconds"), request.first("sinceTime")
        tail, limit = request.first("tailLines"), request.first("limitBytes")
        try:
            if seconds and moment:
                raise ValueError("at most one of `sinceTime` or `sinceSeconds` may be specified")
            since = self._clock.now() - int(seconds) if seconds else parse_stamp(moment) if moment else 0.0
            return _Wanted(
                request.first("container"),
                request.first("follow") == "true",
                request.first("previous") == "true",
                request.first("timestamps") == "true",
                since,
                int(tail) if tail else None,
                int(limit) if limit else None,
            )
        except ValueError as error:
            raise errors.invalid("PodLogOptions", f'PodLogOptions "" is invalid: {error}', []) from None

    def _first(self, journal: Journal, wanted: _Wanted) -> int:
        now = self._clock.now()
        first = journal.first_since(wanted.since, now)
        if wanted.tail is not None and wanted.tail >= 0:
            first = max(first, journal.count(now) - wanted.tail)
        return first

    def _journal(self, entry: Entry, container: Json, *, previous: bool) -> Journal:
        """Return the log of the run that is asked for; raise ApiError 400 when there is none."""
        name, pod = container["name"], entry.look()
        status = next((one for one in pod["status"].get("containerStatuses", ()) if one["name"] == name), None)
        run = _run(pod, name, status, previous=previous)
        app = self._plan.app(entry.namespace, entry.labels.get("app.kubernetes.io/name", ""))
        image = container["image"]
        own = app is not None and image.startswith(app.image)
        chatty = own and app is not None and app.chatty and self._loudest(entry)
        voice = voice_of(app if own else None, name, entry.uid, image, chatty=chatty)
        ended = parse_stamp(run["finishedAt"]) if "finishedAt" in run else None
        last = self._world.behaviours.of(image).last_words if run.get("exitCode") else ()
        return Journal(voice, parse_stamp(run["startedAt"]), ended, last)

    def _loudest(self, entry: Entry) -> bool:
        """Tell whether this pod is the one of its owner that writes without end."""
        if entry.owner is None:
            return False
        children = self._world.store.collection(resources.PODS).children.get(entry.owner[2], {})
        return entry.key == min(children, default=None)

    def _block(self, journal: Journal, first: int, end: int, wanted: _Wanted) -> bytes:
        lines = []
        for index in range(first, end):
            text = self._rewrite(journal.text(index))
            lines.append(f"{nano_stamp(journal.moment(index))} {text}\n" if wanted.stamps else f"{text}\n")
        block = "".join(lines).encode("utf-8", "surrogateescape")
        return block[: wanted.limit] if wanted.limit is not None else block

    async def _follow(
        self, entry: Entry, container: Json, journal: Journal, index: int, wanted: _Wanted
    ) -> AsyncIterator[bytes]:
        collection = self._world.store.collection(resources.PODS)
        wake = asyncio.Event()
        run = _container_id(entry.look(), container["name"])
        collection.wakers.add(wake.set)
        try:
            while True:
                wake.clear()
                now = self._clock.now()
                end = journal.count(now)
                if end > index:
                    yield self._block(journal, index, end, wanted)
                    index = end
                current = collection.entries.get(entry.key)
                if current is not entry:
                    if current is None or _container_id(current.look(), container["name"]) != run:
                        return
                    entry = current
                await wait_until(self._clock, wake, max(journal.moment(index), now + _BATCH))
        finally:
            collection.wakers.discard(wake.set)


def _container(pod: Json, name: str) -> Json:
    containers: list[Json] = pod["spec"]["containers"]
    pod_name = pod["metadata"]["name"]
    if not name:
        if len(containers) > 1:
            names = " ".join(one["name"] for one in containers)
            raise errors.bad_request(f"a container name must be specified for pod {pod_name}, choose one of: [{names}]")
        return containers[0]
    for one in containers:
        if one["name"] == name:
            return one
    raise errors.bad_request(f"container {name} is not valid for pod {pod_name}")


def _run(pod: Json, name: str, status: Json | None, *, previous: bool) -> Json:
    """Return the running or terminated state whose log is asked for (kubelet, validateContainerLogStatus)."""
    pod_name = pod["metadata"]["name"]
    if status is None:
        if not pod["spec"].get("nodeName"):
            raise errors.bad_request(f"pod {pod_name} does not have a host assigned")
        raise errors.bad_request(f'container "{name}" in pod "{pod_name}" is not available')
    state, last = status["state"], status["lastState"].get("terminated")
    if previous:
        if last is None:
            raise errors.bad_request(f'previous terminated container "{name}" in pod "{pod_name}" not found')
        found: Json = last
        return found
    run: Json | None = state.get("running") or state.get("terminated") or last
    if run is not None:
        return run
    reason = state.get("waiting", {}).get("reason", "")
    if reason in {"ErrImagePull", "ImagePullBackOff"}:
        reason = "trying and failing to pull image" if reason == "ImagePullBackOff" else "image can't be pulled"
    raise errors.bad_request(f'container "{name}" in pod "{pod_name}" is waiting to start: {reason}')


def _container_id(pod: Json, name: str) -> str:
    for one in pod["status"].get("containerStatuses", ()):
        if one["name"] == name and "running" in one["state"]:
            return str(one.get("containerID", ""))
    return ""
