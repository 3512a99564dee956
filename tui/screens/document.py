"""Screens that are read, not chosen from: describe, YAML, diffs; and the keys they share with the logs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult

from services.errors import Problem
from services.ports import ClusterSession
from tui.console import Console
from tui.presenters.lens import Lens, plural
from tui.screens.base import BaseScreen
from widgets.pane import Pane
from widgets.prompt import FilterBar
from widgets.text_view import TextView
from widgets.viewmodels import LABEL_CELLS, Face, Line, PaneVM, Span, TextVM, Tone, text_of
from widgets.viewport import SearchView

Present = Callable[[Lens], Sequence[Line]]
Fetch = Callable[[ClusterSession], Awaitable[Present]]


class ReadingScreen(BaseScreen):
    """A screen with one viewport: movement, search and copy."""

    @property
    def viewport(self) -> SearchView:
        """What is read."""
        raise NotImplementedError

    def do_down(self) -> None:
        """Scroll down."""
        self.viewport.action_cursor_down()

    def do_up(self) -> None:
        """Scroll up."""
        self.viewport.action_cursor_up()

    def do_left(self) -> None:
        """Scroll to the left."""
        self.viewport.action_left()

    def do_right(self) -> None:
        """Scroll to the right."""
        self.viewport.action_right()

    def do_top(self) -> None:
        """Go to the first line."""
        self.viewport.action_top()

    def do_bottom(self) -> None:
        """Go to the last line."""
        self.viewport.action_bottom()

    def do_page_down(self) -> None:
        """Scroll a page down."""
        self.viewport.action_page_down()

    def do_page_up(self) -> None:
        """Scroll a page up."""
        self.viewport.action_page_up()

    def do_next_match(self) -> None:
        """Go to the next match."""
        self.viewport.action_next_match()

    def do_previous_match(self) -> None:
        """Go to the match before."""
        self.viewport.action_previous_match()


class TextScreen(ReadingScreen):
    """A document, fetched once and again on demand; what it says while it is being fetched, it says itself."""

    place: ClassVar[str] = "text"

    def __init__(
        self, console: Console, title: str, fetch: Fetch | None, at_hand: Present | None = None, *, wrap: bool = False
    ) -> None:
        """Show what is fetched from the server, or what is at hand; `wrap` where it is prose."""
        super().__init__(console)
        self._title = title
        self._fetch = fetch
        self._at_hand = at_hand
        self._search = ""
        self._lines: Sequence[Line] = ()
        self.text = TextView(id="text", wrap=wrap, hang=LABEL_CELLS if wrap else 0)
        self.pane = Pane(self.text, id="pane")
        self.bar = FilterBar(id="filter")

    @property
    def viewport(self) -> SearchView:
        """The document."""
        return self.text

    def compose(self) -> ComposeResult:
        """Lay out header, document, search and footer."""
        yield self.header
        yield self.pane
        yield self.bar
        yield self.footer

    def begin(self) -> None:
        """Fetch the document."""
        self.bar.display = False
        super().begin()
        self.text.focus()
        if self._at_hand is not None or self._fetch is None:
            self._arrived(self._at_hand, None)
            return
        self._show(Face.WAITING, "Asking the server.")
        self.quarterdeck.ask(self._fetch, self._arrived)

    def anew(self) -> TextScreen:
        """Return the same document, fetched again."""
        return TextScreen(self.console, self._title, self._fetch, self._at_hand, wrap=self.text.wrap)

    def _arrived(self, present: Present | None, problem: Problem | None) -> None:
        if not self.is_attached:
            return
        if present is None:
            self._show(Face.FAILED, problem.sentence if problem is not None else "The server was not asked.")
            return
        self._lines = present(self.console.lens())
        self.text.set_vm(TextVM((), tuple(self._lines)))
        self._show(Face.DATA, "")

    def _show(self, face: Face, message: str) -> None:
        lens = self.console.lens()
        title = [Span(lens.text(self._title), Tone.STRONG)]
        if self._lines:
            title += [lens.dash(), Span(plural(len(self._lines), "line"), Tone.MUTED)]
        if self._search:
            title.append(Span(f"  /{lens.text(self._search)}", Tone.KEY))
        self.pane.set_vm(PaneVM("", tuple(title), (), face, lens.text(message)))

    def do_filter(self) -> None:
        """Open the search."""
        self.bar.open(self._search)

    def on_filter_bar_changed(self, message: FilterBar.Changed) -> None:
        """Search as the operator types."""
        wrong = self.text.set_search(message.text, jump=True)
        self.bar.set_error(wrong)
        if not wrong:
            self._search = message.text
            self._show(Face.DATA, "")

    def on_filter_bar_submitted(self) -> None:
        """Keep the search."""
        self.bar.close()
        self.text.focus()

    def on_filter_bar_cancelled(self) -> None:
        """Drop the search."""
        self.bar.close()
        self._clear()
        self.text.focus()

    def _clear(self) -> None:
        self._search = ""
        self.text.set_search("")
        self._show(Face.DATA, "")

    def do_back(self) -> None:
        """Clear the search first, then leave."""
        if self._search:
            self._clear()
        else:
            super().do_back()

    def do_wrap(self) -> None:
        """Wrap long lines, or not."""
        self.text.action_wrap()

    def do_copy(self) -> None:
        """Copy the whole document, as it is shown."""
        self.quarterdeck.copy("\n".join(map(text_of, self._lines)))


def plain_lines(lines: Sequence[str], lens: Lens) -> tuple[Line, ...]:
    """Return raw lines as they may be drawn; a heading is a line that ends in a colon with nothing after it."""
    shown: list[Line] = []
    for raw in lines:
        text = lens.line(raw)
        key, colon, rest = text.partition(":")
        if colon and (not rest or rest.startswith(" ")) and not key.strip().startswith(("-", '"', "'")):
            shown.append((Span(key + colon, Tone.MUTED), Span(rest)))
        else:
            shown.append((Span(text),))
    return tuple(shown)
