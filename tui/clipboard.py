"""Hands text to the clipboard of the terminal at the operator's end, through SSH, tmux and screen (OSC 52).

Nothing answers whether it arrived, so it says "sent to terminal", never "copied", and what it sent stays on screen.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from services.model.text import SafeText
from services.redact import redact
from services.sanitize import safe_text
from tui.terminal import multiplexer_of

if TYPE_CHECKING:
    from textual.app import App

MAX_BYTES = 74_994
"""What fits into an OSC 52 of 100,000 bytes, the most that terminals are known to take."""

_SCREEN_PIECE = 240
"""Bytes of a string that every GNU screen passes through at once."""

_NEEDS = {
    "tmux": "; tmux passes it on with `set-clipboard on`",
    "screen": "; screen passes it on where the terminal takes it",
    "": "",
}


def clean(text: str, mask: Callable[[str], str] | None = None) -> str:
    """Return what may be pasted elsewhere: line by line safe, secrets masked, names too where `mask` does so.

    Line breaks stay; tabs become four spaces, since a shell takes a pasted tab for a question.
    """
    lines = (line.replace("\t", "    ") for line in text.splitlines())
    joined = redact("\n".join(safe_text(line, len(line)) for line in lines))
    return joined if mask is None else "\n".join(mask(line) for line in joined.split("\n"))


def sequence(text: str, multiplexer: str = "") -> str:
    """Return the escape sequence that sets the clipboard, wrapped for `tmux` or `screen`.

    tmux gets it twice, plain for `set-clipboard on` and wrapped for `allow-passthrough on`: it takes what it knows.
    """
    encoded = base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")
    plain = f"\x1b]52;c;{encoded}\x07"
    if multiplexer == "tmux":
        return plain + "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if multiplexer == "screen":
        pieces = (plain[at : at + _SCREEN_PIECE] for at in range(0, len(plain), _SCREEN_PIECE))
        return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)
    return plain


def copy_to_terminal(
    app: App[Any],
    text: str,
    mask: Callable[[str], str] | None = None,
    env: Mapping[str, str] = os.environ,
) -> SafeText:
    """Send a text to the terminal's clipboard and return what to tell the operator.

    `mask` is the redaction in force: on a shared screen the masked text is what is sent.
    """
    ready = clean(text, mask)
    size = len(ready.encode("utf-8", "replace"))
    if not size:
        return SafeText("nothing to copy")
    if size > MAX_BYTES:
        return SafeText(f"not sent: {size:,} bytes; a terminal's clipboard takes {MAX_BYTES:,}")
    multiplexer = multiplexer_of(env)
    driver = app._driver
    if driver is None or app.is_headless:
        return SafeText("not sent: there is no terminal")
    driver.write(sequence(ready, multiplexer))
    return SafeText(f"sent to terminal, {size:,} bytes{_NEEDS[multiplexer]}")
