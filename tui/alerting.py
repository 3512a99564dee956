"""The ways to an alert and to what explains it: from a row, from a page, from a word typed after `:`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from cache.state.records import Place
from services.errors import Problem
from services.model.ref import Ref
from tui.navigation import Navigation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cache.state.past import Past
    from services.model.alert import Alert
    from tui.presenters.page import Found, Page

    _Base = Navigation
else:
    _Base = object


SOUGHT_FOR = 15.0
"""Seconds for which servers are waited for that may know what a page is about."""

JOINED_AFTER = 1.0
"""Seconds after the last server's answer at which its alerts are among those that are shown."""


class Alerting(_Base):
    """Mixed into the app; nothing of alerts is loaded before one is opened."""

    if TYPE_CHECKING:

        def copy(self, text: str) -> None:
            """Send a text to the terminal's clipboard."""

        def say_long(self, sentence: str) -> None:
            """Show one sentence for longer."""

    sought: Page | None = None
    _read_for: Page | None = None
    _sought_until = 0.0
    _answered_at: float | None = None

    def come_back_to(self, place: Place) -> None:
        """Open the alert or the explanation of a remembered place, where it is still known."""
        tables = self.console_state.feed.snapshot().tables
        if place.view == "alert" and (alert := tables.get("alerts", {}).get(place.subject)) is not None:
            self.open_alert(alert)
        elif place.view == "alert":
            self.open_over(place.subject, lambda: None)
        elif place.view == "explain" and (row := tables.get("rollouts", {}).get(place.subject)) is not None:
            self.explain(row.ref)

    def open_alert(self, alert: Alert) -> None:
        """Open one alert."""
        from tui.screens.alert import AlertScreen

        self._open(AlertScreen(self.console_state, alert))

    def open_over(self, key: str, otherwise: Callable[[], object]) -> None:
        """Open an alert that is over by its key; `otherwise` is done where nothing is known of it."""
        from tui.presenters.alert_past import past_alerts
        from tui.recorded import recorded_alert

        past, current, known = self._looking_back()
        events = self.console_state.feed.snapshot().events
        over = next((one for one in past_alerts(events, current, 0.0, known=known) if one.key == key), None)
        if over is not None:
            self.open_alert(over)
            return
        if past is None:
            otherwise()
            return

        def arrived(found: Alert | None, _: Problem | None) -> None:
            if found is not None:
                self.open_alert(found)
            else:
                otherwise()

        self.work(partial(asyncio.to_thread, recorded_alert, past, key, current, known=known), arrived)

    def _looking_back(self) -> tuple[Past | None, Mapping[str, Alert], bool]:
        """Return what may be read of the past, the alerts of now, and whether all others are over for sure."""
        from tui.presenters.alert_sources import evidence_of

        console = self.console_state
        snapshot = console.feed.snapshot()
        evidence = evidence_of(snapshot, console.clock.now(), console.alert_servers())
        past = console.past() if console.past is not None else None
        return past, snapshot.tables.get("alerts", {}), evidence.whole

    def explain(self, ref: Ref, alert: Alert | None = None) -> None:
        """Say why a workload is broken, and what changed; `alert` is what was asked about."""
        from tui.screens.explain import ExplainScreen

        self._open(ExplainScreen(self.console_state, ref, alert))

    def explain_alert(self, alert: Alert) -> None:
        """Explain the workload an alert is about; the alert itself where it is about none that is known."""
        from tui.presenters.alert_targets import workload_of

        row = workload_of(alert, self.console_state.feed.snapshot())
        if row is not None:
            self.explain(row.ref, alert)
        else:
            self.open_alert(alert)

    def copy_alert(self, alert: Alert) -> None:
        """Copy an alert as it would be told in a chat."""
        from tui.presenters.alert_detail import alert_text

        self.copy(alert_text(alert, self.console_state.lens()))

    # What a page hands over

    def open_what(self, text: str) -> None:
        """Open what a page is about: now, or as soon as the servers that could know it have answered."""
        from tui.presenters.page import read_page

        self.sought = read_page(text)
        self._sought_until, self._answered_at = self.console_state.clock.monotonic() + SOUGHT_FOR, None
        self.seek()

    def open_page(self, text: str) -> bool:
        """Open what a page is about, where that is known at this moment; returns whether it was."""
        from tui.presenters.page import find_page, read_page

        page = read_page(text)
        found = find_page(page, self.console_state.feed.snapshot())
        if found.known:
            self._land(found)
        return found.known

    def open_recorded(self, text: str, otherwise: Callable[[], object]) -> None:
        """Open the alert that is over that a page means, where one was recorded; `otherwise` is done where not."""
        from tui.presenters.page import read_page

        self._look_back(read_page(text), otherwise)

    def near(self, text: str) -> str:
        """Return what comes near a name that nothing has, as the end of a sentence."""
        from tui.presenters.page import near_to, near_words

        return near_words(near_to(text, self.console_state.feed.snapshot()), self.console_state.lens())

    def seek(self) -> bool:
        """Look again for what a page is about; returns whether the search is over, with a screen or a sentence.

        To be called whenever something has come, and every second: what does not answer is waited for so long only.
        """
        page = self.sought
        if page is None:
            return True
        from tui.presenters.alert_sources import evidence_of
        from tui.presenters.page import Means, find_page, missing_words, seeking_words, settled, unknown_words

        console = self.console_state
        snapshot, lens, cluster = console.feed.snapshot(), console.lens(), console.summary().reading
        found, now = find_page(page, snapshot), console.clock.monotonic()
        evidence = evidence_of(snapshot, lens.now, console.alert_servers())
        if not settled(page, cluster, evidence):
            self._answered_at = None
        elif self._answered_at is None:
            self._answered_at = now
        wait = JOINED_AFTER if page.means is not Means.NOTHING else 0.0
        if found.known:
            self.sought = None
            self._land(found)
        elif now >= self._sought_until or (self._answered_at is not None and now - self._answered_at >= wait):
            self.sought = None

            def unknown() -> None:
                if page.means is Means.PAGE and console.alert_servers():
                    self.open_view("alerts")
                self.say_long(unknown_words(page, found, missing_words(page, cluster, evidence, lens), lens))

            self._look_back(page, unknown)
        else:
            self.say(seeking_words(page, missing_words(page, cluster, evidence, lens), lens))
        return self.sought is None

    def _look_back(self, page: Page, otherwise: Callable[[], object]) -> None:
        """Land on the alert that is over that a page means; read from the disk only where nobody else knows it."""
        from tui.presenters.page_past import SOUGHT, find_past
        from tui.recorded import find_recorded

        past, current, known = self._looking_back()
        over = find_past(page, self.console_state.feed.snapshot().events, current, known=known)
        if over.known or past is None or page.means not in SOUGHT:
            if over.known:
                self._land(over)
            else:
                otherwise()
            return
        self._read_for = page

        def arrived(found: Found | None, _: Problem | None) -> None:
            if self._read_for is not page or self.sought is not None:
                return
            self._read_for = None
            if found is not None and found.known:
                self._land(found)
            else:
                otherwise()

        self.work(partial(asyncio.to_thread, find_recorded, past, page, current, known=known), arrived)

    def _land(self, found: Found) -> None:
        if found.alert is not None:
            self.open_alert(found.alert)
            if found.over:
                more = f"the last to end of {found.of:,} that fit; " if found.of > 1 else ""
                self.say(f"it is over: {more}{self._palette_key()}timeline says when it fired")
            elif found.of > 1:
                self.say(f"the worst of {found.of:,} alerts that fit; {self._palette_key()}alerts lists them")
        elif found.workload is not None:
            self.explain(found.workload.ref)
        else:
            self._open_silence(found.silence)

    def _open_silence(self, key: str) -> None:
        from tui.presenters.silences import VIEW, silence_sentence

        self.open_table(VIEW, Place(view=VIEW.id, cursor=key))
        found = self.console_state.feed.snapshot().tables.get(VIEW.table, {}).get(key)
        if found is not None:
            self.say_long(silence_sentence(found, self.console_state.lens()))

    def _palette_key(self) -> str:
        return self.console_state.keymap.key("palette")
