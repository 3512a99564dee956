"""The table of ten thousand live rows: builds only what is on screen and repaints only the cells that changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from widgets.table_view import TablePainting, TableView
from widgets.tones import Toned
from widgets.viewmodels import TableVM


class LiveTable(Toned, can_focus=True):
    """Draws a `TableVM`. The cursor and the marks belong to keys, never to places; see `TableView`."""

    DEFAULT_CSS = """
    LiveTable { height: 1fr; width: 1fr; background: $background; color: $foreground; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "cursor_up", show=False),
        Binding("down", "cursor_down", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
        Binding("home", "top", show=False),
        Binding("end", "bottom", show=False),
    ]

    @dataclass
    class Opened(Message):
        """The operator opened the row that was painted under the cursor."""

        table: LiveTable
        key: str

        @property
        def control(self) -> LiveTable:
            """The table that sent this."""
            return self.table

    @dataclass
    class CursorMoved(Message):
        """The cursor is on another key; `lost` names the chosen one when that went away by itself."""

        table: LiveTable
        key: str | None
        lost: str | None = None

        @property
        def control(self) -> LiveTable:
            """The table that sent this."""
            return self.table

    @dataclass
    class Marked(Message):
        """The marked keys changed."""

        table: LiveTable
        keys: frozenset[str]

        @property
        def control(self) -> LiveTable:
            """The table that sent this."""
            return self.table

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self._view = TableView()
        self._painting = TablePainting(self._view)

    @property
    def vm(self) -> TableVM:
        """The view-model shown."""
        return self._view.vm

    @property
    def cursor_key(self) -> str | None:
        """The key the cursor is on; None when there are no rows."""
        return self._view.cursor.key

    @property
    def cursor_lost(self) -> str | None:
        """The key that the operator chose and that went away; None while the cursor is where it was put."""
        return self._view.cursor.lost

    @property
    def target_key(self) -> str | None:
        """The key to act upon: the row seen under the cursor, also in the instant after the data changed."""
        return self._view.cursor.aim

    @property
    def target_identity(self) -> str:
        """The identity of the row to act upon, as it was painted last; "" where that is not known."""
        return self._view.target_identity

    @property
    def marks(self) -> frozenset[str]:
        """The marked keys; all of them are in the table."""
        return self._view.cursor.marks

    @property
    def visible_keys(self) -> tuple[str, ...]:
        """The keys of the rows on screen, from the top."""
        return self._view.visible_keys

    def set_vm(self, vm: TableVM, changed: frozenset[str] | None = None) -> None:
        """Show a view-model; `changed` names the keys whose rows may differ, None means any.

        The order must hold each key once and must not be altered afterwards.
        """
        marks = self.marks
        left_key = self._view.set_vm(vm, changed)
        self._repaint()
        if left_key:
            self.post_message(self.CursorMoved(self, self.cursor_key, self.cursor_lost))
        if marks != self.marks:
            self.post_message(self.Marked(self, self.marks))

    def set_stale(self, stale: bool) -> None:
        """Dim all rows (their data is old), or no longer."""
        if stale != self._view.stale:
            self._view.stale = stale
            self._repaint()

    def select(self, key: str, *, asked: bool = True) -> bool:
        """Put the cursor on a key; return False when the table does not have it.

        Where nobody `asked` for it, a key press goes on meaning what is on screen until the new row is painted.
        """
        aim = self._view.cursor.aim
        moved = self._view.cursor.choose(key)
        if not asked and aim is not None:
            self._view.cursor.aim = aim
        self._view.show_cursor()
        self._after_move(moved)
        return self.cursor_key == key

    def action_cursor_down(self) -> None:
        """Move to the next row."""
        self._after_move(self._view.step(1))

    def action_cursor_up(self) -> None:
        """Move to the row above."""
        self._after_move(self._view.step(-1))

    def action_page_down(self) -> None:
        """Move down by what is on screen."""
        self._after_move(self._view.turn_page(1))

    def action_page_up(self) -> None:
        """Move up by what is on screen."""
        self._after_move(self._view.turn_page(-1))

    def action_top(self) -> None:
        """Move to the first row."""
        self._after_move(self._view.step(-len(self.vm.order)))

    def action_bottom(self) -> None:
        """Move to the last row."""
        self._after_move(self._view.step(len(self.vm.order)))

    def action_mark(self) -> None:
        """Mark the row seen under the cursor, or take its mark away."""
        if self._view.cursor.mark():
            self._repaint()
            self.post_message(self.Marked(self, self.marks))

    def action_open(self) -> None:
        """Open the row seen under the cursor."""
        if self.target_key is not None:
            self.post_message(self.Opened(self, self.target_key))

    def clear_marks(self) -> None:
        """Take all marks away."""
        if self._view.cursor.clear_marks():
            self._repaint()
            self.post_message(self.Marked(self, self.marks))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move by three rows."""
        event.stop()
        self._after_move(self._view.step(3))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move by three rows."""
        event.stop()
        self._after_move(self._view.step(-3))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row clicked."""
        key = self._view.key_at(event.get_content_offset_capture(self).y)
        if key is not None:
            self.select(key)

    def on_focus(self) -> None:
        """Show the cursor."""
        self._view.focused = True
        self._repaint()

    def on_blur(self) -> None:
        """Hide the cursor: keys go elsewhere."""
        self._view.focused = False
        self._repaint()

    def on_resize(self) -> None:
        """Lay out for the new size; Textual repaints the whole of it."""
        if not self._laid_out:
            self._lay_out()

    def _after_move(self, moved: bool) -> None:
        self._repaint()
        if moved:
            self.post_message(self.CursorMoved(self, self.cursor_key))

    @property
    def needed(self) -> int:
        """The lines that all rows take, with the head."""
        return self._view.needed

    @property
    def _laid_out(self) -> bool:
        return (self._view.width, self._view.height) == self.size

    def _lay_out(self) -> None:
        self._view.signs = self.signs
        self._view.resize(*self.size)
        self._painting.lay_out()

    def _repaint(self) -> None:
        """Build the lines on screen again and refresh the cells in which they differ from those drawn."""
        if self._laid_out and (runs := self._painting.draw()):
            self.refresh(*(Region(x, y, width, 1) for x, y, width in runs))

    def render_line(self, y: int) -> Strip:
        """Return a line of the widget; what lies under the cursor counts as seen from here on."""
        if not self._laid_out:
            self._lay_out()
        line = self._painting.paint(y)
        return Strip.blank(self.size.width, self.rich_style) if line is None else self.strip_of(line)
