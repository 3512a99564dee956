"""The one gate through which text from outside reaches a screen, a log or a file."""

from __future__ import annotations

import re

from services.model.text import SafeText

MAX_CELL = 512
MAX_LINE = 4096

# C0 and C1 controls, DEL, soft hyphen and other invisibles, bidi marks, embeddings, overrides and isolates, line and
# paragraph separators, byte-order mark, variation of tags, lone surrogates: what can move, hide, reorder or colour.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Whole escape sequences go at once, so that their parameters do not stay behind as litter:
# OSC, DCS, SOS, PM and APC up to their end (or the end of the text), CSI, and two-byte escapes.
_SEQUENCE = re.compile(
    "(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\\\|\x9c)?"
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?"
    "|\x1b[ -/]*[0-~]?"
)
_BREAK = re.compile(r"[\t\r\n\v\f]+")


def safe_text(raw: object, limit: int = MAX_CELL) -> SafeText:
    """Return `raw` as one line fit to be shown: escape sequences and controls out, breaks as one space, length capped.

    Idempotent. The cap counts code points; a cut is marked with an ellipsis that is part of the length.
    """
    if isinstance(raw, SafeText) and len(raw) <= limit:
        return raw
    text = raw if isinstance(raw, str) else str(raw)
    if len(text) > 4 * limit:
        text = text[: 4 * limit]
    if not (text.isascii() and text.isprintable()):
        text = _UNSAFE.sub("", _BREAK.sub(" ", _SEQUENCE.sub("", text)))
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return SafeText(text)


def safe_line(raw: object) -> SafeText:
    """Return a long line (a log line, a line of YAML) fit to be shown; tabs become four spaces."""
    text = raw if isinstance(raw, str) else str(raw)
    return safe_text(text.replace("\t", "    "), MAX_LINE)
