"""From a plan that GitOps would undo: hold that off first, confirmed like everything, then look at the plan again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from services.actions.keepers import HOLDABLE
from services.actions.registry import BY_ID
from services.model.action import Ended, Outcome, Plan, Target
from services.model.severity import Severity
from tui.flows import Flow, Run
from widgets.plan_dialog import PlanDialog
from widgets.viewmodels import KeyHint

if TYPE_CHECKING:
    from tui.acting import Acting
    from tui.app import QuarterdeckApp

HOLD = "suspend-gitops"
KEY = KeyHint("s", "suspend GitOps first")


def offer_holding(
    app: QuarterdeckApp, acting: Acting, plan: Plan, dialog: PlanDialog, again: Callable[[], None]
) -> None:
    """Offer the key that holds off what would undo a plan, where that is clean; `again` then asks for the plan anew."""
    keepers = [fact for fact in plan.facts if fact.label == HOLDABLE and fact.severity is not Severity.NOTICE]
    if plan.action == HOLD or not keepers:
        return
    dialog.offer((KEY,), lambda _key: HoldingFlow(app, acting, plan.target, again).ask())


class HoldingFlow(Flow):
    """Holds a keeper off, and goes back to what it was in the way of once that is done."""

    def __init__(self, app: QuarterdeckApp, acting: Acting, target: Target, again: Callable[[], None]) -> None:
        super().__init__(app, acting, BY_ID[HOLD], target, {})
        self._again = again

    def over(self, run: Run, ended: Ended) -> None:
        """Go back, unless the operator is elsewhere by now."""
        if ended.outcome is Outcome.OK and run.leave():
            self._app.call_later(self._again)
