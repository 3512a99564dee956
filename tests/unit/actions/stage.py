"""A world of one object for the runner: its version moves, its writes are counted, its faults are asked for."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from services.actions.runner import Held
from services.actions.spec import Document, Hands, Note, Refused
from services.clock import Clock, ManualClock
from services.errors import Problem
from services.model.action import Ended, Fact, Outcome, Plan, Progress, Right, Stage, Target, Undo, Write
from services.model.ref import DEPLOYMENTS, Ref, Resource
from services.model.workload import Healthy
from services.ports import AccessAnswer, Snapshot
from services.sanitize import safe_text

CART = Target(Ref("c", "apps", "Deployment", "shop", "cart", "u-1"), DEPLOYMENTS)


class World:
    """What is there: a spec, and everything that was done, in order. `script` lets something happen at a stage."""

    def __init__(self) -> None:
        self.spec = "bad"
        self.log: list[str] = []
        self.allowed = True
        self.faults: dict[str, Problem] = {}
        self.held_by = ""
        self.lost = ""
        self.done: dict[str, Ended] = {}
        self.bodies: list[Mapping[str, Any]] = []

    def reach(self, point: str) -> None:
        self.log.append(point)
        if (fault := self.faults.pop(point, None)) is not None:
            raise fault


class StageHands:
    """Implements Hands over the world."""

    context = "prod-eu-1"
    who = "alice@bastion-2"

    def __init__(self, world: World) -> None:
        self._world = world
        self.clock: Clock = ManualClock()

    def snapshot(self) -> Snapshot:
        return Snapshot(0, {}, {})

    async def observed(self, ref: Ref) -> Mapping[int, Healthy]:
        return {}

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
        return {"spec": self._world.spec}

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[Document]:
        return ()

    async def send(self, write: Write, *, dry_run: bool = False) -> Document:
        self._world.reach("dry run" if dry_run else "send")
        if not dry_run:
            self._world.spec = "good"
        return {}

    async def can(self, right: Right) -> AccessAnswer:
        return AccessAnswer(self._world.allowed, "" if self._world.allowed else "no role")


class Mend:
    """An action that sets the spec to "good"."""

    id = "mend"

    def available(self, _row: object, _snapshot: Snapshot, /) -> str:
        return ""

    async def plan(self, target: Target, given: Mapping[str, str], hands: Hands, /) -> Plan:
        spec = (await hands.get(DEPLOYMENTS, "shop", "cart"))["spec"]
        write = Write("PATCH", "/cart", "mend cart", b'{"env":[{"name":"DB_PASSWORD","value":"hunter2"}]}', spec=spec)
        await hands.send(write, dry_run=True)
        undo = Undo("break", target.ref, target.resource, {}, "break it again")
        right = Right("patch", DEPLOYMENTS, "shop")
        facts = (Fact("owner", safe_text("nobody keeps it")),)
        return Plan("mend", target, "Mend shop/cart", dict(given), facts, (), (write,), (right,), undo=undo)

    async def execute(self, plan: Plan, hands: Hands, _note: Note, /) -> None:
        for write in plan.writes:
            await hands.send(write)

    async def verify(self, _plan: Plan, hands: Hands, note: Note, /) -> Ended:
        await note(Progress(Stage.VERIFY, "looking"))
        spec = (await hands.get(DEPLOYMENTS, "shop", "cart"))["spec"]
        return Ended(Outcome.OK if spec == "good" else Outcome.FAILED, f"it is {spec}")


class StageTrail:
    """Implements AuditTrail in memory."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def intent(self, _plan: Plan, body: Mapping[str, Any]) -> str:
        self._world.reach("intent")
        self._world.bodies.append(body)
        return "i-1"

    async def step(self, _intent: str, name: str, _body: Mapping[str, Any]) -> None:
        self._world.reach(f"step {name}")

    async def outcome(self, intent: str, ended: Ended, _body: Mapping[str, Any]) -> None:
        self._world.reach(f"outcome {ended.outcome.value}")
        self._world.done[intent] = ended


class StageLocks:
    """Implements Locks."""

    def __init__(self, world: World) -> None:
        self._world = world

    @contextlib.asynccontextmanager
    async def hold(self, _plan: Plan) -> AsyncIterator[Held]:
        if self._world.held_by:
            raise Refused(safe_text(f"{self._world.held_by} is acting on it."))
        self._world.reach("lock")
        try:
            yield Held("", lambda: self._world.lost)
        finally:
            self._world.log.append("unlock")
