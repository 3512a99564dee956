"""What all full screens have in common: header, footer, the feed's changes, and keys by command id."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.events import ScreenResume
from textual.screen import Screen

from cache.state.records import Place
from services.actions.registry import BY_ID
from services.ports import Changes
from tui.bindings import Command, printed
from tui.console import Console
from tui.presenters.header import present_header
from widgets.bars import FooterBar, HeaderBar
from widgets.viewmodels import BarVM, FooterVM, KeyHint, Line, Span, Tone

if TYPE_CHECKING:
    from tui.app import QuarterdeckApp

WIDTHS = [(0, "-tiny"), (60, "-narrow"), (100, "-two"), (150, "-grid"), (196, "-wide")]
HEIGHTS = [(0, "-flat"), (15, "-low"), (36, "-tall")]
"""Columns and lines from which a size class holds; `-tiny` and `-flat` show the counts alone."""


class BaseScreen(Screen[None]):
    """A full screen of the console. `place` names it in the registry of keys; `do_<command>` methods answer them."""

    place: ClassVar[str] = ""
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console
        self.note = ""
        self.header = HeaderBar(id="header")
        self.footer = FooterBar(id="footer")
        self.banner: HeaderBar | None = None
        self.did: HeaderBar | None = None
        self._came_up = False

    def fit(self, columns: int, lines: int) -> BaseScreen:
        """Take the classes of a size before anything is styled, so that nothing is styled twice."""
        names = (*self._get_breakpoint_classes(columns, WIDTHS), *self._get_breakpoint_classes(lines, HEIGHTS))
        self.set_classes(names)
        return self

    @property
    def quarterdeck(self) -> QuarterdeckApp:
        """The app, by its own type."""
        return cast("QuarterdeckApp", self.app)

    def on_mount(self) -> None:
        """Begin, once: Textual calls the handlers of every class, whatever they call themselves."""
        self.begin()

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Style nothing twice: what was styled as it was mounted needs it again only when it comes back."""
        event.refresh_styles = self._came_up
        self._came_up = True

    def on_screen_suspend(self) -> None:
        """Forget what was said here: it was of that moment."""
        if self.note:
            self.say("")

    def begin(self) -> None:
        """Show what is known at once."""
        self.show_banner()
        self.show_done()
        self.show_all()

    def show_banner(self) -> None:
        """Show what needs a person now, or nothing."""
        line = self.console.banner
        if not self.header.is_attached:
            return
        if self.banner is None:
            if not line:
                return
            self.banner = HeaderBar(id="banner")
            self.mount(self.banner, after=self.header)
        self.banner.set_vm(BarVM((line,)))
        self.banner.display = bool(line)

    def show_done(self) -> None:
        """Show the last action's command and how it ended, or nothing after a while."""
        line = self.quarterdeck.last_done()
        if not self.footer.is_attached:
            return
        if self.did is None:
            if not line.left:
                return
            self.did = HeaderBar(id="did")
            self.mount(self.did, before=self.footer)
        self.did.set_vm(line)
        self.did.display = bool(line.left)

    def show_all(self) -> None:
        """Show everything anew, from the feed's present picture."""
        self.show_header()
        self.show_footer()

    def take(self, changes: Changes) -> None:  # noqa: ARG002 - screens with tables look at it
        """Take what the feed has published."""
        self.show_header()

    def tick(self) -> None:
        """Let a second pass."""
        self.show_header(at_once=True)
        self.show_done()

    def set_scope(self) -> None:
        """Take the console's new scope, where there are rows that it concerns."""

    def show_header(self, *, at_once: bool = False) -> None:
        """Bring the header up to date."""
        self.header.set_vm(present_header(self.console.situation(), self.console.lens()), at_once=at_once)

    def show_footer(self) -> None:
        """Bring the footer up to date."""
        if self.note:
            self.footer.set_vm(FooterVM((), (Span(self.note, Tone.NOTICE),)))
            return
        hints = []
        for command in sorted(self.console.keymap.commands_for(self.place), key=lambda one: one.footer):
            reason = self.why_not(command)
            if command.footer and reason is not None:
                hints.append(KeyHint(printed(command.key), command.label, reason, kept=command.id == "help"))
        self.footer.set_vm(FooterVM(tuple(hints), self.aside()))

    def aside(self) -> Line:
        """Return what stands at the right of the footer: what the display holds back."""
        return ()

    def say(self, sentence: str) -> None:
        """Show a sentence in place of the keys; "" takes it away."""
        self.note = sentence
        self.show_footer()

    def why_not(self, command: Command) -> str | None:
        """Return "" when the command works here now, a reason when it is off, None when it has no meaning here."""
        if command.id in BY_ID:
            fits = self.quarterdeck.why_not_act(command.id)
            return self.quarterdeck.why_off(command.id) if fits == "" else fits
        known = hasattr(self, f"do_{command.id}") or hasattr(self.quarterdeck, f"do_{command.id}")
        return "" if known else None

    def perform(self, command: Command) -> bool:
        """Answer a key; returns False when this screen knows nothing of it."""
        if command.id in BY_ID:
            self.quarterdeck.act(command.id)
            return True
        answer = getattr(self, f"do_{command.id}", None)
        if answer is None:
            return False
        reason = self.why_not(command)
        if reason:
            self.quarterdeck.say(f"{command.label}: {reason}")
        else:
            answer()
        return True

    def anew(self) -> BaseScreen:
        """Return this screen made anew, at the same place: nothing of what it has drawn is in it."""
        raise NotImplementedError

    def where(self) -> Place | None:
        """Return the place to come back to, None where there is nothing to keep."""
        return None

    def subject(self) -> object | None:
        """Return what an incident that is declared here would be about, None where that is nothing in particular."""
        return None

    def topic(self) -> object | None:
        """Return what people are told of from here, None for nothing in particular."""
        return self.subject()

    def acted_on(self) -> object | None:
        """Return what actions begin with: the subject, or what it stands for."""
        return self.subject()

    def seen_identity(self) -> str:
        """Return the uid of what was painted under the cursor, "" where nobody knows."""
        return ""

    def do_incident(self) -> None:
        """Declare an incident."""
        from tui.incidents import declare

        declare(self.quarterdeck, self.subject())

    def do_back(self) -> None:
        """Go back to the screen below."""
        self.quarterdeck.go_back()
