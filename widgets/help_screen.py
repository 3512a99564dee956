"""The keys that work here, over the screen they work on; searched like any text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from widgets.help_layout import help_lines
from widgets.modal import Modal
from widgets.prompt import FilterBar
from widgets.text_view import TextView
from widgets.viewmodels import HelpSection, KeyHint, Line, TextVM

_HINTS = (KeyHint("esc", "close"), KeyHint("/", "search"), KeyHint("n", "next"), KeyHint("G", "end"))


class HelpScreen(Modal[None]):
    """Shows sections of keys in columns; esc first ends the search, then closes, as q and ? do."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", show=False),
        Binding("q,question_mark", "leave", show=False),
        Binding("slash", "search", show=False),
    ]

    widest = 180

    def __init__(self, title: Line, sections: Sequence[HelpSection]) -> None:
        super().__init__(title, _HINTS)
        self._sections = sections
        self.text = TextView(classes="-fits")
        self.bar = FilterBar()

    def body(self) -> Iterable[Widget]:
        """Return the text and the search below it."""
        yield self.text
        yield self.bar

    def body_rows(self, width: int) -> int:
        """Lay the sections out for a width; return their lines."""
        self.text.set_vm(TextVM((), help_lines(self._sections, width - 1, self.text.signs.ellipsis)))
        return self.text.rows

    def opened(self) -> None:
        """Let the text take the keys."""
        self.text.focus()

    def action_leave(self) -> None:
        """Close."""
        self.answer(None)

    def action_back(self) -> None:
        """End the search; without one, close."""
        if self.text.search is not None:
            self.text.set_search("")
        else:
            self.answer(None)

    def action_search(self) -> None:
        """Open the search."""
        self._show_bar(shown=True)
        self.bar.open(self.text.search.text if self.text.search else "")

    def on_filter_bar_changed(self, message: FilterBar.Changed) -> None:
        """Search as one types."""
        message.stop()
        self.bar.set_error(self.text.set_search(message.text, jump=True))

    def on_filter_bar_submitted(self, message: FilterBar.Submitted) -> None:
        """Keep the search."""
        message.stop()
        self._show_bar(shown=False)

    def on_filter_bar_cancelled(self, message: FilterBar.Cancelled) -> None:
        """Drop the search."""
        message.stop()
        self.text.set_search("")
        self._show_bar(shown=False)

    def _show_bar(self, *, shown: bool) -> None:
        """Let the search stand where the keys are."""
        self.hide_keys(hidden=shown)
        if not shown:
            self.bar.close()
            self.text.focus()
