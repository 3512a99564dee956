"""A pane's frame: number, title and freshness in its edge, and the sentence to show where there is no data."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from widgets.bar_layout import edge_line, wrap
from widgets.ink import Ink, InkLine, changed_runs
from widgets.live_table import LiveTable
from widgets.tones import Toned
from widgets.viewmodels import Face, PaneVM, Tone

_INDENT = 2


class PaneSentence(Toned):
    """Why a pane has no data or old data: a sentence with its shape, wrapped, never an animation."""

    DEFAULT_CSS = """
    PaneSentence { height: auto; width: 1fr; background: $background; color: $foreground; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[Face, str] = (Face.DATA, "")

    def say(self, face: Face, message: str) -> None:
        """Show a sentence; the same one again paints nothing."""
        if (face, message) != self._shown:
            self._shown = (face, message)
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's signature
        """Return the number of lines the sentence takes at a width."""
        return len(self._wrapped(width))

    def _wrapped(self, width: int) -> list[str]:
        return wrap(self._shown[1], width - _INDENT)

    def render_line(self, y: int) -> Strip:
        """Return a line of the sentence, the first with its shape."""
        lines = self._wrapped(self.size.width)
        if y >= len(lines):
            return Strip.blank(self.size.width, self.rich_style)
        failed = self._shown[0] is Face.FAILED
        shape = (self.signs.failed if failed else self.signs.quiet) if y == 0 else " "
        line = (
            Ink(shape.ljust(_INDENT), Tone.WARN if failed else Tone.MUTED),
            Ink(lines[y], Tone.PLAIN if failed else Tone.MUTED),
        )
        return self.strip_of(line).adjust_cell_length(self.size.width, self.rich_style)


class Pane(Toned):
    """A frame around a table or any other widget.

    While there is no fresh data, a sentence says why; rows that are there stay below it, dimmed. Hand the rows to the
    table before the frame's view-model.
    """

    OWN_LOOKS = frozenset({"layer--edge"})  # brighter around what has the focus
    SCOPED_CSS = False  # the class -ascii is set far above it

    DEFAULT_CSS = """
    Pane {
        height: 1fr;
        width: 1fr;
        layout: vertical;
        background: $background;
        color: $foreground;
        border: round $border-blurred;
        padding: 0 1 0 0;
        &:focus-within { border: round $border; }
        &:focus-within > .layer--edge { color: $border; }
        &:nocolor:focus-within > .layer--edge { text-style: bold; }
    }
    Pane.-ascii, .-ascii Pane { border: ascii $border-blurred; }
    Pane.-ascii:focus-within, .-ascii Pane:focus-within { border: ascii $border; }
    """

    def __init__(self, *children: Widget, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self._content = list(children)
        self._framed = list(children)  # those too that are out of sight
        self._composed = False
        self._sentence = PaneSentence()
        self._sentence.display = False
        self._vm = PaneVM("", ())
        self._edge: InkLine = ()
        self._edge_width = -1

    def compose(self) -> ComposeResult:
        """Put the sentence above what is framed."""
        self._composed = True
        yield self._sentence
        yield from self._framed

    def compose_add_child(self, widget: Widget) -> None:
        """Frame a widget yielded inside `with Pane():`."""
        self._content.append(widget)
        self._framed.append(widget)

    def frame(self, widget: Widget) -> None:
        """Frame one more widget."""
        self._content.append(widget)
        self._add(widget)

    def put(self, *widgets: Widget) -> None:
        """Frame these instead of what is framed, which stays out of sight; the first of them is the content."""
        for widget in self._content:
            widget.display = False
        self._content = [widgets[0]]
        self._add(*(widget for widget in widgets if widget not in self._framed))

    def _add(self, *widgets: Widget) -> None:
        """Take widgets into the frame now, or when it is laid out."""
        self._framed += widgets
        if self._composed:
            self.mount(*widgets)
        self._show_face()

    @property
    def vm(self) -> PaneVM:
        """The view-model shown."""
        return self._vm

    def set_vm(self, vm: PaneVM) -> None:
        """Show a frame; an equal one paints nothing."""
        if vm != self._vm:
            self._vm = vm
            self._repaint_edge()
            if vm.face is not Face.DATA:
                self._sentence.say(vm.face, vm.message)
        self._show_face()

    def on_live_table_cursor_moved(self) -> None:
        """Look whether there are rows now: the first one and the last one move the cursor."""
        self._show_face()

    def _show_face(self) -> None:
        no_data = self._vm.face is not Face.DATA
        self._sentence.display = no_data
        for widget in self._content:
            rows = bool(widget.vm.order) if isinstance(widget, LiveTable) else False
            widget.display = rows or not no_data
            if isinstance(widget, LiveTable):
                widget.set_stale(no_data or self._vm.stale)

    def _repaint_edge(self) -> None:
        if self._edge_width != self.outer_size.width:
            self._edge_width = -1  # hidden: the edge is made when it is seen, though it be as wide as before
            return
        drawn, self._edge = self._edge, edge_line(self._vm, self._edge_width, self.signs)
        # Regions count from the content's corner; the edge lies one line above and one cell left of it.
        regions = [Region(x - 1, -1, width, 1) for x, width in changed_runs(drawn, self._edge)]
        if regions:
            self.refresh(*regions)

    def get_loading_widget(self) -> Widget:
        """Return what stands in for a loading pane: a sentence, since an animation costs 100 KB/s."""
        sentence = PaneSentence()
        sentence.say(Face.WAITING, self._vm.message or "waiting for data")
        return sentence

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the frame with its own top edge: Textual's knows one title a border."""
        strips = super().render_lines(crop)
        if crop.y == 0 and strips:
            if self._edge_width != self.outer_size.width:
                self._edge_width = self.outer_size.width
                self._edge = edge_line(self._vm, self._edge_width, self.signs)
            edge = self.strip_of(self._edge)
            for line_filter in self.get_line_filters():
                edge = edge.apply_filter(line_filter, self.background_colors[1])
            strips[0] = edge.crop(crop.x, crop.right)
        return strips
