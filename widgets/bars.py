"""The lines around the panes: header, strip of panes, timeline and footer, each repainting only what changed."""

from __future__ import annotations

from typing import Generic, TypeVar

from textual.geometry import Region
from textual.strip import Strip

from widgets.bar_layout import bar_line, footer_line, last_parts_line, note_lines, strip_line, timeline_line
from widgets.frugal_app import FrugalApp
from widgets.ink import InkLine, changed_runs
from widgets.tones import Toned
from widgets.viewmodels import BarVM, FooterVM, PaneStripVM

ViewModel = TypeVar("ViewModel")

_ROOMY = 15
"""Lines of a screen from which on a sentence may take more than one."""


class OneLine(Toned, Generic[ViewModel]):
    """One line made of a view-model; an equal view-model paints nothing, a changed one only the changed cells."""

    DEFAULT_CSS = """
    OneLine { height: 1; width: 1fr; background: $background; color: $foreground; }
    """

    def __init__(self, vm: ViewModel, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self._vm = vm
        self._line: InkLine = ()
        self._width = -1

    @property
    def vm(self) -> ViewModel:
        """The view-model shown."""
        return self._vm

    def set_vm(self, vm: ViewModel, *, at_once: bool = False) -> None:
        """Show a view-model; `at_once` before anything else that has changed, which costs less than the usual way."""
        if vm == self._vm:
            return
        self._vm = vm
        if self._width != self.size.width:
            self._width = -1  # hidden: the line is made when it is seen, though it be as wide as before
            return
        drawn, self._line = self._line, self.compose_line(vm, self._width)
        regions = [Region(x, 0, width, 1) for x, width in changed_runs(drawn, self._line)]
        if regions and not (at_once and isinstance(self.app, FrugalApp) and self.app.paint_at_once(self)):
            self.refresh(*regions)

    def compose_line(self, vm: ViewModel, width: int) -> InkLine:
        """Return the line for a width; each bar has its own rules on what goes first."""
        raise NotImplementedError

    def render_line(self, y: int) -> Strip:
        """Return the line, laid out again when the width is another (Textual then repaints the whole of it)."""
        if y:
            return Strip.blank(self.size.width, self.rich_style)
        if self._width != self.size.width:
            self._width = self.size.width
            self._line = self.compose_line(self._vm, self._width)
        return self.strip_of(self._line)


class HeaderBar(OneLine[BarVM]):
    """Where am I, is it live, how bad is it, who drives, in which mode, at what time (UTC)."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(BarVM(()), id=id, classes=classes)

    def compose_line(self, vm: BarVM, width: int) -> InkLine:
        """Drop right parts first to last, then cut the left ones."""
        return bar_line(vm, width, self.signs)


class LastPartsBar(HeaderBar):
    """Parts of which the last counts most: what is quiet stands first and goes first."""

    def compose_line(self, vm: BarVM, width: int) -> InkLine:
        """Drop left parts first to last."""
        return last_parts_line(vm, width, self.signs)


class TimelineStrip(OneLine[BarVM]):
    """What happened lately, newest left: the left parts of a `BarVM`."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(BarVM(()), id=id, classes=classes)

    def compose_line(self, vm: BarVM, width: int) -> InkLine:
        """Show as many happenings as fit."""
        return timeline_line(vm, width, self.signs)


class PaneStrip(OneLine[PaneStripVM]):
    """All panes with their counts in one line, where the screen has room for one pane only."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(PaneStripVM(()), id=id, classes=classes)

    def compose_line(self, vm: PaneStripVM, width: int) -> InkLine:
        """Drop the names of panes when the counts would not fit."""
        return strip_line(vm, width, self.signs)


class FooterBar(OneLine[FooterVM]):
    """The keys that work here now; one that is off stands in brackets and `reason` says why.

    A sentence in their place takes the lines that it needs, up to three where the screen is not a small one.
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(FooterVM(()), id=id, classes=classes)
        self._note: tuple[InkLine, ...] = ()

    def set_vm(self, vm: FooterVM, *, at_once: bool = False) -> None:
        """Show a view-model."""
        super().set_vm(vm, at_once=at_once)
        self._wrap()

    def on_resize(self) -> None:
        """Wrap the sentence anew."""
        self._wrap()

    def _wrap(self) -> None:
        before, most = self._note, 3 if self.app.size.height >= _ROOMY else 1
        self._note = note_lines(self.vm, self.size.width, most, self.signs)
        if len(before) != len(self._note):
            self.styles.height = len(self._note) or 1
        if before != self._note:
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return a line of the sentence, or the one line of keys."""
        return self.strip_of(self._note[y]) if y < len(self._note) else super().render_line(y)

    def compose_line(self, vm: FooterVM, width: int) -> InkLine:
        """Show as many whole hints as fit."""
        return footer_line(vm, width, self.signs)

    def reason(self, key: str) -> str:
        """Return why a key is off, or "" when it works or is not listed."""
        return next((hint.reason for hint in self.vm.hints if hint.key == key), "")
