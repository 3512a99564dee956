"""What one console says of itself: each notice and sentence reaches the screen, from any thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from services.model.source import CONNECTION, SourceState, SourceStatus
from services.model.text import SafeText
from services.sanitize import safe_text
from tui.presenters.banner import Notice, present_broken, present_ledger, present_login
from tui.presenters.lens import Lens
from widgets.viewmodels import Line

if TYPE_CHECKING:
    from cache.live import LiveState
    from cache.state.records import HistoryStatus
    from services.clock import Clock
    from services.kubernetes.exec_plugin import LoginNeeded
    from tui.app import QuarterdeckApp
    from tui.console import Console
    from tui.crash import CrashLog

PARTS = {
    "services": "nothing is watched any more: ctrl-c leaves, then start again",
    "stay": "rows still come, but history and causes do not: ctrl-c leaves, then start again",
    "history": "history is written no more, all else goes on; start again when there is time",
}
"""What the end of a part means, by the name of its thread."""


class Announcing:
    """The part of the assembly that lets notices stand above everything else, and sentences in the footer."""

    live: LiveState
    clock: Clock
    log: CrashLog
    console: Console
    app: QuarterdeckApp | None

    def _login_needed(self, needed: LoginNeeded | None) -> None:
        if needed is None:
            self.notify(Notice.LOGIN, None)
        else:
            self.notify(Notice.LOGIN, lambda lens: present_login(needed, self.console.keymap.key("login"), lens))

    def notify(self, notice: Notice, present: Callable[[Lens], Line] | None) -> None:
        """Let something stand above everything else, or no longer. Any thread."""
        self.console.notify(notice, present)
        self.tell_app(lambda app: app.show_banner())

    def thread_died(self, line: SafeText) -> None:
        """Say what the end of a thread means, and what to do; called on the thread that died, before it ends."""
        name = threading.current_thread().name
        meaning = PARTS.get(name, f"a part of this program ({safe_text(name, 40)}) has ended; the screen goes on")
        if name == "services":
            now = self.clock.now()
            self.live.status(SourceStatus(CONNECTION, SourceState.FAILED, since=now, error=safe_text(meaning)))
            self.live.publish()
        self.notify(Notice.BROKEN, lambda lens: present_broken(meaning, line.partition(": ")[2], lens))

    def _ledger_wrong(self, sentence: SafeText) -> None:
        self.notify(Notice.LEDGER, lambda lens: present_ledger(sentence, lens))
        self.tell_app(lambda app: app.announce(sentence))

    def _stay_broke(self, error: BaseException) -> None:
        line = self.log.report(error, "the service thread").partition(": ")[2]
        self.notify(Notice.BROKEN, lambda lens: present_broken(PARTS["stay"], line, lens))

    def _history_changed(self, status: HistoryStatus) -> None:
        sentence = status.notice or status.sentence
        if sentence:
            self.tell_app(lambda app: app.announce(sentence))

    def tell_app(self, act: Callable[[QuarterdeckApp], None]) -> None:
        """Do something with the screen, on its own loop. Any thread."""
        app = self.app
        if app is not None and app.is_running:
            with contextlib.suppress(RuntimeError):
                app.call_later(act, app)
