"""Shows a plan that cannot run as it is: what is in the way, object by object, and the keys that allow more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from services.actions.registry import Listed
from services.model.action import Plan
from tui.presenters.action import Where, present_blocked, present_title
from tui.presenters.steps import present_steps
from widgets.plan_dialog import RunDialog
from widgets.viewmodels import KeyHint

if TYPE_CHECKING:
    from tui.app import QuarterdeckApp

_CLOSE = KeyHint("esc", "close")


def show_blocked(
    app: QuarterdeckApp,
    plan: Plan,
    where: Where,
    *,
    listed: Listed,
    given: Mapping[str, str],
    again: Callable[[Mapping[str, str]], None],
) -> None:
    """Show it; a key that allows more calls `again` with the answers it is to be planned with."""
    lens = app.console_state.lens()
    more = {one.label[0]: one for one in listed.parameters if one.kind == "bool" and given.get(one.name) != "true"}

    def left(answer: str | None) -> None:
        if answer in more:
            again({**given, more[answer].name: "true"})

    keys = (*(KeyHint(key, one.label) for key, one in more.items()), _CLOSE)
    title, lines, table = present_title(plan, where, lens), present_blocked(plan, lens), present_steps(plan.steps, lens)
    app.push_screen(RunDialog(title, lines, keys, table=table), left)
