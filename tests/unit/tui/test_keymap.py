"""Keys of the configuration: which are taken, which are refused and why, and that the registry stays whole."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.actions.registry import BY_ID
from services.config import ConfigProblem, load
from tui.bindings import COMMANDS, K9S, Command, Group
from tui.keymap import DEFAULT, Keymap, keymap_of
from tui.remap import remapped

DANGER = (*COMMANDS, Command("roll_back", ("R",), "roll back", "roll back", Group.ACT, ("deck",)))


@pytest.mark.parametrize(
    ("text", "key", "shown"),
    [
        ("E", "E", "E"),
        ("ctrl-e", "ctrl+e", "ctrl-e"),
        ("Ctrl+E", "ctrl+e", "ctrl-e"),
        ("shift-e", "E", "E"),
        ("f5", "f5", "f5"),
        ("del", "delete", "delete"),
        ("ins", "insert", "insert"),
        ("é", "é", "é"),
        ("%", "percent_sign", "%"),
        ("@", "at", "@"),
        ("space", "space", "space"),
    ],
)
def test_a_key_is_written_as_it_is_printed(text: str, key: str, shown: str) -> None:
    commands, faults = remapped({"explain": text, "mark": "f9"})
    assert faults == []
    keymap = Keymap(commands)
    assert keymap.command_for("deck", key) == keymap.named("explain")
    assert keymap.command_for("deck", "X") is None
    assert keymap.key("explain") == shown


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"explian": "E"}, r'is no command.*did you mean "explain"'),
        ({"zzzzzz": "E"}, "is no command; `quarterdeck config keys`"),
        (
            {"explain": "d"},
            r'"d" is describe \(describe the object\) already, deck, .*; give describe',
        ),
        ({"explain": "q"}, '"q" is back .* already, everywhere'),
        ({"help": "w"}, '"w" is wrap .* already, text, logs'),
        ({"explain": "hyper-x"}, "is no key"),
        ({"explain": "\x1b"}, "is no key"),
        ({"explain": "ctrl-m"}, "a terminal sends it as enter"),
        ({"explain": "tab"}, "goes from table to table"),
        ({"roll_back": "ctrl-r"}, "changes something, so it cannot hang on ctrl-r: never ctrl, Delete"),
        ({"roll_back": "del"}, "changes something"),
        ({"roll_back": "backspace"}, "changes something"),
        ({"roll_back": "enter", "open": "o", "reorder": "Q"}, "changes something"),
    ],
)
def test_a_key_that_cannot_be_is_refused_with_the_reason(wanted: dict[str, str], reason: str) -> None:
    _, faults = remapped(wanted, DANGER)
    assert len(faults) == 1
    assert re.search(reason, faults[0].reason), faults[0].reason


def test_two_commands_may_change_places() -> None:
    commands, faults = remapped({"explain": "d", "describe": "X"})
    assert faults == []
    keymap = Keymap(commands)
    assert (keymap.key("explain"), keymap.key("describe")) == ("d", "X")


def test_a_key_of_another_place_is_free_and_other_keys_stay() -> None:
    commands, faults = remapped({"follow": "X", "down": "n"}, COMMANDS)
    assert [fault.id for fault in faults] == ["down"], "n is next match in documents"
    keymap = Keymap(commands)
    assert keymap.command_for("logs", "X") == keymap.named("follow")
    assert keymap.command_for("deck", "X") == keymap.named("explain")
    moved = Keymap(remapped({"down": "ctrl-n"})[0])
    assert moved.command_for("deck", "down") == moved.command_for("deck", "ctrl+n")


@given(st.dictionaries(st.sampled_from([one.id for one in COMMANDS]), st.text(min_size=1, max_size=8), max_size=6))
def test_whatever_is_asked_for_a_key_does_one_thing_in_a_place(wanted: dict[str, str]) -> None:
    commands, faults = remapped(wanted)
    assert [one.id for one in commands] == [one.id for one in COMMANDS]
    if faults:
        return
    for place in ("deck", "table", "workload", "text", "logs"):
        for one, other in combinations(Keymap(commands).commands_for(place), 2):
            assert not set(one.keys) & set(other.keys)


def test_faults_name_file_line_and_key(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[ui]\ntheme = "dark"\n[keys]\nexplain = "E"\nlogs = "d"\nhepl = "F"\n')
    with pytest.raises(ConfigProblem) as caught:
        keymap_of(load(path, {}))
    first, second = caught.value.faults
    assert str(second).startswith(f'{path}:5: keys.logs "d" is describe')
    assert str(first).startswith(f"{path}:6: keys.hepl is no command")


def test_hints_speak_of_the_keys_in_force() -> None:
    hints = [DEFAULT.says(cousin) for cousin in K9S]
    assert not any(re.search(r"[{}]", hint) for hint in hints)
    moved = Keymap(remapped({"since": "ctrl-t"})[0])
    assert "ctrl-t chooses how far back" in moved.hint_for("logs", "1")


def test_every_command_does_something_in_each_of_its_places() -> None:
    from tui.app import QuarterdeckApp
    from tui.screens.alert import AlertScreen
    from tui.screens.costs import CostsScreen
    from tui.screens.deck import DeckScreen
    from tui.screens.document import TextScreen
    from tui.screens.explain import ExplainScreen
    from tui.screens.incident import IncidentScreen
    from tui.screens.logs import LogScreen
    from tui.screens.outbox import OutboxScreen
    from tui.screens.table import TableScreen

    screens = {
        "deck": DeckScreen, "table": TableScreen, "workload": ExplainScreen, "logs": LogScreen, "text": TextScreen,
        "costs": CostsScreen, "outbox": OutboxScreen, "incident": IncidentScreen, "alert": AlertScreen,
    }  # fmt: skip
    for command in COMMANDS:
        for place in screens if "*" in command.places else command.places:
            name = f"do_{command.id}"
            known = command.id in BY_ID or hasattr(screens[place], name) or hasattr(QuarterdeckApp, name)
            assert known, (command.id, place)
