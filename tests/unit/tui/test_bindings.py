"""The registry of keys: unique in each place, and every k9s key accounted for."""

from __future__ import annotations

from itertools import combinations

import pytest

from tui.bindings import COMMANDS, K9S, Kin, command_for, commands_for
from tui.keymap import DEFAULT

PLACES = ("deck", "table", "workload", "text", "logs")

# k9s 0.51: keys of its tables and its log view (reference: peers, 1.2).
K9S_TABLE = set("jkgGqdylpsaecziuvtfbxowJF0123456789NASPO") | {
    "colon", "slash", "question_mark", "escape", "enter", "space", "ctrl+space", "ctrl+d", "ctrl+k", "ctrl+l", "ctrl+s",
    "ctrl+z", "ctrl+w", "ctrl+e", "ctrl+g", "ctrl+r", "ctrl+a", "ctrl+c", "ctrl+f", "ctrl+b", "ctrl+backslash",
    "left_square_bracket", "right_square_bracket", "minus", "r",
}  # fmt: skip
K9S_LOGS = set("0123456swtfmaLcC")


@pytest.mark.parametrize("place", PLACES)
def test_a_key_does_one_thing_in_a_place(place: str) -> None:
    own = [command for command in commands_for(place) if place in command.places]
    everywhere = [command for command in commands_for(place) if "*" in command.places]
    for commands in (own, everywhere):
        for one, other in combinations(commands, 2):
            assert not set(one.keys) & set(other.keys), (place, one.id, other.id)


def test_ids_are_unique() -> None:
    assert len({command.id for command in COMMANDS}) == len(COMMANDS)


@pytest.mark.parametrize(("where", "keys"), [("table", K9S_TABLE), ("logs", K9S_LOGS)])
def test_every_k9s_key_is_the_same_ours_or_inert_with_a_hint(where: str, keys: set[str]) -> None:
    listed = {cousin.key: cousin for cousin in K9S if cousin.where in (where, "*")}
    missing = {key for key in keys if key not in listed}
    assert not missing


@pytest.mark.parametrize("cousin", K9S, ids=lambda cousin: f"{cousin.where}-{cousin.key}")
def test_a_k9s_key_is_what_the_table_says(cousin: object) -> None:
    where = cousin.where if cousin.where != "*" else "table"
    places = ("deck", "table") if where == "table" else (where,)
    commands = [command for place in places if (command := command_for(place, cousin.key))]
    if cousin.kin is Kin.INERT:
        assert not commands
        assert cousin.hint
        assert DEFAULT.hint_for(places[0], cousin.key)
    else:
        assert commands, cousin.key
        assert cousin.kin is Kin.SAME or cousin.hint


def test_nothing_that_changes_anything_hangs_on_ctrl_delete_or_backspace() -> None:
    from tui.bindings import Group

    for command in COMMANDS:
        if command.group is Group.ACT:
            assert not any(key.startswith("ctrl") or key in ("delete", "backspace") for key in command.keys)
