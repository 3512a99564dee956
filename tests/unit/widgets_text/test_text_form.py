"""Forms: enter goes on and never confirms, the one key confirms on the last row alone, and nothing typed is lost."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.fixtures.text_widgets import HOSTILE, Clock, Stage
from widgets.form import Field, FormDialog
from widgets.prompt import LineInput
from widgets.viewmodels import Choice, Span

OPTIONS = tuple(Choice(f"P{at}", f"P{at}", f"hint {at}", str(at)) for at in range(5))
FIELDS = (
    Field("title", "Title", "shop/cart", required=True),
    Field("severity", "Severity", "P2", OPTIONS),
    Field("owner", "Owner", "mina"),
)


class Desk:
    """A form on a stage, and what was handed over."""

    def __init__(self, fields: tuple[Field, ...] = FIELDS) -> None:
        self.clock, self.app = Clock(), Stage()
        self.handed: list[Mapping[str, str]] = []
        self.form = FormDialog(
            (Span("Declare"),), fields, self.handed.append, key="I", label="Declare", clock=self.clock
        )

    async def to_the_answers(self, pilot: object) -> None:
        await pilot.press("enter", "enter", "enter")  # type: ignore[attr-defined]
        self.clock.at += 1


async def opened(desk: Desk, pilot: object) -> None:
    desk.app.push_screen(desk.form, desk.app.answers.append)
    await pilot.pause()  # type: ignore[attr-defined]


async def test_fields_are_filled_in_and_confirmed_by_the_one_key() -> None:
    desk = Desk()
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(desk, pilot)
        await pilot.press("!", "enter", "0", "right", "enter", "x", "enter")
        desk.clock.at += 1
        await pilot.press("I")
        await pilot.pause()
        assert desk.handed == [{"title": "shop/cart!", "severity": "P1", "owner": "minax"}]
        assert desk.app.answers == [], "it stays until it is known to be done"
        desk.form.accept()
        await pilot.pause()
        assert (desk.app.answers, desk.app.unused) == ([True], [])


async def test_enter_never_confirms_and_ends_on_cancel() -> None:
    desk = Desk()
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(desk, pilot)
        desk.clock.at += 10
        await pilot.press("enter", "enter", "enter")
        desk.clock.at += 10
        await pilot.press("enter")
        await pilot.pause()
        assert (desk.handed, desk.app.answers) == ([], [False])
        assert desk.form.values["title"] == "shop/cart"


async def test_the_key_is_text_in_a_field_and_dead_when_typed_ahead() -> None:
    desk = Desk()
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(desk, pilot)
        desk.clock.at += 10
        await pilot.press("I", "I", "enter", "I", "enter", "enter", "I")
        desk.clock.at += 0.59
        await pilot.press("I")
        assert desk.handed == []
        assert desk.form.values["title"] == "shop/cartII"
        desk.clock.at += 0.1
        await pilot.press("i", "y", "space")
        assert desk.handed == []
        await pilot.press("I")
        await pilot.pause()
        assert len(desk.handed) == 1


async def test_going_back_to_a_field_disarms() -> None:
    desk = Desk()
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(desk, pilot)
        await desk.to_the_answers(pilot)
        await pilot.press("up", "down", "I")
        assert desk.handed == []


async def test_what_could_not_be_done_leaves_everything_typed() -> None:
    desk = Desk()
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(desk, pilot)
        await desk.to_the_answers(pilot)
        await pilot.press("I", "I")
        await pilot.pause()
        assert len(desk.handed) == 1, "a second press while it is being done does nothing"
        desk.form.refuse("The disk is full.")
        await pilot.pause()
        assert desk.app.answers == []
        assert "The disk is full." in desk.form.note.vm.lines[0][0].text
        assert desk.form.values == {"title": "shop/cart", "severity": "P2", "owner": "mina"}
        await pilot.press("I")
        await pilot.pause()
        assert len(desk.handed) == 2


async def test_a_required_field_that_is_empty_is_gone_back_to() -> None:
    desk = Desk((Field("title", "Title", "  ", required=True),))
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(desk, pilot)
        await pilot.press("enter")
        desk.clock.at += 1
        await pilot.press("I")
        await pilot.pause()
        assert desk.handed == []
        assert isinstance(desk.app.screen.focused, LineInput)


async def test_escape_leaves_from_anywhere_and_keeps_what_was_typed() -> None:
    desk = Desk()
    async with desk.app.run_test(size=(80, 24)) as pilot:
        await opened(desk, pilot)
        await pilot.press("q", "escape")
        await pilot.pause()
        assert (desk.app.answers, desk.app.unused) == ([False], [])
        assert desk.form.values["title"] == "shop/cartq"


@pytest.mark.parametrize("size", [(80, 24), (40, 12), (20, 8)])
async def test_hostile_values_and_small_screens_draw(size: tuple[int, int]) -> None:
    desk = Desk((Field("title", "Title", "".join(HOSTILE)), *FIELDS[1:]))
    async with desk.app.run_test(size=size) as pilot:
        await opened(desk, pilot)
        desk.form.refuse("[b]" + "".join(filter(str.isprintable, "".join(HOSTILE))))
        await pilot.pause()
        await pilot.press("enter", "left", "left", "left", "left")
        assert desk.form.values["severity"] == "P0"
