"""Arms actions for a while, or ends it, and says so where it is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.errors import Problem
from tui.beginning import acting_of

if TYPE_CHECKING:
    from tui.app import QuarterdeckApp


def toggle_armed(app: QuarterdeckApp) -> None:
    """Arm actions for a while in this context, or end it."""
    acting = acting_of(app)
    if acting is None:
        return
    acting.arm()

    def written(_: None, problem: Problem | None) -> None:
        until = app.console_state.armed_until = acting.armed.until
        here = app.console_state.scope.context
        armed = f"armed for {acting.policy.arm_minutes} minutes in {here}" if until else "read-only again"
        app.say(armed if problem is None else f"not armed: {problem.sentence}")
        if app.front is not None:
            app.front.show_header()

    app.work(acting.note_arming, written)
