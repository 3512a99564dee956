"""A plan longer than its dialog is turned by pages to its end, then the table below it, and the dialog says so."""

from __future__ import annotations

import pytest
from textual.app import App

from widgets.plan_dialog import PlanDialog
from widgets.viewmodels import Span


def _dialog(lines: int) -> PlanDialog:
    plan = [(Span(f"{f'fact {number}':<9}"), Span(f"the words of fact {number} " * 4)) for number in range(lines)]
    return PlanDialog((Span("Roll back"),), plan, [], lambda _: None, key="y", label="Roll back", armed_after=1e-6)


def _shown(app: App[None]) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


@pytest.mark.parametrize(("lines", "more"), [(3, False), (24, True)])
async def test_a_plan_is_read_to_its_end(lines: int, more: bool) -> None:
    app: App[None] = App()
    async with app.run_test(size=(80, 24)) as pilot:
        dialog = _dialog(lines)
        app.push_screen(dialog)
        await pilot.pause()
        assert ("pgdn more" in _shown(app)) is more
        assert "fact 0 " in _shown(app)
        for _ in range(5):
            await pilot.press("pagedown")
        assert f"the words of fact {lines - 1} " in _shown(app)
        assert ("fact 0 " in _shown(app)) is not more
        assert "pgdn more" not in _shown(app), "there is no more"
        assert ("pgup back" in _shown(app)) is more
        assert dialog.armed, "turning pages leaves the answers where they are"
        for _ in range(5):
            await pilot.press("pageup")
        assert "fact 0 " in _shown(app)
        assert ("pgdn more" in _shown(app)) is more
