"""An operator at a table whose rows come, go, change places and come back as others; and what reaches the server."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from random import Random
from typing import Any, TypeVar

import msgspec
from msgspec import structs

from services.actions.guard import Circumstances
from services.actions.pods import DeletePod
from services.actions.runner import Orders, Runner
from services.actions.spec import Document
from services.clock import Clock
from services.config_policy import Policy
from services.errors import Problem
from services.kubernetes.writing import WriteFault, WriteProblem, request_body
from services.model.action import Plan, Progress, Right, Target, Write
from services.model.ref import Ref, Resource
from services.model.severity import Severity
from services.model.workload import Healthy, Pod
from services.ports import AccessAnswer, Snapshot
from services.sanitize import safe_text
from tests.unit.actions.stage import StageLocks, StageTrail, World
from tui.aiming import freeze, moved, replaced
from tui.presenters.ordering import Ordering
from tui.presenters.terms import Subject, parse_filter
from widgets.table_view import TableView
from widgets.viewmodels import Column, Row, Span, TableVM

T = TypeVar("T")
NAMES = "abcdefgh"
RANKS: Sequence[Callable[[Pod], Any]] = (
    lambda pod: (pod.severity, pod.ref.name),
    lambda pod: pod.ref.name,
    lambda pod: -pod.restarts,
)
SHAPES = (Column("name", "NAME", 20),)


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run what never waits."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("it waits")


class RushedClock:
    """A clock whose waits are over at once."""

    def __init__(self) -> None:
        self._now = 1_800_000_000.0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self._now += seconds


class Server:
    """Pods by name; every name is taken again by others. `sent` is what changed something, byte for byte."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.births = 0
        self.pods: dict[str, Pod] = {}
        self.sent: list[tuple[str, bytes]] = []
        self.clock: Clock = RushedClock()
        self.context, self.who = "prod", "alice@bastion"
        for name in NAMES[:5]:
            self.bear(name)

    def bear(self, name: str) -> None:
        self.births += 1
        ref = Ref("c", "", "Pod", "shop", name, f"uid-{self.births}")
        severity = self.random.choice([Severity.CRIT, Severity.WARN, Severity.OK])
        self.pods[name] = Pod(ref, "Running", severity, 1, 1, self.random.randrange(4), 0.0)

    def snapshot(self) -> Snapshot:
        return Snapshot(0, {"pods": self.rows()}, {})

    def rows(self) -> dict[str, Pod]:
        return {pod.ref.key: pod for pod in self.pods.values()}

    async def observed(self, ref: Ref) -> Mapping[int, Healthy]:
        return {}

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
        if name not in self.pods:
            raise Problem(safe_text("not found"), 404)
        owner = {"controller": True, "kind": "ReplicaSet", "name": "rs"}
        return {"metadata": {"name": name, "uid": self.pods[name].ref.uid, "ownerReferences": [owner]}, "spec": {}}

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[Document]:
        return ()

    async def send(self, write: Write, *, dry_run: bool = False) -> Document:
        name = write.path.rsplit("/", 1)[-1]
        pod = self.pods.get(name)
        if not dry_run:
            self.sent.append((write.path, request_body(write)))
        if pod is None or pod.ref.uid != write.uid:
            raise WriteProblem(safe_text("another one has that name"), WriteFault.GONE)
        if not dry_run:
            del self.pods[name]
        return {}

    async def can(self, right: Right) -> AccessAnswer:
        return AccessAnswer(True)


class Operator:
    """Presses keys on what is painted. `aim` gives the row that a key press means: replaced by a mutant in a test."""

    def __init__(self, seed: int, aim: Callable[[Operator], tuple[Pod | None, str]] | None = None) -> None:
        self.random = Random(seed)  # noqa: S311 - a test's dice
        self.server = Server(self.random)
        self.ordering = Ordering(RANKS[0], lambda pod: Subject(pod.ref.name, "shop", pod.severity))
        self.view = TableView()
        self.view.resize(30, 5)
        self.rows: Mapping[str, Pod] = {}
        self.time = 0.0
        self.painted: tuple[str, str] | None = None
        self.wrong: list[str] = []
        self.acted = 0
        self._aim = aim or _aimed
        world = World()
        trail, locks = StageTrail(world), StageLocks(world)
        self._runner = Runner(self.server, trail, locks, Policy(), lambda _: Circumstances(now=0.0))
        self._pending: tuple[Plan, Target, tuple[str, str]] | None = None
        self.take()
        self.paint()

    def run(self, steps: int) -> Operator:
        every = (self.take, self.take, self.paint, self.paint, self.change, self.change, self.sort, self.filter)
        keys = (self.step, self.act, self.act, self.confirm, self.confirm)
        for _ in range(steps):
            self.random.choice((*every, *keys))()
        return self

    # What happens

    def change(self) -> None:
        name = self.random.choice(NAMES)
        if name in self.server.pods and self.random.random() < 0.6:
            del self.server.pods[name]
        if name not in self.server.pods and self.random.random() < 0.8:
            self.server.bear(name)

    def take(self) -> None:
        """A watch event arrives: the view-model is another one, the screen is not painted yet."""
        self.time += self.random.choice([0.1, 4.0, 11.0])
        self.rows = self.server.rows()
        self.ordering.update(self.rows, None, self.time)
        self.show()

    def sort(self) -> None:
        self.ordering.sort_by(self.random.choice(RANKS), self.random.random() < 0.5)
        self.show()

    def filter(self) -> None:
        text = self.random.choice(["", "", "!a", "is:crit"])
        self.ordering.show_only(parse_filter(text), None)
        self.show()

    def show(self) -> None:
        objects = {key: self.ordering.object(key) for key in self.ordering.order}

        def row(key: str) -> Row:
            return Row(key, (Span(key),), identity=objects[key].ref.uid)

        self.view.set_vm(TableVM(SHAPES, list(self.ordering.order), row))

    def paint(self) -> None:
        self.view.show_cursor()
        self.view.build()
        for y in range(1, 5):
            self.view.note_seen(y)
        self.view.cursor.painted()
        key = self.view.cursor.aim
        self.painted = (key, self.view.row(key).identity) if key is not None else None

    # What is pressed

    def step(self) -> None:
        """A key that moves paints at once."""
        self.ordering.hold(self.time)
        self.view.step(self.random.choice([-1, 1]))
        self.paint()

    def act(self) -> None:
        """Shift+R and the like: what it means is what was painted."""
        if self._pending is not None or self.painted is None:
            return
        pod, seen = self._aim(self)
        snapshot = Snapshot(0, {"pods": self.rows}, {})
        target = freeze(pod, snapshot) if pod is not None else None
        if target is None or replaced(target, pod, seen):
            return
        try:
            plan = at_once(DeletePod().plan(target, {}, self.server))
        except Problem:
            return
        self._pending = (plan, target, self.painted)

    def confirm(self) -> None:
        if self._pending is None:
            return
        (plan, target, shown), self._pending = self._pending, None
        if moved(target, Snapshot(0, {"pods": self.rows}, {})):
            return
        before = len(self.server.sent)
        at_once(self._runner.run(DeletePod(), Orders(structs.replace(plan)), _quiet))
        for path, body in self.server.sent[before:]:
            self.acted += 1
            meant = (f"shop/{path.rsplit('/', 1)[-1]}", msgspec.json.decode(body)["preconditions"]["uid"])
            if meant != shown:
                self.wrong.append(f"{shown} was shown, {meant} was sent")


def _aimed(operator: Operator) -> tuple[Pod | None, str]:
    key = operator.view.cursor.aim
    pod = operator.ordering.object(key) if key is not None else None
    return pod, operator.view.target_identity


def by_position(operator: Operator) -> tuple[Pod | None, str]:
    """The mutant: whatever stands on the cursor's line by now."""
    order, index = operator.view.vm.order, operator.view.cursor.index
    pod = operator.ordering.object(order[index]) if 0 <= index < len(order) else None
    return pod, pod.ref.uid if pod is not None else ""


async def _quiet(_progress: Progress) -> None:
    return
