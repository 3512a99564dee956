"""Text that tries to break out of a terminal, put wherever the API takes free text."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json

TRICKS = (
    "\x1b]52;c;cm0gLXJmIC8=\x07",
    "\x1b[2J\x1b[H",
    "\x1b]0;owned\x07",
    "\x9b31m",
    "\x1b[31mFAKE ALERT\x1b[0m",
    "\u202egnp.exe\u202c",
    "\u2066\u2067hidden\u2069",
    "[/]",
    "[bold red]markup[/bold red]",
    "[@click=app.quit]press me[/]",
    "\r\nall clear",
    "\x07\x07\x08\x08",
    "\u200b\u200d\ufeff",
    "宽字符测试" * 12,
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "e\u0301" * 40,
    "A" * 5000,
    "{{7*7}} %s %n $(reboot) `id`",
    "\x1bP+q544e\x1b\\",
    "\x00nul",
)


class Hostility:
    """Puts tricks into some of the texts that pass: which ones follows from the text alone."""

    def __init__(self, *, on: bool) -> None:
        self._on = on

    def text(self, text: str) -> str:
        """Return a text, in one of three cases with a trick in it."""
        if not self._on:
            return text
        dice = zlib.crc32(text.encode("utf-8", "replace"))
        if dice % 3:
            return text
        trick = TRICKS[(dice >> 8) % len(TRICKS)]
        middle = len(text) // 2
        return f"{text[:middle]}{trick}{text[middle:]}"

    def annotate(self, obj: Json, number: int) -> None:
        """Give an object annotations that carry tricks."""
        if self._on:
            annotations = obj["metadata"].setdefault("annotations", {})
            annotations["kubernetes.io/description"] = TRICKS[number % len(TRICKS)]
            annotations["example.com/note"] = f"before {TRICKS[(number * 7 + 3) % len(TRICKS)]} after"

    def tag(self, tag: str, number: int) -> str:
        """Return an image tag that a registry would refuse and the API takes, now and then."""
        if not self._on or number % 5:
            return tag
        return f"{tag}{TRICKS[number % len(TRICKS)].strip()[:200]}"
