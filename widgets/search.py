"""Finds what the operator typed in lines of text: one pattern, its matches, and an index that grows with the text."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from msgspec import Struct

MAX_PATTERN = 500

_LINE_COST = 40
_UNBOUNDED = re.compile(r"[*+]|\{\d*,\}")


class PatternError(ValueError):
    """A pattern that cannot be searched for; its text is one sentence for the operator."""


class Pattern(Struct, frozen=True):
    """What to look for. Lower case finds both cases; one capital makes it exact (the smart case of vim).

    Plain text is sought as it stands, `regex` text as a regular expression of Python's `re`.
    """

    text: str
    _compiled: re.Pattern[str]
    _plain: str

    def matches(self, line: str) -> bool:
        """Whether the pattern occurs in `line`; an expression that can match nothing occurs in every line."""
        if self._plain and line.isascii():
            return self._plain in (line.lower() if self._folds else line)
        return self._compiled.search(line) is not None

    def spans(self, line: str) -> tuple[tuple[int, int], ...]:
        """Return the start and end (in code points) of each match in `line` that covers something, left to right."""
        if self._plain and line.isascii() and self._plain not in (line.lower() if self._folds else line):
            return ()
        return tuple(found.span() for found in self._compiled.finditer(line) if found.end() > found.start())

    @property
    def _folds(self) -> bool:
        return bool(self._compiled.flags & re.IGNORECASE)


def compile_pattern(text: str, *, regex: bool = False) -> Pattern | None:
    """Return the pattern for what was typed, or None when nothing was.

    Raises PatternError, with a sentence that can stand beside the input, when the expression is wrong, longer than
    500 characters, or repeats a repetition: `(a+)+` can take for ever on one line, and nothing can interrupt it.
    """
    if not text:
        return None
    if len(text) > MAX_PATTERN:
        raise PatternError(f"the pattern is longer than {MAX_PATTERN} characters")
    flags = 0 if any(character.isupper() for character in _typed_literals(text, regex)) else re.IGNORECASE
    if regex and _repeats_a_repetition(text):
        raise PatternError("a repetition inside a repetition can take for ever; write it without the outer one")
    try:
        compiled = re.compile(text if regex else re.escape(text), flags)
    except re.error as error:
        where = "" if error.pos is None else f" at character {error.pos + 1}"
        raise PatternError(f"{error.msg}{where}") from None
    except (OverflowError, RecursionError):
        raise PatternError("the expression is too deep or counts too far") from None
    plain = "" if regex or not text.isascii() else text.lower() if flags else text
    return Pattern(text, compiled, plain)


def joined_spans(patterns: Sequence[Pattern], line: str) -> list[tuple[int, int]]:
    """Return where any of the patterns matches in `line`, in order; overlapping and touching matches are one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(span for pattern in patterns for span in pattern.spans(line)):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _typed_literals(text: str, regex: bool) -> str:
    """Return `text` without its escapes, whose capitals are not what the operator looks for."""
    return re.sub(r"\\.", "", text) if regex else text


def _repeats_a_repetition(expression: str) -> bool:
    """Whether a group that holds an unbounded repetition is itself repeated without bound."""
    bare = re.sub(r"\[\^?\]?(?:\\.|[^\]\\])*\]", "x", re.sub(r"\\.", "x", expression, flags=re.DOTALL))
    held = [False]
    position = 0
    while position < len(bare):
        character = bare[position]
        position += 1
        if character == "(":
            held.append(False)
        elif character == ")" and len(held) > 1:
            inner = held.pop()
            repeated = _UNBOUNDED.match(bare, position) is not None
            if inner and repeated:
                return True
            held[-1] = held[-1] or inner or repeated
        elif _UNBOUNDED.match(bare, position - 1):
            held[-1] = True
    return False


class MatchIndex:
    """Which lines match, found a slice at a time and never twice.

    Lines are named by ascending integers that stay theirs for life (a serial, a line number).
    """

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self._found: list[int] = []
        self._scanned = -1

    def __len__(self) -> int:
        return len(self._found)

    def advance(self, lines: Sequence[int], text_of: Callable[[int], str], budget: int) -> bool:
        """Look at the lines not seen yet, for about `budget` characters; return whether all have been seen.

        `lines` are the ascending names of all lines; those at or below the last one seen are skipped.
        """
        position = bisect_right(lines, self._scanned)
        matches = self.pattern.matches
        while position < len(lines) and budget > 0:
            name = lines[position]
            text = text_of(name)
            if matches(text):
                self._found.append(name)
            budget -= len(text) + _LINE_COST
            self._scanned = name
            position += 1
        return position >= len(lines)

    def drop_before(self, name: int) -> None:
        """Forget the lines below `name`."""
        del self._found[: bisect_left(self._found, name)]

    def look_again_from(self, name: int) -> None:
        """Forget what was seen from `name` on: other lines are there now."""
        del self._found[bisect_left(self._found, name) :]
        self._scanned = min(self._scanned, name - 1)

    def after(self, name: int) -> int | None:
        """Return the next matching line after `name`, from the top again when there is none; None without any."""
        if not self._found:
            return None
        position = bisect_right(self._found, name)
        return self._found[position if position < len(self._found) else 0]

    def before(self, name: int) -> int | None:
        """Return the matching line before `name`, from the bottom again when there is none; None without any."""
        if not self._found:
            return None
        return self._found[bisect_left(self._found, name) - 1]

    def position(self, name: int | None) -> int:
        """Return the 1-based place of `name` among the matching lines, 0 when it is not one of them."""
        if name is None:
            return 0
        position = bisect_left(self._found, name)
        return position + 1 if position < len(self._found) and self._found[position] == name else 0
