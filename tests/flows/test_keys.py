"""Keys that the configuration moved: they work, the old ones do not, and footer, help and palette show the new ones."""

from __future__ import annotations

from tests.flows.conftest import Open
from tui.keymap import Keymap
from tui.remap import remapped
from tui.screens.deck import DeckScreen
from tui.screens.document import TextScreen
from tui.screens.logs import LogScreen
from tui.screens.table import TableScreen

MOVED = Keymap(remapped({"logs": "ctrl-e", "describe": "F7", "namespaces": "ctrl-n", "down": "J"})[0])


async def test_a_moved_key_works_and_the_old_one_does_not(open_deck: Open) -> None:
    async with open_deck((160, 48), keymap=MOVED) as deck:
        await deck.press("l")
        assert isinstance(deck.app.screen, DeckScreen)
        await deck.press("ctrl+e")
        assert isinstance(deck.app.screen, LogScreen)
        await deck.press("escape", "f7")
        assert isinstance(deck.app.screen, TextScreen)
        await deck.press("escape", "d")
        assert isinstance(deck.app.screen, DeckScreen)
        at = deck.app.screen.contents.rollouts.cursor_key
        await deck.press("J", "down", "k")
        assert deck.app.screen.contents.rollouts.cursor_key != at


async def test_footer_help_and_palette_show_the_moved_key(open_deck: Open) -> None:
    async with open_deck((160, 60), keymap=MOVED) as deck:
        assert "ctrl-e logs" in deck.footer
        assert "f7 describe" in deck.footer
        await deck.press("question_mark")
        assert "ctrl-e" in deck.text
        await deck.press("escape", "colon", *"describe")
        assert "f7" in deck.text
        await deck.press("enter")
        assert isinstance(deck.app.screen, TextScreen)
        await deck.press("escape")
        deck.app.enter_namespace("shop")
        assert "ctrl-n shows all again" in deck.footer or "ctrl-n shows all again" in deck.app.front.note


async def test_keys_may_move_while_the_console_runs(open_deck: Open) -> None:
    async with open_deck() as deck:
        deck.app.use_keys(MOVED)
        await deck.settle()
        assert "ctrl-e logs" in deck.footer
        await deck.press("ctrl+e")
        assert isinstance(deck.app.screen, LogScreen)


async def test_lines_around_a_match_in_the_logs(open_deck: Open) -> None:
    async with open_deck() as deck:
        await deck.press("l", "slash", *"vat", "enter", "C")
        assert "2 lines around" in deck.text


async def test_a_k9s_hint_names_the_key_in_force(open_deck: Open) -> None:
    async with open_deck(keymap=MOVED) as deck:
        deck.app.open_view("pods")
        await deck.settle()
        await deck.press("a")
        assert isinstance(deck.app.screen, TableScreen)
        assert "ctrl-e shows the logs" in deck.footer
