"""An operator at the running console while rows come, go, change places and come back as others; and what is sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, cast

import msgspec
import pytest
from rich.console import RenderableType
from textual import events
from textual.pilot import Pilot
from textual.screen import Screen

import tui
from cache.live import LiveState
from screenshots import scene, scene_runtime
from services.actions.spec import Document
from services.clock import ManualClock
from services.config_policy import Policy
from services.errors import Problem
from services.kubernetes.writing import WriteFault, WriteProblem, request_body, spec_digest
from services.model.action import Right, Write
from services.model.ref import Ref, Resource
from services.model.severity import Severity
from services.model.source import SourceState, SourceStatus
from services.model.workload import Healthy, Rollout, Workload
from services.ports import AccessAnswer, Replace, Snapshot
from services.sanitize import safe_text
from tests.unit.actions.stage import StageLocks, StageTrail, World
from tui import flows
from tui.acting import Acting
from tui.app import QuarterdeckApp
from tui.console import Console, Scope
from tui.screens.table import TableScreen
from tui.trail import LedgerTrail
from widgets.modal import Modal
from widgets.plan_dialog import PlanDialog, RunDialog

NAMES = "abcdefgh"
SIZE = (84, 12)
GAP = 2
"""The column of the blank after a row's shape: reversed on the line of the cursor alone, whatever words are."""

MANY = 100
TURNS = 20
"""Turns of the loop after which what was begun has come to rest."""


class Deployments:
    """A server of deployments whose every name is taken again by others. `sent` is what changed something, as bytes."""

    def __init__(self, random: Random, clock: ManualClock, live: LiveState) -> None:
        self.clock = clock
        self.context, self.who = "prod", "alice@bastion"
        self.sent: deque[tuple[str, bytes]] = deque()
        self._random = random
        self._live = live
        self._births = 0
        self._there: dict[str, Document] = {}
        self._severities: dict[str, Severity] = {}

    def begin(self) -> None:
        """Let five others be there."""
        self._there.clear()
        for name in NAMES[:5]:
            self._bear(name)
        self.publish()

    @property
    def there(self) -> set[tuple[str, str]]:
        """The name and the uid of each."""
        return {(name, one["metadata"]["uid"]) for name, one in self._there.items()}

    def change(self) -> None:
        """Let one come, go, or be made anew at once."""
        name = self._random.choice(NAMES)
        if name in self._there and self._random.random() < 0.6:
            del self._there[name]
        if name not in self._there and self._random.random() < 0.8:
            self._bear(name)

    def _bear(self, name: str) -> None:
        self._births += 1
        template = {"spec": {"containers": [{"name": "main", "image": f"img:u{self._births}"}]}}
        metadata = {"name": name, "namespace": "shop", "uid": f"u{self._births}", "generation": 1}
        self._severities[name] = self._random.choice([Severity.CRIT, Severity.WARN, Severity.NOTICE])
        self._there[name] = {
            "kind": "Deployment",
            "metadata": {**metadata, "resourceVersion": str(self._births)},
            "spec": {"replicas": 1, "template": template, "selector": {"matchLabels": {"app": name}}},
            "status": dict.fromkeys(("observedGeneration", "replicas", "updatedReplicas", "availableReplicas"), 1),
        }

    def publish(self) -> None:
        """Let the watch tell of it."""
        rows = {f"Deployment/shop/{name}": self._row(name, document) for name, document in self._there.items()}
        now = self.clock.now()
        for source in ("kubernetes", "kubernetes/rollouts", "kubernetes/deployments"):
            self._live.status(SourceStatus(source, SourceState.LIVE, now, now, now))
        self._live.apply("kubernetes", Replace("rollouts", rows))
        self._live.publish()

    def _row(self, name: str, document: Document) -> Rollout:
        uid = document["metadata"]["uid"]
        ref = Ref("c", "apps", "Deployment", "shop", name, uid)
        workload = Workload(ref, 1, 1, 1, 1, 1, 1, 1, 1, created_at=self.clock.now() - 60, images=(f"img:{uid}",))
        return Rollout(workload, self._severities[name], "", done=True, what="restless")

    # What hands are lent

    def snapshot(self) -> Snapshot:
        return self._live.snapshot()

    async def observed(self, ref: Ref) -> Mapping[int, Healthy]:
        return {}

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
        await asyncio.sleep(0)
        if name not in self._there:
            raise Problem(safe_text("not found"), 404)
        return self._there[name]

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[Document]:
        return ()

    async def send(self, write: Write, *, dry_run: bool = False) -> Document:
        await asyncio.sleep(0)
        body = request_body(write)
        if not dry_run:
            self.sent.append((write.path, body))
        name = write.path.rsplit("/", 1)[-1]
        found = self._there.get(name)
        if found is None or found["metadata"]["uid"] != write.uid or spec_digest(found) != write.spec:
            raise WriteProblem(safe_text("another one has that name"), WriteFault.GONE)
        changed: Document = msgspec.json.decode(msgspec.json.encode(found))
        changed["spec"]["template"]["metadata"] = msgspec.json.decode(body)["spec"]["template"]["metadata"]
        if not dry_run:
            self._there[name] = changed
        return changed

    async def can(self, right: Right) -> AccessAnswer:
        return AccessAnswer(True)


class Watched(QuarterdeckApp):
    """The app with its terminal. `meant` is the name and uid on the cursor's line when a key of an action was taken."""

    CSS_PATH = str(Path(tui.__file__).parent / "styles" / "quarterdeck.tcss")
    shown: tuple[str, str] | None = None

    meant: tuple[str, str] | None = None
    line: int = -1
    cells: Sequence[list[tuple[str, bool]]] = ()

    def look(self) -> None:
        """Begin to look at what is painted."""
        self.confirmed: list[tuple[str, str] | None] = []
        self.show_all()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        super()._display(screen, renderable)
        if self.cells and renderable is not None:
            self.show_all()

    def show_all(self) -> None:
        """Let the terminal show what the screen is like now."""
        self.cells = [
            [(letter, bool(one.style and one.style.reverse)) for one in strip for letter in one.text]
            for strip in self.screen._compositor.render_strips()
        ]

    async def _take(self, event: events.Key | events.Paste) -> None:
        key = event.key if isinstance(event, events.Key) else ""
        if isinstance(self.screen, TableScreen) and key in ("B", "x"):
            self.meant = self.under_cursor()
        elif isinstance(self.screen, PlanDialog) and key == "y":
            self.confirmed.append(self.meant)
        await super()._take(event)

    def under_cursor(self) -> tuple[str, str] | None:
        """Return the name and the image's tag (its uid) on the line that is painted as the cursor's."""
        self.line = -1
        for y, cells in enumerate(self.cells):
            words = "".join(letter for letter, _ in cells).split()
            if cells[GAP][1] and len(words) > 2 and "/" in words[1]:
                self.line = y
                return words[1].partition("/")[2], next(one for one in words if one[0] == "u" and one[1:].isdigit())
        return None


class Operator:
    """Presses keys on what is painted, while everything moves; `wrong` says what was hit and not meant."""

    def __init__(
        self, seed: int, server: Deployments, app: Watched, pilot: Pilot[None], runtime: scene_runtime.SceneRuntime
    ) -> None:
        self.random = Random(seed)  # noqa: S311 - a test's dice
        self.server = server
        self.app = app
        self.pilot = pilot
        self.runtime = runtime
        self.wrong: list[str] = []
        self.acted = 0
        self.trace: list[str] = []

    async def run(self) -> None:
        """Begin with other rows, aim at one of them and confirm, with anything at all before, between and after."""
        await self.come_back()
        self.server.begin()
        for _ in range(MANY):
            if self.app.under_cursor() in self.server.there:
                break
            await self.turn(TURNS)
            if not self._at_rows:
                await self.come_back()
            cast(TableScreen, self.app.screen).driver.release()
            await self.paint()
        assert self.app.under_cursor() in self.server.there, (self.app.screen, self.app.focused, self.picture())
        for step in (self.act, self.confirm, self.confirm):
            for _ in range(self.random.randrange(4)):
                await self.random.choice(self.anything)()
                self.check()
            if step == self.act and self.random.random() < 0.7:
                self.server.change()
                self.server.change()
                self.server.publish()
            await step()
            self.check()
        await self.turn(TURNS)
        self.check()

    @property
    def anything(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """What may happen at any moment, as often as it is listed."""
        events = (self.watch, self.watch, self.watch, self.change, self.change, self.change, self.paint, self.pause)
        return (*events, self.move, self.move, self.order, self.narrow, self.act)

    def picture(self) -> str:
        """Return what the terminal shows."""
        return "\n".join("".join(letter for letter, _ in cells) for cells in self.app.cells)

    async def come_back(self) -> None:
        """Close what is open above the table; an escape too many has left it."""
        await self.runtime.idle()
        await self.turn(TURNS)
        while isinstance(self.app.screen, Modal):
            await self.press("escape")
            await self.turn(TURNS)
        if not isinstance(self.app.screen, TableScreen):
            self.app.open_view("rollouts")
            await self.pilot.pause()
        assert isinstance(self.app.screen, TableScreen)
        self.app.screen._faults = False
        self.app.screen._set_filter("")
        self.app.screen.bar.close()
        self.app.screen.table.focus()

    # What happens

    async def watch(self) -> None:
        """A watch event arrives; whether the loop has turned before the next key is left to the dice."""
        self.server.publish()
        await self.turn(self.random.choice([0, 1, 3]))

    async def change(self) -> None:
        self.server.change()

    async def pause(self) -> None:
        await self.server.clock.advance(self.random.choice([0.1, 4.0, 11.0]))
        self.server.publish()
        self.app._tick()

    async def paint(self) -> None:
        """What is dirty reaches the terminal."""
        self.app.screen._on_timer_update()
        self.app.show_all()

    async def turn(self, times: int) -> None:
        for _ in range(times):
            await asyncio.sleep(0)

    # What is pressed

    async def press(self, key: str) -> None:
        """Press a key, and wait until it has been answered."""
        self.trace.append(f"{key} on {self.app.under_cursor()} in {type(self.app.screen).__name__}")
        self.app._driver.send_message(events.Key(key, key if len(key) == 1 else None))  # type: ignore[union-attr]
        await self.turn(3)
        while self.app._key_under_way:
            await self.turn(1)

    @property
    def _at_rows(self) -> bool:
        return isinstance(self.app.screen, TableScreen)

    async def move(self) -> None:
        """Move, and look where that led: the next key is about the row that was gone to."""
        if self._at_rows:
            await self.press(self.random.choice(["j", "k", "g", "G"]))
            await self.paint()

    async def order(self) -> None:
        if self._at_rows:
            await self.press(self.random.choice(["N", "A", "S", "O", "o", "f"]))

    async def narrow(self) -> None:
        if self._at_rows:
            for key in ("slash", *self.random.choice(["!a", "u", "is:crit", ""]), "enter"):
                if self._at_rows:
                    await self.press(key)
            await self.paint()

    async def act(self) -> None:
        """Shift+B, or the same from the menu: what it means is what was painted when the first key was pressed."""
        if not self._at_rows:
            return
        menu = self.random.random() < 0.3
        await self.press("x" if menu else "B")
        if menu:
            await self.runtime.idle()
            await self.turn(self.random.choice([0, 3]))
            if isinstance(self.app.screen, Modal):
                await self.press("B")

    async def confirm(self) -> None:
        """The confirm key where a plan is shown, else the key that leaves whatever is open."""
        if not self._at_rows:
            await self.runtime.idle()
            await self.turn(2)
        if isinstance(self.app.screen, Modal):
            await self.press("y" if isinstance(self.app.screen, PlanDialog) else "escape")

    def check(self) -> None:
        """Compare what was sent with what was confirmed."""
        while self.server.sent:
            path, body = self.server.sent.popleft()
            hit = (path.rsplit("/", 1)[-1], msgspec.json.decode(body)["metadata"]["uid"])
            self.acted += 1
            if hit in self.app.confirmed:
                self.app.confirmed.remove(hit)
            else:
                self.wrong.append(f"{self.app.confirmed[-1:]} confirmed, {hit} sent; {'; '.join(self.trace)}")


@contextlib.asynccontextmanager
async def operators(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """Lend the way to have another operator at one running console: a function from a seed."""
    clock = ManualClock(scene.NOW)
    live, world = LiveState(clock), World()
    random = Random(0)  # noqa: S311 - a test's dice
    server = Deployments(random, clock, live)
    trail = cast(LedgerTrail, StageTrail(world))
    acting = Acting(server, trail, StageLocks(world), Policy(), watched=live.snapshot)
    monkeypatch.setattr(acting, "_event", lambda *_: None)
    monkeypatch.setattr("services.actions.guard.BURST", 10**9)
    monkeypatch.setattr(flows, "PlanDialog", partial(PlanDialog, armed_after=1e-6))
    monkeypatch.setattr(flows, "RunDialog", partial(RunDialog, armed_after=1e-6))
    scope = Scope("prod-eu-1", "prod-eu-1", "PROD")
    runtime = scene_runtime.SceneRuntime()
    console = Console(clock, live, scope, runtime=runtime, acting=lambda: acting)
    app = Watched(console, theme="mono", no_colour=True)
    async with app.run_test(size=SIZE) as pilot:
        app.open_view("rollouts")
        await pilot.pause()
        app.look()

        def operator(seed: int) -> Operator:
            server._random.seed(seed)
            return Operator(seed, server, app, pilot, runtime)

        yield operator
