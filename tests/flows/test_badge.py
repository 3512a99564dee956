"""The cluster's name stands on its own colour in every theme, and stays a plain word where there are no colours."""

from __future__ import annotations

import pytest
from rich.style import Style

from services.config_schema import ContextColour, ThemeName
from tests.flows.conftest import Deck, Open
from tui.console import Scope
from tui.themes import CONTEXT_COLOURS

COLOURS: tuple[str, ...] = ContextColour.__args__  # type: ignore[attr-defined]
THEMES: tuple[str, ...] = ThemeName.__args__  # type: ignore[attr-defined]


def name_style(deck: Deck) -> Style:
    """Return how the cluster's name is painted."""
    [strip, *_] = deck.app.screen._compositor.render_strips()
    [style] = [segment.style for segment in strip if "prod-eu-1" in segment.text]
    assert style is not None
    return style


@pytest.mark.parametrize("colour", COLOURS)
async def test_each_colour_lies_behind_the_name(open_deck: Open, colour: str) -> None:
    scope = Scope("prod-eu-1", "prod-eu-1", "PROD", colour=colour)
    async with open_deck(console={"scope": scope}) as deck:
        assert "prod-eu-1" in deck.header
        ground = name_style(deck).bgcolor
        assert ground is not None
        assert (ground.get_truecolor().hex.upper() == CONTEXT_COLOURS.get(colour)) is (colour != "none")


@pytest.mark.parametrize("theme", THEMES)
async def test_it_is_there_in_every_theme(open_deck: Open, theme: str) -> None:
    scope = Scope("prod-eu-1", "prod-eu-1", "PROD", colour="violet")
    async with open_deck(console={"scope": scope}, theme=theme, no_colour=theme == "mono") as deck:
        style = name_style(deck)
        assert style.bold
        assert style.bgcolor is not None
        if theme == "mono":
            assert style.bgcolor.is_default
        else:
            assert style.bgcolor.get_truecolor().hex.upper() == CONTEXT_COLOURS["violet"]
