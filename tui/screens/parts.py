"""The tables that belong to one object: side by side, or one at a time under their counts where the screen is low."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import structs
from textual.app import ComposeResult
from textual.containers import Container

from widgets.live_table import LiveTable
from widgets.pane import Pane
from widgets.viewmodels import Line, PaneVM, Span, Tone

ALONE = ("-low", "-flat", "-tiny")
"""Size classes in which one table is seen at a time."""

_TURN = (Span("tab", Tone.KEY), Span(" next", Tone.MUTED))


class Parts(Container):
    """Named tables in panes; `active` is the name of the one that has the keys, or had them last."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(id="parts")
        self.tables: Mapping[str, LiveTable] = {name: LiveTable(id=name) for name in names}
        self.active = next(iter(self.tables))
        self._panes = {name: Pane(table, id=f"pane-{name}") for name, table in self.tables.items()}
        self._shown: dict[str, PaneVM] = {}

    def compose(self) -> ComposeResult:
        """Lay out the panes; the size classes decide which are seen."""
        with Container(id="part-grid"):
            yield from self._panes.values()

    def on_resize(self) -> None:
        """Name in the frame what has room: the size classes come with the size."""
        self._show_titles()

    def show(self, name: str, vm: PaneVM) -> None:
        """Show the title and the face of a table's pane."""
        self._shown[name] = vm
        self._show_titles()

    def activate(self, name: str) -> None:
        """Give a table the keys."""
        self.active = name
        for other, pane in self._panes.items():
            pane.set_class(other == name, "-active")
        self.tables[name].focus()
        self._show_titles()

    def _show_titles(self) -> None:
        alone = self.is_attached and any(self.screen.has_class(name) for name in ALONE)
        for name, vm in self._shown.items():
            self._panes[name].set_vm(structs.replace(vm, title=self._names(name)) if alone else vm)

    def _names(self, active: str) -> Line:
        """Return the titles of all, that of the one which is seen strong, and the key that turns to the next."""
        bar = Span(f" {self._panes[active].signs.bar} ", Tone.MUTED)
        line: list[Span] = []
        for name in sorted(self._shown, key=list(self.tables).index):
            tone = Tone.STRONG if name == active else Tone.MUTED
            line += [Span(one.text, tone) for one in self._shown[name].title]
            line.append(bar)
        return (*line, *_TURN)
