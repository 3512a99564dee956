"""A line over time on the screen: only the cells that changed are painted again."""

from __future__ import annotations

from textual.geometry import Region
from textual.strip import Strip

from widgets.chart_layout import ChartVM, chart_rows
from widgets.ink import InkLine, changed_runs
from widgets.tones import Toned


class TimeSeries(Toned):
    """Draws a `ChartVM` in whatever room it has; an equal one paints nothing."""

    DEFAULT_CSS = """
    TimeSeries { height: 1fr; width: 1fr; background: $background; color: $foreground; }
    """

    def __init__(self, vm: ChartVM | None = None, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self._vm = vm or ChartVM(())
        self._rows: tuple[InkLine, ...] = ()
        self._drawn_for = (-1, -1)

    @property
    def vm(self) -> ChartVM:
        """The view-model shown."""
        return self._vm

    def set_vm(self, vm: ChartVM) -> None:
        """Show a chart."""
        if vm == self._vm:
            return
        self._vm = vm
        if self._drawn_for != tuple(self.size):
            return
        before, self._rows = self._rows, self._draw()
        regions = [
            Region(x, y, width, 1)
            for y, (old, new) in enumerate(zip(before, self._rows, strict=True))
            for x, width in changed_runs(old, new)
        ]
        if regions:
            self.refresh(*regions)

    def _draw(self) -> tuple[InkLine, ...]:
        return chart_rows(self._vm, self.size.width, self.size.height, self.signs)

    def render_line(self, y: int) -> Strip:
        """Return one row, all of them drawn anew where the size is another."""
        if self._drawn_for != tuple(self.size):
            self._drawn_for = (self.size.width, self.size.height)
            self._rows = self._draw()
        if y >= len(self._rows):
            return Strip.blank(self.size.width, self.rich_style)
        return self.strip_of(self._rows[y])
