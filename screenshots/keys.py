"""Writes the README's table of keys from the registry; `--check` says whether the one there is stale."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tui.bindings import COMMANDS, Group, printed

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- keys: begin -->", "<!-- keys: end -->"
PLACES = {"*": "everywhere", "deck": "control room", "table": "tables", "workload": "workload", "text": "documents"}


def key_table() -> str:
    """Return the table as Markdown, in the order of the help."""
    lines = ["| Key | Does | Where |", "| --- | --- | --- |"]
    for group in Group:
        for command in (one for one in COMMANDS if one.group is group):
            keys = " ".join(f"`{printed(key)}`" for key in command.keys) or f"`:` {command.label}"
            where = ", ".join(PLACES.get(place, place) for place in command.places)
            lines.append(f"| {keys} | {command.text} | {where} |")
    return "\n".join(lines)


def with_keys(text: str) -> str:
    """Return a README with the table of today between its markers; raises ValueError when they are missing."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"README.md has no place for the keys: {BEGIN} and {END}")
    return pattern.sub(lambda _: f"{BEGIN}\n{key_table()}\n{END}", text)


def main(arguments: Sequence[str]) -> int:
    """Write the table into the README, or with `--check` return 1 when the one there is stale."""
    text = README.read_text(encoding="utf-8")
    wanted = with_keys(text)
    if "--check" in arguments:
        if wanted != text:
            sys.stderr.write("The README's table of keys is stale; `make screenshots` writes it anew.\n")
        return int(wanted != text)
    README.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
