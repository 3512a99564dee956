"""Hands for the recorded moment: a rollback that is planned, done and told as the program does it, sent nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from screenshots.scene import CLUSTER, NOW
from services.actions.guard import Allow
from services.config_policy import Policy
from services.model.action import Edit, Ended, Fact, Outcome, Plan, Progress, Stage, Target, Tier, Undo
from services.model.message import Message, MessageKind
from services.model.severity import Severity
from services.sanitize import safe_text
from tui import flows
from tui.acting import Acting, Planned, Words
from widgets.plan_dialog import PlanDialog, RunDialog

if TYPE_CHECKING:
    from services.actions.runner import Orders
    from services.actions.spec import Note
    from services.model.message import OutboxRow

ROOM = "#payments-oncall"
STAGES = (
    (Stage.GUARD, "asking policy and server"),
    (Stage.INTENT, "written into the audit trail"),
    (Stage.LEASE, "no other operator acts on it"),
    (Stage.REHEARSE, "the dry run still says the same"),
    (Stage.EXECUTE, "change deployment shop/cart"),
    (Stage.VERIFY, "available; waiting for CartDown to clear"),
)


class SceneActing:
    """Stands for `tui.acting.Acting`."""

    policy = Policy()
    cluster = CLUSTER
    kubectl_environment: Mapping[str, str] = {}

    def why_not(self, _action: str) -> str:
        """Return that everything may be done."""
        return ""

    async def forbidden(self, _target: Target) -> Mapping[str, str]:
        """Return that nothing is forbidden."""
        return {}

    async def plan(self, action: str, target: Target, _given: Mapping[str, str]) -> Planned:
        """Return the rollback of the moment."""
        facts = (
            Fact("from", "rev 17   v2.0.1   0 of 3 ready"),
            Fact("to", "rev 16   v2.0.0   observed healthy 26 d, until 02:58"),
            Fact("config", "ConfigMap cart-settings changed since rev 16 (key: tax): not rolled back", Severity.WARN),
            Fact("dry run", "the server would take it"),
        )
        edits = (Edit("spec.template.spec.containers[cart].image", "shop/cart:v2.0.1", "shop/cart:v2.0.0"),)
        undo = Undo("rollback", target.ref, target.resource, {"to": "17"}, "roll to rev 17 again")
        plan = Plan(
            action,
            target,
            f"Roll back {target.ref.key}",
            {"to": "16"},
            facts,
            edits,
            command=f"rollout undo deployment/{target.ref.name} --to-revision=16",
            touches=3,
            expects="until rev 16 is available and CartDown clears",
            undo=undo,
        )
        return Planned(plan, Allow(Tier.KEY))

    def tells(self, _plan: Plan) -> str:
        """Return whom it tells."""
        return f"{ROOM}, when you press T"

    async def run(self, orders: Orders, note: Note, *_more: object) -> Ended:
        """Go through the stages."""
        for stage, text in STAGES:
            await note(Progress(stage, safe_text(text)))
        text = safe_text("rev 16 is available: 3 of 3 ready; its alerts have cleared")
        return Ended(Outcome.OK, text, "i-1", NOW, orders.plan.undo)

    def words_of(self, _orders: Orders, _ended: Ended) -> Words:
        """Return what the room is told."""
        subject = f"{CLUSTER}: shop/cart rolled back to rev 16 (v2.0.0) by duty1@bastion-2"
        text = "It is available: 3 of 3 ready. CartDown has cleared. Undo: roll to rev 17 again."
        message = Message("m-1", "room", ROOM, subject, text, MessageKind.ROLLED_BACK, cluster=CLUSTER, at=NOW)
        return Words((message,), False, cast(Any, SceneRoom()))


class SceneRoom:
    """Stands for where people are told."""

    def __init__(self) -> None:
        settings = SimpleNamespace(type="slack", to=(ROOM,), username="", template="", url="")
        self.config = SimpleNamespace(notify={"room": settings})

    async def tell(self, _messages: tuple[Message, ...]) -> None:
        """Queue nothing."""

    async def rows(self) -> tuple[OutboxRow, ...]:
        """Return nothing."""
        return ()


def hands() -> Acting:
    """Return what acts on the scene."""
    return cast(Acting, SceneActing())


@contextmanager
def at_once() -> Iterator[None]:
    """Let confirm keys be live at once while it lasts: pictures do not wait."""
    made: Any = flows
    before = made.PlanDialog, made.RunDialog
    made.PlanDialog = partial(PlanDialog, armed_after=1e-6)
    made.RunDialog = partial(RunDialog, armed_after=1e-6)
    try:
        yield
    finally:
        made.PlanDialog, made.RunDialog = before
