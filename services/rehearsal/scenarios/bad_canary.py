"""Deliveries by Argo Rollouts wait for a person: canaries at their first pause, a preview that nobody promoted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.estate.delivery import BLUE_GREEN, CANARY, FOLLOWED, FOLLOWING, ROUTED
from services.rehearsal.scenarios.registry import Scenario
from services.rehearsal.simulation import operations

if TYPE_CHECKING:
    from services.rehearsal.estate.blueprint import Blueprint
    from services.rehearsal.simulation.engine import Engine

RELEASED = 240.0
"""Seconds ago at which all got their new version."""


def _script(engine: Engine, plan: Blueprint) -> None:
    world, namespace, deployer = engine.world, next(iter(plan.teams)), plan.deployers[0]

    def release() -> None:
        for name in (CANARY, BLUE_GREEN, FOLLOWING, ROUTED):
            image = f"{plan.registry}/{namespace}/{name}:v1.1.0"
            where = (resources.DEPLOYMENTS, FOLLOWED) if name == FOLLOWING else (resources.ROLLOUTS, name)
            cause = f"release {name} v1.1.0"
            operations.set_image(world, where[0], namespace, where[1], image=image, cause=cause, actor=deployer)

    world.after(SCENARIO.past - RELEASED, release)


SCENARIO = Scenario(
    "bad-canary", "a canary and a preview wait to be promoted or aborted", past=900.0, script=_script, rollouts=True
)
