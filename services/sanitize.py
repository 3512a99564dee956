"""The one gate through which text from outside reaches a screen, a log or a file."""

from __future__ import annotations

import re
from unicodedata import category

from services.model.text import SafeText

MAX_CELL = 512
MAX_LINE = 4096
MAX_MARKS = 3
"""Combining marks on one character: more than any script needs, fewer than it takes to paint over the neighbours."""

# Patterns are compiled by `re`, which keeps them, when a text first needs one: most texts never do.
# What can move, hide, reorder, recolour or lie unseen: C0 and C1 controls, DEL, every format character (bidi marks,
# embeddings, overrides, isolates, zero-width ones, tags), line and paragraph separators, blank letters and fillers,
# variation selectors, lone surrogates (bytes that were not UTF-8) and code points that are no characters.
_UNSAFE = (
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\ufffe\uffff\ud800-\udfff\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d159"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000))
    + "]"
)
# Those of them that count as printable.
_HIDDEN = "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U0001d159\U000e0100-\U000e01ef]"
# Whole escape sequences go at once, so that their parameters do not stay behind as litter:
# OSC, DCS, SOS, PM and APC up to their end (or the end of the line), CSI, and two-byte escapes. What they leave cannot
# join into a new one: every introducer that is left over goes with the unsafe characters.
_SEQUENCE = (
    "(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\\\|\x9c)?"
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?"
    "|\x1b[ -/]*[0-~]?"
)
_BREAK = "[\t\r\n\v\f\x85\u2028\u2029]+"
# Marks are no word characters, so only runs of such beyond Latin can hold too many of them, or begin a text; arrows,
# boxes and other signs, of which there are long runs, lie between.
_BEYOND = r"[^\w\s\x00-\u02ff\u2010-\u20cf\u2100-\u2cee]"
_MARKS = rf"\A{_BEYOND}+|{_BEYOND}{{{MAX_MARKS + 1},}}"


def safe_text(raw: object, limit: int = MAX_CELL) -> SafeText:
    """Return `raw` as one line fit to be shown: escape sequences and controls out, breaks as one space, length capped.

    Idempotent. The cap counts code points; a cut is marked with an ellipsis that is part of the length. A character
    keeps three combining marks, and a text does not begin with one, which would sit on what stands before it.
    """
    if isinstance(raw, SafeText) and len(raw) <= limit:
        return raw
    text = raw if isinstance(raw, str) else str(raw)
    if len(text) > 4 * limit:
        text = text[: 4 * limit]
    if not text.isprintable():
        text = re.sub(_UNSAFE, "", re.sub(_BREAK, " ", re.sub(_SEQUENCE, "", text)))
    elif not text.isascii():
        text = re.sub(_HIDDEN, "", text)
    if not text.isascii():
        text = re.sub(_MARKS, _few_marks, text)
    if len(text) > limit:
        text = text[: limit - 1] + "…" if limit > 0 else ""
    return SafeText(text)


def safe_line(raw: object) -> SafeText:
    """Return a long line (a log line, a line of YAML) fit to be shown; tabs become four spaces."""
    text = raw if isinstance(raw, str) else str(raw)
    return safe_text(text[: 4 * MAX_LINE].replace("\t", "    "), MAX_LINE)


def _few_marks(run: re.Match[str]) -> str:
    kept: list[str] = []
    marks = MAX_MARKS if run.start() == 0 else 0
    for character in run[0]:
        if category(character) in {"Mn", "Me"}:
            marks += 1
            if marks > MAX_MARKS:
                continue
        else:
            marks = 0
        kept.append(character)
    return "".join(kept)
