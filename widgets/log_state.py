"""What can be said about a log in a title or a footer."""

from __future__ import annotations

from msgspec import Struct

from widgets.log_book import LogBook
from widgets.search import MatchIndex


class LogState(Struct, frozen=True):
    """What a title or footer says about a log.

    `shown` of `lines` lines pass the filter, `evicted` went from the old end, `lost` never arrived, `unseen` came since
    the end was last followed. `match` is the 1-based place of the current one of `matches`, 0 when there is none;
    `busy` while lines are still being searched or laid out.
    """

    following: bool = True
    wrap: bool = False
    stamps: bool = True
    sources: bool = True
    lines: int = 0
    shown: int = 0
    evicted: int = 0
    lost: int = 0
    unseen: int = 0
    filter: str = ""
    inverse: bool = False
    context: int = 0
    search: str = ""
    match: int = 0
    matches: int = 0
    busy: bool = False


def log_state(book: LogBook, index: MatchIndex | None, match: int | None) -> LogState:
    """Return what the book and the search say; the view adds what it knows alone."""
    rule = book.rule
    return LogState(
        wrap=book.wrap,
        stamps=book.stamps,
        sources=book.sources,
        lines=len(book.ring),
        shown=len(book.layout.serials),
        evicted=book.ring.evicted,
        lost=book.ring.lost,
        filter=rule.pattern.text if rule else "",
        inverse=rule.inverse if rule else False,
        context=rule.context if rule else 0,
        search=index.pattern.text if index else "",
        match=index.position(match) if index else 0,
        matches=len(index) if index else 0,
    )
