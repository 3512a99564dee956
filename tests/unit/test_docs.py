"""The README shows what the program is today: its pictures, its keys, its commands, its make targets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from screenshots import keys, make
from tui.bindings import COMMANDS, printed
from tui.cli import COMMANDS as WORDS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("picture", make.PICTURES, ids=lambda picture: picture.name)
def test_a_picture_shows_what_the_program_shows(picture: make.Picture) -> None:
    kept = make.path_of(picture).read_text(encoding="utf-8")
    same = kept == make.drawn(picture)
    assert same, "stale: make screenshots"  # and no difference of two long texts, which takes half a minute
    assert f"screenshots/{picture.name}.svg" in README
    assert "@font-face" not in kept


def test_no_picture_is_left_over() -> None:
    assert {path.stem for path in make.FOLDER.glob("*.svg")} == {picture.name for picture in make.PICTURES}


def test_the_table_of_keys_is_that_of_the_registry() -> None:
    assert keys.with_keys(README) == README, "stale: make screenshots"
    for command in COMMANDS:
        assert f"`{printed(command.key)}`" in README or f"`:` {command.label}" in README


def test_a_readme_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for the keys"):
        keys.with_keys("# Nothing")


def test_every_command_is_told() -> None:
    for word in WORDS:
        assert f"quarterdeck {word}" in README or f"quarterdeck [{word}]" in README


def test_every_make_target_that_is_told_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    told = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert told
    assert told <= targets


def test_linked_files_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target
