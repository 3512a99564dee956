"""Takes a changed configuration while the console runs: what can be applied at once is, the rest is said."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from services.config import ConfigProblem, ConfigWatch, ContextSettings, Difference, Loaded
from tui.keymap import keymap_of
from tui.presenters.banner import Notice, present_refused_config
from tui.screens.base import BaseScreen
from tui.terminal import draws_ascii
from tui.themes import is_native, theme_name

if TYPE_CHECKING:
    from tui.app import QuarterdeckApp
    from tui.assembly import Assembly

EVERY = 3.0
"""Seconds between two looks at the file: one `stat`, on a thread of its own, since a home folder may hang."""

ROOM = 110
"""Characters that the sentence has for changes; the first is named however long it is."""

RESTART = ("ui.mouse", "ui.slow_link", "ui.share_salt", "ui.share_names", "history.")
"""Settings that are taken at the next start."""


class Reload:
    """Looks at the file now and then, or when asked, and applies a good one on the UI's loop."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        setup = assembly.setup
        self._watch = ConfigWatch(setup.loaded, setup.environ, setup.flags, self._checked)
        self._one_at_a_time = threading.Lock()

    async def run(self) -> None:
        """Look until cancelled; on the service loop."""
        while True:
            await self._assembly.clock.sleep(EVERY)
            await asyncio.to_thread(self.look)

    def look(self, asked: bool = False) -> None:
        """Look once, on any thread; with `asked` the file is read although it is the same, and the outcome is said."""
        tell = self._assembly.tell_app
        with self._one_at_a_time:
            refused = self._watch.problem is not None
            try:
                differences = self._watch.poll(anew=asked)
            except ConfigProblem as problem:
                sentence = problem.sentence.replace(f"{Path.home()}/", "~/")
                self._assembly.notify(Notice.CONFIG, lambda lens: present_refused_config(sentence, lens))
                return
            fresh = self._watch.loaded
        if refused and self._watch.problem is None:
            self._assembly.notify(Notice.CONFIG, None)
        if differences or (refused and self._watch.problem is None):
            tell(lambda app: self._apply(app, fresh, differences))
        elif asked:
            tell(lambda app: app.say(f"{fresh.path} says what is in use already"))

    def _checked(self, loaded: Loaded) -> Loaded:
        keymap_of(loaded)
        return self._assembly.setup.amended(loaded)

    def _apply(self, app: QuarterdeckApp, fresh: Loaded, differences: Sequence[Difference]) -> None:
        """Put a good configuration to use; on the UI's loop."""
        assembly, console = self._assembly, self._assembly.console
        before = assembly.setup.loaded.config
        assembly.setup = structs.replace(assembly.setup, loaded=fresh)
        config, late = fresh.config, []
        console.log_lines, console.log_tail = config.logs.lines, config.logs.tail
        if config.rollouts != before.rollouts:
            console.recovered_for = config.rollouts.recovered_seconds
            console.flapping_for = config.rollouts.flapping_seconds
            assembly.runtime.judge_by(config.rollouts)
        assembly.beside.use(config)
        if config.keys != before.keys:
            app.use_keys(keymap_of(fresh))
        late += [one.path for one in differences if one.path.startswith(RESTART)]
        if config.ui.theme != before.ui.theme and not _painted(app, config.ui.theme, assembly.terminal.no_colour):
            late.append("ui.theme")
        if config.ui.ascii != before.ui.ascii:
            app.draw_in(ascii_only=draws_ascii(assembly.terminal, config.ui.ascii))
        console.share_names = config.ui.share_names
        if config.ui.share and not before.ui.share and console.sharing is None:
            app.do_share()
        self._rescope(app, fresh, before.context(console.scope.context))
        for screen in app.screen_stack:
            if isinstance(screen, BaseScreen) and screen.is_attached:
                screen.show_all()
        app.say(reloaded(differences, late))

    def _rescope(self, app: QuarterdeckApp, fresh: Loaded, before: ContextSettings) -> None:
        assembly, console = self._assembly, self._assembly.console
        settings = fresh.config.context(console.scope.context)
        if settings == before:
            return
        saved = assembly.saved_scope()
        scope = structs.replace(console.scope, environment=saved.environment, colour=saved.colour)
        if (settings.namespaces, settings.labels) != (before.namespaces, before.labels):
            scope = saved
        console.login = settings.login
        console.scope = scope
        assembly.widen(scope.namespaces)
        if settings.namespaces != before.namespaces:
            assembly.rewatch()
        app.rescope()


def reloaded(differences: Sequence[Difference], late: Sequence[str]) -> str:
    """Return "config reloaded: ui.theme dark -> light; ui.mouse counts from the next start"."""
    if not differences:
        return "config reloaded: it says what is in use"
    words = [f"{one.path} {one.old or 'none'} -> {one.new or 'none'}" for one in differences]
    named = [word for count, word in enumerate(words) if count == 0 or len(", ".join(words[: count + 1])) <= ROOM]
    more = f" and {len(words) - len(named)} more" if len(words) > len(named) else ""
    restart = f"; {', '.join(dict.fromkeys(late))} only from the next start" if late else ""
    return f"config reloaded: {', '.join(named)}{more}{restart}"


def _painted(app: QuarterdeckApp, setting: str, no_colour: bool) -> bool:
    """Paint in another theme; False where colours are the terminal's own, before or after, which a start decides."""
    name = theme_name(setting, no_colour)
    if is_native(name) != is_native(app.theme):
        return False
    app.theme = name
    return True
