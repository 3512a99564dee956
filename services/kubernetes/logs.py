"""Follows the logs of many containers at once, bounded: a chatty one loses lines, which are counted."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from services.clock import Clock
from services.errors import Problem
from services.kubernetes.transport import Transport
from services.kubernetes.wire import epoch
from services.model.ref import PODS
from services.ports import LogLine, LogOptions

HELD = 2000
STREAMS = 64
AGAIN = 2.0
AGAIN_AT_MOST = 30.0
LONGEST_LINE = 64 << 10
SILENCE = 24 * 3600.0
_TICK = 0.05
_LEFT_OUT = "{} more containers are not followed: narrow the choice"


class _Held:
    """Lines of one container that wait to be taken; the oldest give way, and are counted."""

    def __init__(self) -> None:
        self.lines: deque[LogLine] = deque()
        self.dropped = 0

    def put(self, line: LogLine) -> None:
        if len(self.lines) >= HELD:
            self.lines.popleft()
            self.dropped += 1
        self.lines.append(line)

    def take(self) -> list[LogLine]:
        lines = list(self.lines)
        self.lines.clear()
        if self.dropped and lines:
            first = lines[0]
            lines[0] = LogLine(first.pod, first.container, first.at, first.text, self.dropped)
            self.dropped = 0
        return lines


class LogStreams:
    """The merged logs of some containers of one namespace."""

    def __init__(
        self, transport: Transport, clock: Clock, namespace: str, pods: Mapping[str, Sequence[str]], options: LogOptions
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._namespace = namespace
        self._options = options
        self._containers = [(pod, container) for pod, names in pods.items() for container in names]
        self._held = {each: _Held() for each in self._containers[:STREAMS]}
        self._arrived = asyncio.Event()
        self._problems: list[Problem] = []

    async def batches(self) -> AsyncGenerator[list[LogLine], None]:
        """Yield what has come since the last time, in the order of the kubelets' times, until every stream has ended.

        Raises Problem when no stream could be read at all. Streams that fail beside others say so in a line.
        """
        left_out = len(self._containers) - len(self._held)
        if left_out > 0:
            yield [
                LogLine("", "", self._clock.now(), f"{left_out} more containers are not followed: narrow the choice")
            ]
        tasks = [asyncio.ensure_future(self._read(pod, container)) for pod, container in self._held]
        ended = asyncio.ensure_future(asyncio.wait(tasks)) if tasks else None
        try:
            while ended is not None and not ended.done():
                await self._wait(ended)
                if lines := self._take():
                    yield lines
            if lines := self._take():
                yield lines
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if ended is not None:
                ended.cancel()
        if self._problems and len(self._problems) == len(self._held):
            raise self._problems[0]

    async def _wait(self, ended: asyncio.Future[Any]) -> None:
        arriving = asyncio.ensure_future(self._arrived.wait())
        try:
            await asyncio.wait({arriving, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await asyncio.sleep(_TICK)  # let what comes together be merged together
        finally:
            arriving.cancel()
            self._arrived.clear()

    def _take(self) -> list[LogLine]:
        lines = [line for held in self._held.values() for line in held.take()]
        lines.sort(key=lambda line: line.at)
        return lines

    async def _read(self, pod: str, container: str) -> None:
        """Read one container's log; while following, begin again where it was cut off, for as long as the pod is."""
        held = self._held[pod, container]
        last = ""
        complained = False
        pause = AGAIN
        while True:
            before = last
            try:
                last = await self._read_once(pod, container, held, last)
            except Problem as problem:
                gone = problem.status == 404
                if not self._options.follow or problem.status in {401, 403} or (gone and not last):
                    self._fail(held, pod, container, problem)
                    return
                if gone:
                    return
                if not complained and problem.status == 400:
                    self._say(held, pod, container, problem)
                    complained = True
            if not self._options.follow:
                return
            pause = AGAIN if last != before else min(AGAIN_AT_MOST, 2 * pause)
            await self._clock.sleep(pause)

    async def _read_once(self, pod: str, container: str, held: _Held, last: str) -> str:
        options = self._options
        params = {"container": container, "timestamps": "true"}
        if options.follow:
            params["follow"] = "true"
        if options.previous:
            params["previous"] = "true"
        if last:
            params["sinceTime"] = last
        else:
            params["tailLines"] = str(options.tail)
            if options.since:
                params["sinceSeconds"] = str(options.since)
        path = PODS.path(self._namespace, pod, "log")
        what = f"read the log of {pod}/{container}"
        before = last
        stream = self._transport.stream(path, params, accept="*/*", idle_timeout=SILENCE, what=what)
        async with contextlib.AsyncExitStack() as stack:
            batches = await stack.enter_async_context(stream)
            async for lines in batches:
                for raw in lines:
                    stamp, _, text = raw[:LONGEST_LINE].decode("utf-8", "replace").rstrip("\r").partition(" ")
                    at = epoch(stamp)
                    if not at:
                        stamp, text = "", f"{stamp} {text}".rstrip()
                    elif (
                        before and stamp <= before
                    ):  # sinceTime is inclusive, and cut to whole seconds by some kubelets
                        continue
                    last = stamp or last
                    held.put(LogLine(pod, container, at, text))
                self._arrived.set()
        return last

    def _fail(self, held: _Held, pod: str, container: str, problem: Problem) -> None:
        self._problems.append(problem)
        if len(self._problems) < len(self._held):
            self._say(held, pod, container, problem)

    def _say(self, held: _Held, pod: str, container: str, problem: Problem) -> None:
        held.put(LogLine(pod, container, self._clock.now(), f"[{problem.sentence}]"))
        self._arrived.set()


def _order(stamp: str) -> str:
    """Return an RFC 3339 time whose fraction may be cut short, so that texts compare as times do."""
    whole, _, fraction = stamp.removesuffix("Z").partition(".")
    return f"{whole}.{fraction:0<9}"
