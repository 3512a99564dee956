"""Plans and runs alert actions on running Alertmanagers, as a console does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from msgspec import structs

from services.actions import silencing
from services.actions.guard import Circumstances, Consent
from services.actions.registry import action
from services.actions.runner import Orders, Runner
from services.alerts.alertmanagers import Alertmanagers
from services.alerts.hands import AlertingHands
from services.alerts.peers import peers_of
from services.clock import SystemClock
from services.config_endpoints import EndpointSettings
from services.config_policy import Policy
from services.endpoint import Endpoint
from services.model.action import Ended, Plan, Progress, Target
from services.model.ref import ALERTS, Ref
from tests.unit.actions.stage import StageHands, StageLocks, StageTrail, World


class Operator:
    """Plans and runs alert actions on some Alertmanagers."""

    def __init__(self, urls: Mapping[str, str], timeout: int = 3) -> None:
        clock = SystemClock()
        self.endpoints = {
            name: Endpoint(f"alertmanager {name}", EndpointSettings(url=url, timeout=timeout), clock)
            for name, url in urls.items()
        }
        self.alertmanagers = Alertmanagers(peers_of({}, self.endpoints))
        world = World()
        stage = StageHands(world)
        stage.clock = clock
        self.hands = AlertingHands(stage, lambda: self.alertmanagers)
        trail, locks = StageTrail(world), StageLocks(world)
        found = Circumstances(now=clock.now())
        self.runner = Runner(self.hands, trail, locks, Policy(), lambda _: structs.replace(found, now=clock.now()))
        self.notes: list[Progress] = []

    async def alert(self, name: str) -> Target:
        """Return the alert of a name as a screen freezes it."""
        seen = await silencing.look(self.hands)
        key = next(one.key for each in seen for one in each.alerts if dict(one.labels)["alertname"] == name)
        return Target(Ref("c", "", "Alert", "", name, key), ALERTS)

    async def plan(self, what: str, target: Target, **given: str) -> Plan:
        return await action(what).plan(target, {name.rstrip("_"): text for name, text in given.items()}, self.hands)

    async def run(self, plan: Plan) -> Ended:
        async def note(progress: Progress) -> None:
            self.notes.append(progress)

        consent = Consent("tried", plan.typed)
        return await self.runner.run(action(plan.action), Orders(plan, consent), note)

    async def do(self, what: str, target: Target, **given: str) -> Ended:
        return await self.run(await self.plan(what, target, **given))

    async def undo(self, ended: Ended) -> Ended:
        assert ended.undo is not None
        plan = await self.plan(ended.undo.action, Target(ended.undo.ref, ended.undo.resource), **ended.undo.parameters)
        return await self.run(plan)


@asynccontextmanager
async def operator(urls: Mapping[str, str], **more: int) -> AsyncIterator[Operator]:
    """Let an operator act on Alertmanagers, by name: URL."""
    one = Operator(urls, **more)
    try:
        yield one
    finally:
        for endpoint in one.endpoints.values():
            await endpoint.close()
