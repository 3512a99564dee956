"""Follows the logs of many containers at once, bounded: a chatty one loses lines, which are counted."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from services.clock import Clock
from services.errors import Problem
from services.kubernetes.transport import Transport
from services.kubernetes.wire import epoch
from services.model.ref import PODS
from services.ports import LogLine, LogOptions

HELD_LINES = 2000
HELD_BYTES = 512 << 10
STREAMS = 64
AGAIN = 2.0
AGAIN_AT_MOST = 30.0
LONGEST_LINE = 64 << 10
SILENCE = 300.0
"""Seconds without a line after which a followed log is opened anew: a dead connection looks just like a quiet one."""

TICK = 0.05
TURN = 500
"""Lines read before the loop may do something else."""

_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)(?: |$)")


class _Container:
    """One container's log: the lines that wait to be taken (the oldest give way, counted), and how far it was read.

    `stamp` is the last line's time as the kubelet wrote it, `moment` the same in nanoseconds, `beside` how many lines
    had that very time: a log begun again at `stamp` repeats them, and up to a second before them (kubelets cut
    `sinceTime` to whole seconds).
    """

    def __init__(self, pod: str, name: str) -> None:
        self.pod = pod
        self.name = name
        self.stamp = ""
        self.moment = 0
        self.beside = 0
        self.unstamped = b""
        self.said = ""
        self._repeated = 0
        self._resuming = False
        self._lines: deque[LogLine] = deque()
        self._size = 0
        self._dropped = 0

    def opened(self) -> None:
        """Take that the log begins again at `stamp`."""
        self._resuming = bool(self.stamp)
        self._repeated = self.beside

    def read(self, raw: bytes) -> None:
        """Take one line as the kubelet sent it, unless it is a repeated one."""
        found = _STAMP.match(raw, 0, 64)
        if found is None:  # the kubelet itself speaks, say of a log file that is gone: once is enough
            if raw != self.unstamped:
                self.unstamped = raw
                self.put(0.0, raw)
            return
        whole = _seconds(found[1], found[3])
        moment = whole * 1_000_000_000 + int((found[2] or b"").ljust(9, b"0"))
        if self._resuming and self._is_repeated(moment):
            return
        self.beside = self.beside + 1 if moment == self.moment else 1
        self.moment = moment
        self.stamp = raw[: found.end(3)].decode("ascii")
        self.unstamped = b""
        self.said = ""
        self.put(moment / 1e9, raw[found.end() :])

    def say(self, sentence: str, now: float) -> None:
        """Put a sentence of the program between the lines; the same one only once until a line comes."""
        if sentence != self.said:
            self.said = sentence
            self.put(now, f"[{sentence}]".encode())

    def put(self, at: float, text: bytes) -> None:
        """Hold a line until it is taken."""
        shown = text[:LONGEST_LINE].rstrip(b"\r").decode("utf-8", "replace")
        if len(text) > LONGEST_LINE:
            shown += f" [{len(text) - LONGEST_LINE} more bytes]"
        self._lines.append(LogLine(self.pod, self.name, at, shown))
        self._size += len(shown)
        while len(self._lines) > HELD_LINES or (self._size > HELD_BYTES and len(self._lines) > 1):
            self._size -= len(self._lines.popleft().text)
            self._dropped += 1

    def take(self) -> list[LogLine]:
        """Return and forget what is held; the first line tells how many were dropped before it."""
        lines = list(self._lines)
        self._lines.clear()
        self._size = 0
        if self._dropped and lines:
            first = lines[0]
            lines[0] = LogLine(first.pod, first.container, first.at, first.text, self._dropped)
            self._dropped = 0
        return lines

    def _is_repeated(self, moment: int) -> bool:
        if moment < self.moment:
            return True
        if moment == self.moment and self._repeated:
            self._repeated -= 1
            return True
        self._resuming = False
        return False


class LogStreams:
    """The merged logs of some containers of one namespace."""

    def __init__(
        self, transport: Transport, clock: Clock, namespace: str, pods: Mapping[str, Sequence[str]], options: LogOptions
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._namespace = namespace
        self._options = options
        self._follow = options.follow and not options.previous  # what ran before is over
        wanted = [_Container(pod, name) for pod, names in pods.items() for name in names]
        self._containers = wanted[:STREAMS]
        self._left_out = len(wanted) - len(self._containers)
        self._arrived = asyncio.Event()
        self._problems: list[Problem] = []

    async def batches(self) -> AsyncGenerator[list[LogLine], None]:
        """Yield what has come since the last time, in the order of the kubelets' times, until every stream has ended.

        Raises Problem when no stream could be read at all. Streams that fail beside others say so in a line.
        """
        if self._left_out:
            sentence = f"[{self._left_out} more containers are not shown: choose fewer pods]"
            yield [LogLine("", "", self._clock.now(), sentence)]
        tasks = [asyncio.ensure_future(self._read(container)) for container in self._containers]
        ended = asyncio.ensure_future(asyncio.wait(tasks)) if tasks else None
        try:
            while ended is not None and not ended.done():
                await self._wait(ended)
                if lines := self._take():
                    yield lines
            if lines := self._take():
                yield lines
            for task in tasks:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if ended is not None:
                ended.cancel()
        if self._problems and len(self._problems) == len(self._containers):
            raise self._problems[-1]

    async def _wait(self, ended: asyncio.Future[Any]) -> None:
        arriving = asyncio.ensure_future(self._arrived.wait())
        try:
            await asyncio.wait({arriving, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await asyncio.sleep(TICK)  # let what comes together be merged together
        finally:
            arriving.cancel()
            self._arrived.clear()

    def _take(self) -> list[LogLine]:
        """Merge by time, each container's own lines in the order in which they came."""
        keyed: list[tuple[float, LogLine]] = []
        for container in self._containers:
            latest = 0.0
            for line in container.take():
                latest = max(latest, line.at)
                keyed.append((latest, line))
        keyed.sort(key=itemgetter(0))
        return [line for _, line in keyed]

    async def _read(self, container: _Container) -> None:
        """Read one container's log; while following, begin again where it was cut off, for as long as the pod is."""
        pause = AGAIN
        while True:
            before = container.stamp
            began = self._clock.monotonic()
            try:
                await self._read_once(container)
            except Problem as problem:
                if problem.status == 404 and container.stamp:
                    self._say(container, f"{container.pod} is gone")
                    return
                if not self._follow or problem.status in {401, 403, 404}:
                    self._fail(container, problem)
                    return
                # A kubelet answers with the first line: a container that is merely quiet does not answer at all.
                if self._clock.monotonic() - began < SILENCE:
                    self._say(container, problem.sentence)
            if not self._follow:
                return
            pause = AGAIN if container.stamp != before else min(AGAIN_AT_MOST, 2 * pause)
            await self._clock.sleep(pause)

    async def _read_once(self, container: _Container) -> None:
        path = PODS.path(self._namespace, container.pod, "log")
        what = f"read the log of {container.pod}/{container.name}"
        params = self._params(container)
        async with contextlib.AsyncExitStack() as stack:
            stream = self._transport.stream(path, params, accept="*/*", idle_timeout=SILENCE, what=what)
            batches = await stack.enter_async_context(stream)
            container.opened()
            try:
                async for lines in batches:
                    for place, raw in enumerate(lines, 1):
                        container.read(raw)
                        if place % TURN == 0:
                            await asyncio.sleep(0)
                    self._arrived.set()
            except Problem:
                if not self._follow:
                    raise
                # it was cut off: what is said, if anything, is why it cannot be opened again

    def _params(self, container: _Container) -> dict[str, str]:
        options = self._options
        params = {"container": container.name, "timestamps": "true"}
        if self._follow:
            params["follow"] = "true"
        if options.previous:
            params["previous"] = "true"
        if container.stamp:
            return params | {"sinceTime": container.stamp}
        params["tailLines"] = str(options.tail)
        return params | ({"sinceSeconds": str(options.since)} if options.since else {})

    def _fail(self, container: _Container, problem: Problem) -> None:
        self._problems.append(problem)
        if len(self._problems) < len(self._containers):
            self._say(container, problem.sentence)

    def _say(self, container: _Container, sentence: str) -> None:
        container.say(sentence, self._clock.now())
        self._arrived.set()


@lru_cache(maxsize=256)
def _seconds(whole: bytes, zone: bytes) -> int:
    return int(epoch((whole + zone).decode("ascii")))
