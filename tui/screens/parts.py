"""The tables that belong to one object: side by side, or one at a time under their counts where the screen is low."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from textual.app import ComposeResult
from textual.containers import Container

from widgets.bars import PaneStrip
from widgets.live_table import LiveTable
from widgets.pane import Pane
from widgets.viewmodels import Line, PaneStripVM, PaneVM, Span, Tone

_TURN = (Span("tab", Tone.MUTED),)


class Parts(Container):
    """Named tables in panes; `active` is the name of the one that has the keys, or had them last."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(id="parts")
        self.tables: Mapping[str, LiveTable] = {name: LiveTable(id=name) for name in names}
        self.active = next(iter(self.tables))
        self._panes = {name: Pane(table, id=f"pane-{name}") for name, table in self.tables.items()}
        self._strip = PaneStrip(id="part-names")
        self._titles: dict[str, Line] = dict.fromkeys(self.tables, ())

    def compose(self) -> ComposeResult:
        """Lay out the strip of names above the tables; the size classes decide what is seen."""
        yield self._strip
        with Container(id="part-grid"):
            yield from self._panes.values()

    def show(self, name: str, vm: PaneVM) -> None:
        """Show the title and the face of a table's pane."""
        self._panes[name].set_vm(vm)
        self._titles[name] = tuple(Span(span.text) for span in vm.title)
        self._show_strip()

    def activate(self, name: str) -> None:
        """Give a table the keys."""
        self.active = name
        for other, pane in self._panes.items():
            pane.set_class(other == name, "-active")
        self.tables[name].focus()
        self._show_strip()

    def _show_strip(self) -> None:
        self._strip.set_vm(PaneStripVM((*self._titles.values(), _TURN), list(self.tables).index(self.active)))
