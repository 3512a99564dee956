"""What widgets draw: frozen, already safe, already worded; a widget knows nothing else.

Text in here has been through the text gate and carries no markup. Equal view-models paint nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct


class Tone(StrEnum):
    """How a piece of text is meant; the theme decides the colour, shape and word carry the meaning first."""

    PLAIN = "plain"
    STRONG = "strong"
    MUTED = "muted"
    NOTICE = "notice"
    WARN = "warn"
    CRIT = "crit"
    PROD = "prod"
    KEY = "key"
    MATCH = "match"
    BADGE_BLUE = "badge-blue"
    BADGE_VIOLET = "badge-violet"
    BADGE_TEAL = "badge-teal"
    BADGE_AMBER = "badge-amber"
    BADGE_GREY = "badge-grey"


class Span(Struct, frozen=True):
    """A run of text in one tone."""

    text: str
    tone: Tone = Tone.PLAIN


Line = tuple[Span, ...]


def text_of(line: Iterable[Span]) -> str:
    """Return the words of a line, without their tones."""
    return "".join(span.text for span in line)


class Column(Struct, frozen=True):
    """One column of a table.

    `width` is the least number of cells; columns with `weight` share what room is left. Where the whole is too narrow,
    columns go from the highest `priority` number down (0 always stays). `right` aligns numbers.
    """

    key: str
    title: str
    width: int
    weight: int = 0
    priority: int = 0
    right: bool = False


class Row(Struct, frozen=True):
    """One row as drawn: a cell a column (missing ones are empty), and detail lines below it, indented.

    `identity` tells apart two things that have the same key, one after the other.
    """

    key: str
    cells: tuple[Span, ...]
    tone: Tone = Tone.PLAIN
    dimmed: bool = False
    details: tuple[Line, ...] = ()
    identity: str = ""


class TableVM(Struct, frozen=True):
    """A table: an order of keys, and a way to build the row of a key when it comes on screen.

    `tall` gives the number of detail lines of the rows that have any. `sort` names the sorted column and direction.
    `empty` is what to say when there are no rows.
    """

    columns: tuple[Column, ...]
    order: Sequence[str]
    row: Callable[[str], Row]
    tall: Mapping[str, int] = {}
    sort: tuple[str, bool] = ("", False)
    empty: str = ""


class Face(StrEnum):
    """Which face a pane shows: its data, or a sentence on why there is none."""

    DATA = "data"
    WAITING = "waiting"
    FAILED = "failed"
    NOT_CONFIGURED = "not-configured"


class PaneVM(Struct, frozen=True):
    """The frame of a pane: number and title left in its border, freshness right; `stale` dims the rows."""

    number: str
    title: Line
    state: Line = ()
    face: Face = Face.DATA
    message: str = ""
    stale: bool = False


class BarVM(Struct, frozen=True):
    """One line of spans, left, and right-aligned ones that go first to last when there is no room.

    `extra` is said behind the left ones; it goes before all right ones but the first.
    """

    left: tuple[Line, ...]
    right: tuple[Line, ...] = ()
    extra: Line = ()


class KeyHint(Struct, frozen=True):
    """One entry of the footer: a key and what it does here; `reason` says why it is off when it is.

    One that is `kept` stands there however narrow the footer is: it leads to all the others.
    """

    key: str
    label: str
    reason: str = ""
    kept: bool = False


class FooterVM(Struct, frozen=True):
    """The footer: the keys that apply here, most needed first, and what the display holds back ("3 moved o") right."""

    hints: tuple[KeyHint, ...]
    right: Line = ()


class PaneStripVM(Struct, frozen=True):
    """The panes in one line for small screens; `active` is the index of the one shown, muted spans go first."""

    panes: tuple[Line, ...]
    active: int = 0


LABEL_CELLS = 9
"""The cells of the labels that the facts of a plan stand behind."""


class TextVM(Struct, frozen=True):
    """A document: lines of spans, with a title; for describe, YAML, diffs, help."""

    title: Line
    lines: Sequence[Line]
    state: Line = ()


class LogEntry(Struct, frozen=True, gc=False):
    """One log line as drawn; `source` picks the colour of its name, `tone` says the line's level.

    With `dropped`, it reports instead that so many lines never arrived. With `marker`, it is a rule drawn across the
    log, and `text` its label.
    """

    stamp: str
    source: str
    text: str
    tone: Tone = Tone.PLAIN
    dropped: int = 0
    marker: bool = False


class Choice(Struct, frozen=True):
    """One entry of a list to choose from (palette, menu). `reason` greys it and says why.

    `names` are what it is called too: typed whole, they mean it as its title does.
    """

    id: str
    title: str
    hint: str = ""
    key: str = ""
    reason: str = ""
    names: tuple[str, ...] = ()


class HelpEntry(Struct, frozen=True):
    """One key in the help: its short label as the footer shows it, and a text that says what it does."""

    key: str
    label: str
    text: str = ""


class HelpSection(Struct, frozen=True):
    """The keys of one group, under its title."""

    title: str
    entries: tuple[HelpEntry, ...]
