"""An app that writes only the cells that differ from what the terminal shows, and never waits for a stalled one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar, Generic, TypeVar

from rich.color import ColorSystem
from rich.console import RenderableType
from rich.segment import Segment
from textual import constants
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.css.types import CSSLocation
from textual.driver import Driver
from textual.drivers._writer_thread import WriterThread
from textual.geometry import NULL_REGION, Region
from textual.screen import Screen
from textual.widget import Widget

from widgets.last_frame import LastFrame

ReturnType = TypeVar("ReturnType")

_SYNC_WORTH = 512
"""Bytes from which an update is bracketed (DEC private mode 2026); less goes out in one write."""
_BACKLOG = 2
_RETRY_SECONDS = 0.05
_MANY_SPANS = 8
"""Pieces of lines from which an update is written in a turn of the loop of its own: to draw it took long enough."""
_SHOWN_WITHIN = 0.5
_BREATH_SECONDS = 0.002
"""What lets everything that became due while an update was drawn have its turn before it is written."""

Update = LayoutUpdate | ChopsUpdate
Part = tuple[int, int, Iterator[Segment]]
"""Where a piece of a line stands (x, y), and what it is."""


class FrugalApp(App[ReturnType], Generic[ReturnType]):
    """A Textual app (8.2.8) whose updates are compared with the last frame before they are written.

    While the terminal does not take what was written, frames are left out, not queued: the loop goes on, and the
    newest state is written as one difference once the terminal takes bytes again.
    """

    _frame: LastFrame | None = None
    _frame_writer: WriterThread | None = None
    _frame_owed = False
    _drawn: tuple[tuple[WriterThread, Update], ...] = ()
    _size_told = False
    _once_shown: Callable[[], None] | None = None

    STYLED_FIRST: ClassVar[tuple[type[Widget], ...]] = ()
    """Widgets of the first screen: their styles are parsed with the app's, once, and not in five parts as they come."""

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """Return the screen as an SVG whose spaces count everywhere: some renderers trim the ends of every piece."""
        drawn = super().export_screenshot(title=title, simplify=simplify)
        return drawn.replace("<text ", '<text xml:space="preserve" ')

    def get_driver_class(self) -> type[Driver]:
        """Return the driver whose input thread sleeps, unless the environment names another."""
        if constants.DRIVER is not None:
            return super().get_driver_class()
        from widgets.quiet_driver import QuietDriver

        return QuietDriver

    def once_shown(self, callback: Callable[[], None]) -> None:
        """Call back when the terminal has the first frame, or soon, where it does not take it."""
        self._once_shown = callback
        if self.is_headless:
            self.call_after_refresh(self._shown)
        else:
            self.set_timer(_SHOWN_WITHIN, self._shown)

    def _shown(self) -> None:
        callback, self._once_shown = self._once_shown, None
        if callback is not None:
            callback()

    def _get_default_css(self) -> list[tuple[CSSLocation, str, int, str]]:
        sources = super()._get_default_css()
        for kind in self.STYLED_FIRST:
            sources += object.__new__(kind)._get_default_css()  # which depends on the class alone
        return sources

    def _load_screen_css(self, screen: Screen[object]) -> None:
        """Parse what a screen brings; Textual (8.2.8) parses all anew, and styles what stands below once more."""
        for path in screen.css_path:
            if not self.stylesheet.has_source(str(path)):
                css = path.read_text(encoding="utf-8")
                self.stylesheet.add_source(css, read_from=(str(path), ""), is_default_css=False)

    def action_redraw(self) -> None:
        """Write every cell again: something else wrote on this terminal."""
        self._frame_writer = None
        self._paint_all()

    def on_resize(self) -> None:
        """Trust nothing on screen: a terminal may move cells as it likes when its size changes.

        The first event only tells the size that the first frame was drawn for.
        """
        if self._size_told:
            self._frame_writer = None
        self._size_told = True

    def on_unmount(self) -> None:
        """Leave the terminal with its own pen."""
        self._drawn = ()
        writer = self._terminal_writer
        if self._frame is not None and writer is not None and not writer._queue.full():
            writer.write(self._frame.release())

    @property
    def _terminal_writer(self) -> WriterThread | None:
        """The thread that writes to the terminal; a new one each time that the screen was left and entered again."""
        writer = getattr(self._driver, "_writer_thread", None)
        return writer if isinstance(writer, WriterThread) else None

    @staticmethod
    def _backlog(writer: WriterThread) -> bool:
        return writer._queue.qsize() >= _BACKLOG

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        writer = self._terminal_writer
        if writer is None or not isinstance(renderable, (LayoutUpdate, ChopsUpdate)):
            super()._display(screen, renderable)
            return
        if (self._batch_count and self._frame is not None) or not self._running or self._closed or self.is_headless:
            self.post_display_hook()
            return
        if self._backlog(writer):
            self._owe()
        elif writer is not self._frame_writer and isinstance(renderable, ChopsUpdate):
            self._paint_all()
        elif writer is not self._frame_writer:
            self._write_update(writer, renderable)  # somebody waits before an empty screen
        elif self._drawn or isinstance(renderable, LayoutUpdate) or len(renderable.spans) > _MANY_SPANS:
            if not self._drawn:
                asyncio.get_running_loop().call_later(_BREATH_SECONDS, self._write_drawn)
            self._drawn = (*self._drawn, (writer, renderable))
        else:
            self._write_update(writer, renderable)
        self.post_display_hook()

    def _write_drawn(self) -> None:
        """Write the updates that wait for it, unless the screen was left since."""
        drawn, self._drawn = self._drawn, ()
        for writer, update in drawn:
            if writer is self._terminal_writer and self.screen_stack:
                self._write_update(writer, update)

    def _owe(self) -> None:
        """Leave a frame out and try again soon."""
        if not self._frame_owed:
            self._frame_owed = True
            self.set_timer(_RETRY_SECONDS, self._settle)

    def _settle(self) -> None:
        self._frame_owed = False
        writer = self._terminal_writer
        if writer is None:
            return
        if self._backlog(writer):
            self._owe()
        else:
            self._paint_all()

    def _paint_all(self) -> None:
        """Compare the whole screen with the last frame."""
        screen = self.screen
        update = screen._compositor.render_update(full=True, screen_stack=self._background_screens)
        self._display(screen, update)

    def paint_at_once(self, widget: Widget) -> bool:
        """Write the first line of a widget now; False where the usual way has to be gone, which is for the caller.

        To compose the screen anew for one digit of a clock costs several times as much, every second.
        """
        writer, frame, screen = self._terminal_writer, self._frame, widget.screen
        if writer is None or frame is None or writer is not self._frame_writer or self._backlog(writer):
            return False
        if self._drawn or self._frame_owed or self._batch_count or self._closed or screen is not self.screen:
            return False
        compositor = screen._compositor
        region, clip = compositor.visible_widgets.get(widget, (NULL_REGION, NULL_REGION))
        if frame.size != compositor.size or not region or not clip.contains_region(region):
            return False
        if compositor.layers_visible[region.y][0][0] is not widget:
            return False
        line = Region(0, 0, region.width, 1)
        widget._styles_cache.set_dirty(line)
        self._write_parts(writer, frame, ((region.x, region.y, iter(strip)) for strip in widget.render_lines(line)))
        return True

    def _write_update(self, writer: WriterThread, update: Update) -> None:
        if self._frame is None:
            self._frame = LastFrame(self.console._color_system or ColorSystem.TRUECOLOR)
            self.call_later(self._shown)
        size = update.region.size if isinstance(update, LayoutUpdate) else self.size
        if writer is not self._frame_writer or self._frame.size != size:
            self._frame.forget(*size)
            self._frame_writer = writer
        parts = _layout_parts(update) if isinstance(update, LayoutUpdate) else _chop_parts(update)
        self._write_parts(writer, self._frame, parts)

    def _write_parts(self, writer: WriterThread, frame: LastFrame, parts: Iterable[Part]) -> None:
        sequence = frame.update(parts)
        sequence += self._input_cursor(written=bool(sequence))
        if self._sync_available and len(sequence) >= _SYNC_WORTH:
            sequence = f"\x1b[?2026h{sequence}\x1b[?2026l"
        if sequence:
            writer.write(sequence)

    def _input_cursor(self, *, written: bool) -> str:
        """Return the move to where text is typed, which input methods follow; none where nothing is typed."""
        x, y = position = self.screen.outer_size.clamp_offset(self.cursor_position)
        moved = position != self._previous_cursor_position
        self._previous_cursor_position = position
        return f"\x1b[{y + 1};{x + 1}H" if moved or (written and any(position)) else ""


def _layout_parts(update: LayoutUpdate) -> Iterator[Part]:
    for y, strips in enumerate(update.strips, update.region.y):
        yield update.region.x, y, (segment for strip in strips for segment in strip)


def _chop_parts(update: ChopsUpdate) -> Iterator[Part]:
    """Yield every piece of a line that a dirty span touches, whole: the comparison finds what changed in it."""
    done: set[tuple[int, int]] = set()
    for y, left, right in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is None or x >= right or end <= left or (y, x) in done:
                continue
            done.add((y, x))
            yield x, y, iter(strip)
