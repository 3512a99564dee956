"""The console on the recorded scene, on a real terminal: time and pods move only when a byte on a pipe says so.

Arguments: the file descriptor of the pipe; the view. Bytes: `t` looks at everything again at the same moment, `+` lets
a second pass, `m` a minute, `r` counts one more restart of the first pod.
"""

from __future__ import annotations

import asyncio
import os
import sys

import msgspec

from cache.state.records import Place
from screenshots import scene, scene_runtime
from services.clock import ManualClock
from services.model.source import SourceState, SourceStatus
from services.ports import Delta
from tui.app import QuarterdeckApp
from tui.console import Console, Scope

STEPS = {"+": 1.0, "m": 60.0}


class Director:
    """Does what the bytes on the pipe say, in their order."""

    def __init__(self, pipe: int, view: str) -> None:
        self._pipe = pipe
        self._clock = ManualClock(scene.NOW)
        self._feed = scene.live(self._clock)
        self._pods = scene.pods()
        self._orders: asyncio.Queue[str] = asyncio.Queue()
        console = Console(
            self._clock, self._feed, Scope(scene.CLUSTER, scene.CLUSTER, "PROD"), runtime=scene_runtime.SceneRuntime()
        )
        self.app = QuarterdeckApp(console, Place(view=view), on_ready=self._begin)

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._pipe, self._read)
        self._work = loop.create_task(self._obey())

    def _read(self) -> None:
        orders = os.read(self._pipe, 100)
        if not orders:
            asyncio.get_running_loop().remove_reader(self._pipe)
            self.app.exit()
        for order in orders.decode():
            self._orders.put_nowait(order)

    async def _obey(self) -> None:
        while True:
            order = await self._orders.get()
            if order in STEPS:
                await self._clock.advance(STEPS[order])
                for source in scene.SOURCES:
                    now = self._clock.now()
                    self._feed.status(SourceStatus(source, SourceState.LIVE, now, now, scene.NOW - 600))
            elif order == "r":
                key = min(self._pods, key=lambda one: (self._pods[one].ref.namespace, self._pods[one].ref.name))
                pod = self._pods[key]
                self._pods[key] = msgspec.structs.replace(pod, restarts=pod.restarts + 1)
                self._feed.apply("scene", Delta("pods", {key: self._pods[key]}))
            self._feed.publish()
            self.app._tick()


if __name__ == "__main__":
    Director(int(sys.argv[1]), sys.argv[2]).app.run()
