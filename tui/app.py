"""The app: it owns the screens, takes the keys, and hands the feed's changes to the screen in front."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import Input

from cache.state.records import Place
from services.model.source import SourceStatus
from services.ports import Changes
from tui.acts import Acts
from tui.alerting import Alerting
from tui.asking import Asking
from tui.bindings import Command
from tui.bridge import Bridge
from tui.comeback import ComingBack
from tui.console import Console
from tui.crash import CrashHygiene
from tui.glyphs import ASCII, UNICODE
from tui.keymap import DEFAULT, Keymap
from tui.navigation import HOME, Navigation
from tui.presenters.freshness import still_well
from tui.saying import Saying
from tui.scoping import Scoping
from tui.screens.base import BaseScreen
from tui.screens.cursor import CursorScreen
from tui.screens.deck import DeckScreen
from tui.sharemode import ShareMode
from tui.tells import Tells
from tui.themes import is_native, theme_name, themes
from widgets.frugal_app import FrugalApp
from widgets.key_order import OrderedKeys
from widgets.tones import ASCII_CLASS

LOOK_BACK_AFTER = 6.0
"""Seconds after the first frame at which it is asked how what was never settled has ended: rows come first."""

OVER_DIALOGS = frozenset({"quit", "redraw"})
"""What works over a dialog too: whoever wants to leave is told what goes on, and is let go."""


def _keys() -> list[BindingType]:
    return [Binding(name, f"press('{name}')", show=False) for name in sorted(DEFAULT.names)]


class QuarterdeckApp(
    CrashHygiene,
    Asking,
    Saying,
    ShareMode,
    ComingBack,
    Scoping,
    Acts,
    Tells,
    Alerting,
    Navigation,
    OrderedKeys[None],
    FrugalApp[None],
):
    """One console on one cluster. Keys are looked up in the registry, for the place in front."""

    CSS_PATH = "styles/quarterdeck.tcss"
    ENABLE_COMMAND_PALETTE = False
    STYLED_FIRST = (DeckScreen, *DeckScreen.STYLED)
    BINDINGS: ClassVar[list[BindingType]] = _keys()

    def __init__(
        self,
        console: Console,
        place: Place | None = None,
        *,
        ascii_only: bool = False,
        theme: str = "dark",
        no_colour: bool = False,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        self._theme_name = theme_name(theme, no_colour)
        super().__init__(ansi_color=is_native(self._theme_name) or None)
        self._disable_notifications = self._disable_tooltips = True  # Textual's; ours are in the footer and the banner
        for each in themes():
            self.register_theme(each)
        self.set_reactive(QuarterdeckApp.theme, self._theme_name)  # before anything is styled, so that it is done once
        self.stylesheet.set_variables(self.get_css_variables())
        self.console_state = console
        self._place = place if place is not None and place.view else HOME
        self._ascii = ascii_only
        self._bridge = Bridge(console.feed, self._accept, slow=console.slow)
        self._on_ready = on_ready
        self._history: list[Place] = []
        self._at = -1
        self.begin_asking()
        self._heard: Mapping[str, SourceStatus] = {}
        self._bound = DEFAULT.names
        rows = console.feed.snapshot().tables.get("rollouts", {})
        if rows and self._place.seen_at:
            self._left = (rows, self._place.seen_at)
        self.begin_saying()
        self.begin_acting()
        self.begin_telling()

    def on_mount(self) -> None:
        """Open the place that was left, then begin to watch."""
        self.use_keys(self.console_state.keymap)
        self.set_class(self._ascii, ASCII_CLASS)
        self.animation_level = "none"
        deck = DeckScreen(self.console_state, self._place if self._place.view == "deck" else None)
        self.push_screen(deck.fit(*self.size))
        if self._place.view != "deck":
            self.go_to(self._place)
        self.remember()
        self.once_shown(self._begin)

    def _begin(self) -> None:
        self._bridge.start()
        self._beat = self.set_interval(1.0, self._tick)
        self.set_timer(LOOK_BACK_AFTER, self.look_back)
        if self._on_ready is not None:
            self._on_ready()

    def on_unmount(self) -> None:
        """Pull no more, and let no answer arrive that nobody waits for."""
        self._bridge.stop()
        self.ask_no_more()

    # Data

    def _accept(self, changes: Changes) -> None:
        if not self.is_running:
            return
        if self.console_state.sharing is not None:
            self.console_state.sharing.look_at_changes(changes)
        if self._left is not None and "rollouts" in changes.keys and self.console_state.summary().reading.trusted:
            self.say_since()
        elif self._since_shown and changes.events:
            self.show_banner()
        if self.sought is not None:
            self.seek()
        self.look_under(changes)
        self.look_after(changes)
        if (front := self.front) is not None and front.is_attached and not self._only_heard_of(changes):
            front.take(changes)

    def _only_heard_of(self, changes: Changes) -> bool:
        """Return whether sources that are well have shown a sign of life and nothing else: the next second says it."""
        before, self._heard = self._heard, changes.snapshot.sources
        if changes.keys or changes.events:
            return False
        return all(still_well(before.get(name), self._heard.get(name)) for name in changes.sources)

    def _tick(self) -> None:
        front = self.front
        if front is None or not front.is_attached or not self.is_running:
            return
        self.say_next()
        self.seek()
        self.look_ahead()
        front.tick()

    # Keys

    async def on_event(self, event: events.Event) -> None:
        """Note each key before anything else: rows hold their places while the operator is at it."""
        if isinstance(event, events.Key) and (front := self.front) is not None:
            self.hide_since()
            self.rights.used()
            if isinstance(front, CursorScreen) and front.driver is not None:
                front.driver.ordering.hold(self.console_state.clock.now())
        await super().on_event(event)

    async def _take(self, event: events.Key | events.Paste) -> None:
        self.note_aim()
        if not (isinstance(event, events.Key) and self._over_dialog(event.key)):
            await super()._take(event)

    def _over_dialog(self, key: str) -> bool:
        """Answer a key that works over dialogs too, which take every other one; tells whether it was one."""
        front = self.front
        if front is None or self.screen is front or isinstance(self.focused, Input):
            return False
        command = self.console_state.keymap.command_for(front.place, key)
        return command is not None and command.id in OVER_DIALOGS and self.run_command(command)

    def action_press(self, key: str) -> None:
        """Answer a key, by the registry, in the place in front."""
        front = self.front
        if front is None or self.screen is not front:
            return
        keymap = self.console_state.keymap
        command = keymap.command_for(front.place, key)
        if (command is None or not self.run_command(command)) and (hint := keymap.hint_for(front.place, key)):
            self.say(hint)

    def run_command(self, command: Command) -> bool:
        """Do what a command means in the place in front; False where it means nothing there."""
        own = getattr(self, f"do_{command.id}", None)
        if self.front is not None and self.front.perform(command):
            return True
        if own is not None:
            own()
        return own is not None

    def use_keys(self, keymap: Keymap) -> None:
        """Take other keys from now on."""
        self.console_state.keymap = keymap
        for name in sorted(keymap.names - self._bound):
            self.bind(name, f"press('{name}')", show=False)
        self._bound |= keymap.names
        if self.front is not None:
            self.front.show_footer()

    def do_palette(self) -> None:
        """Open the palette."""
        from tui.palette import open_palette

        open_palette(self)

    def do_help(self) -> None:
        """Show the keys that work here."""
        from tui.palette import open_help

        open_help(self)

    def begin_filter(self) -> None:
        """Open the filter of the screen in front."""
        from tui.screens.table import TableScreen

        if isinstance(self.front, TableScreen):
            self.front.do_filter()

    def draw_in(self, *, ascii_only: bool) -> None:
        """Draw with ASCII only, or with all that the terminal has."""
        self._ascii = ascii_only
        self.console_state.glyphs = ASCII if ascii_only else UNICODE
        self.set_class(ascii_only, ASCII_CLASS)
        self.rebuild()

    def do_reload(self) -> None:
        """Read the configuration again now."""
        if self.console_state.steering is not None:
            self.console_state.steering.reload()

    def show_banner(self) -> None:
        """Show or hide what needs a person now, on every screen."""
        for screen in self.screen_stack:
            if isinstance(screen, BaseScreen) and screen.is_attached:
                screen.show_banner()

    # The program

    def do_redraw(self) -> None:
        """Paint the screen anew."""
        self.action_redraw()

    def do_quit(self) -> None:
        """Leave; what still runs is said first."""
        if self.may_leave():
            self.leave()

    def leave(self) -> None:
        """Keep the place and end, whatever runs."""
        self.keep_place()
        self.exit()
