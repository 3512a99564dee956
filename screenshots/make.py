"""Draws the README's pictures from the recorded scene; `--check` says which of the committed ones are stale."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cache.live import LiveState
from screenshots.scene_alerts import whole
from screenshots.stage import on_stage
from services.model.source import SourceState

FOLDER = Path(__file__).parent
DEAD = "The API server has not answered since 03:13:52; asking again every 5 s."


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: what it is called, how big the terminal is, and what was pressed before it was taken.

    A word after a colon is a table to open.
    """

    name: str
    size: tuple[int, int]
    keys: tuple[str, ...] = ()
    dead: bool = False


PAGE = (":alerts", "j")
"""What puts the cursor on the row of the page whose rollback is pictured."""

PICTURES = (
    Picture("control-room-80x24", (80, 24)),
    Picture("control-room-120x40", (120, 40)),
    Picture("control-room-160x48", (160, 48)),
    Picture("control-room-200x60", (200, 60)),
    Picture("workload", (120, 40), ("enter",)),
    Picture("logs", (120, 40), ("l",)),
    Picture("alerts", (120, 40), (":alerts",)),
    Picture("alert", (120, 40), (":alerts", "enter")),
    Picture("explain", (120, 40), ("X",)),
    Picture("timeline", (120, 40), (":timeline",)),
    Picture("costs", (120, 40), (":costs",)),
    Picture("incident", (120, 40), (":incidents", "enter")),
    Picture("rollback-1-page", (120, 40), (*PAGE, "enter")),
    Picture("rollback-2-plan", (120, 40), (*PAGE, "enter", "R")),
    Picture("rollback-3-done", (120, 40), (*PAGE, "enter", "R", "y")),
    Picture("rollback-4-told", (120, 40), (*PAGE, "enter", "R", "y", "T")),
    Picture("dead-server", (120, 40), dead=True),
)

_FONT_FACES = re.compile(r"@font-face \{.*?\}\n?", re.DOTALL)
_MARKS = re.compile(r"terminal-\d+")


def dead() -> LiveState:
    """Return the scene 15 s after its API server went silent; the monitoring answers."""
    return whole(state=SourceState.FAILED, error=DEAD)


async def draw(picture: Picture) -> str:
    """Return the picture as SVG. Fonts are the reader's own: a picture loads nothing from elsewhere."""
    live = await asyncio.to_thread(dead) if picture.dead else None
    async with on_stage(picture.size, live) as stage:
        for key in picture.keys:
            await (stage.open_view(key[1:]) if key.startswith(":") else stage.press(key))
        drawn = stage.app.export_screenshot(title="quarterdeck")
    drawn = _MARKS.sub(f"terminal-{picture.name}", _FONT_FACES.sub("", drawn))
    return "\n".join(line.rstrip() for line in drawn.splitlines()).strip() + "\n"


def drawn(picture: Picture) -> str:
    """Return the picture as SVG, from a loop of its own."""
    return asyncio.run(draw(picture))


def path_of(picture: Picture) -> Path:
    """Return where a picture is kept."""
    return FOLDER / f"{picture.name}.svg"


def stale() -> list[str]:
    """Return the names of the pictures that no longer show what the program shows."""
    names = []
    for picture in PICTURES:
        path = path_of(picture)
        if not path.exists() or path.read_text(encoding="utf-8") != drawn(picture):
            names.append(path.name)
    return names


def main(arguments: Sequence[str]) -> int:
    """Write all pictures, or with `--check` return 1 when one is stale."""
    if "--check" not in arguments:
        for picture in PICTURES:
            path_of(picture).write_text(drawn(picture), encoding="utf-8")
            sys.stdout.write(f"{path_of(picture).name}\n")
        return 0
    names = stale()
    if names:
        sys.stderr.write(f"Stale pictures: {', '.join(names)}. `make screenshots` draws them anew.\n")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
