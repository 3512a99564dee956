"""The palette under fast fingers."""

from __future__ import annotations

import pytest
from textual.events import Paste

from tests.fixtures.text_widgets import HOSTILE, Stage
from widgets.history import History
from widgets.palette import Palette
from widgets.viewmodels import Choice

CHOICES = (
    Choice("view:pods", "pods", "view", "1"),
    Choice("view:deployments", "deployments", "view"),
    Choice("ns:shop", "shop", "namespace"),
    Choice("act:roll-back", "roll back", "action", "R", "read-only; ! arms"),
)


def opened(app: Stage, **options: object) -> Palette:
    palette = Palette(CHOICES, **options)  # type: ignore[arg-type]
    app.push_screen(palette, app.answers.append)
    return palette


ANSWERS: tuple[tuple[list[str], str | None], ...] = (
    (["enter"], "view:pods"),
    (["d", "enter"], "view:deployments"),
    (["down", "down", "enter"], "ns:shop"),
    (["down", "down", "up", "enter"], "view:deployments"),
    (["ctrl+n", "ctrl+n", "ctrl+p", "enter"], "view:deployments"),
    ([*"ingress", "space", *"shop", "enter"], "ingress shop"),
    ([*"pods", "space", "/", *"crash", "enter"], "pods /crash"),
    ([":", *"pods", "enter"], "view:pods"),
    ([*"po", "down", "enter"], "po"),
    (["d", "tab", "space", *"shop", "enter"], "deployments shop"),
    (["escape"], None),
    ([*"shop", "escape"], None),
)


async def test_answers() -> None:
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        for keys, answer in ANSWERS:
            opened(app)
            await pilot.press(*keys)
            await pilot.pause()
            assert (keys, app.answers.pop()) == (keys, answer)
        assert (app.answers, app.unused) == ([], [])


async def test_keys_typed_before_it_is_there_are_not_lost() -> None:
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        opened(app)
        app.type_ahead(*"ingress shop", "enter")
        await pilot.pause()
        await pilot.pause()
        assert app.answers == ["ingress shop"]
        opened(app)
        app.type_ahead(*"shop", "escape")
        await pilot.pause()
        await pilot.pause()
        assert app.answers == ["ingress shop", None]
        assert app.unused == [], "nothing fell through to the screen below"


async def test_what_is_off_says_why_and_answers_nothing() -> None:
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        opened(app)
        await pilot.press(*"roll", "enter")
        await pilot.pause()
        assert app.answers == []
        assert "roll back: read-only; ! arms" in app.text()
        await pilot.press("escape")
        assert app.answers == [None]


async def test_nothing_fits_and_no_free_text() -> None:
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        opened(app, free_text=False)
        await pilot.press(*"zzz", "enter")
        await pilot.pause()
        assert "nothing fits" in app.text()
        assert app.answers == []


async def test_up_on_an_empty_line_walks_what_was_typed() -> None:
    history = History(["ns shop", "pods /crash"])
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        palette = opened(app, history=history)
        await pilot.press("up")
        assert palette.line.value == "pods /crash"
        await pilot.press("up", "up")
        assert palette.line.value == "ns shop"
        await pilot.press("down")
        assert palette.line.value == "pods /crash"
        await pilot.press("enter")
        await pilot.pause()
        assert app.answers == ["pods /crash"]
        assert history.entries == ("ns shop", "pods /crash")
        opened(app, history=history)
        await pilot.press(*"shop", "enter")
        await pilot.pause()
        assert history.entries == ("ns shop", "pods /crash", "shop")


async def test_late_choices_do_not_move_the_cursor_off_its_own() -> None:
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        palette = opened(app)
        await pilot.press("down", "down")
        palette.set_choices((Choice("new", "certificates", "kind"), *CHOICES))
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert app.answers == ["ns:shop"]


async def test_pasted_escapes_are_not_drawn() -> None:
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        palette = opened(app)
        await pilot.pause()
        app.post_message(Paste("\n\x1b]0;title\x07po\x1b[31mds\nsecond"))
        await pilot.pause()
        assert palette.line.value == "]0;titlepo[31mds"


@pytest.mark.parametrize("size", [(80, 24), (40, 10), (20, 5), (200, 60)])
@pytest.mark.parametrize("plain", [True, False])
async def test_hostile_choices_and_sizes(size: tuple[int, int], plain: bool) -> None:
    app = Stage(plain=plain)
    choices = [Choice(text, text, text, text[:3], text if number % 2 else "") for number, text in enumerate(HOSTILE)]
    async with app.run_test(size=size) as pilot:
        app.push_screen(Palette(choices), app.answers.append)
        await pilot.press("e", "down", "down", "pagedown", "tab", "backspace", "enter")
        await pilot.pause()
        if isinstance(app.screen, Palette):
            for y in range(app.screen.list.size.height):
                assert app.screen.list.render_line(y).cell_length == app.screen.list.size.width


async def test_ascii_draws_nothing_else() -> None:
    app = Stage(plain=True)
    async with app.run_test(size=(80, 24)) as pilot:
        opened(app)
        await pilot.press("o")
        await pilot.pause()
        assert app.text().isascii()
