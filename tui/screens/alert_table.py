"""Alerts, silences and the servers they come from, each as a table on the whole screen."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from cache.state.records import Place
from services.alerts.matchers import spelled_all
from services.model.alert import Alert, AlertPeer, AlertState, Silence
from services.model.severity import Severity
from services.ports import Changes
from tui.console import Console
from tui.presenters.alert_peers import VIEW as PEERS_VIEW
from tui.presenters.alert_peers import present_row
from tui.presenters.alert_sources import ALERTS, PEERS, SILENCES, evidence_of, silent_words, why_silent
from tui.presenters.alerts import ALERTS_VIEW, present_alert_row
from tui.presenters.freshness import Reading
from tui.presenters.lens import Lens
from tui.presenters.terms import Subject
from tui.presenters.view import View
from tui.screens.table import TableScreen
from widgets.viewmodels import Row


class AlertTableScreen(TableScreen):
    """A table whose rows come from Alertmanagers and Prometheis, and are as fresh as those."""

    def __init__(self, console: Console, view: View, place: Place | None = None) -> None:
        if view.id == ALERTS_VIEW.id:
            view = structs.replace(view, row=self._alert_row)
        elif view.table == PEERS:
            view = structs.replace(view, row=self._peer_row, subject=self._peer_subject)
        super().__init__(console, view, place)

    def _alert_row(self, key: str, alert: Alert, lens: Lens) -> Row:
        silences = self.console.feed.snapshot().tables.get(SILENCES, {})
        firing = alert.state is AlertState.FIRING
        found = self.console.suspicion().of(alert) if firing else ()
        return present_alert_row(key, alert, lens, silences, found[0] if found else None)

    def _peer_row(self, key: str, peer: AlertPeer, lens: Lens) -> Row:
        return present_row(key, peer, lens, self._why_silent(peer))

    def _peer_subject(self, peer: AlertPeer) -> Subject:
        subject = PEERS_VIEW.subject(peer)
        return structs.replace(subject, severity=Severity.WARN) if self._why_silent(peer) else subject

    def _why_silent(self, peer: AlertPeer) -> str:
        source = f"{peer.kind}/{peer.name.removesuffix(f' ({peer.kind})')}"
        return why_silent(source, self.console.feed.snapshot(), self.console.clock.now())

    def take(self, changes: Changes) -> None:
        """Take what has changed; other suspects or silences change rows that are the same, and so does an answer."""
        super().take(changes)
        if self.view.table == PEERS and changes.sources:
            self.driver.reconsider()
        if self.view.table != ALERTS:
            return
        if changes.keys.get(SILENCES, frozenset()) != frozenset() or self.console.suspicion().look():
            self.driver.show(None)

    def reading(self) -> Reading:
        """Return how far the alerts may be believed; where one of several servers is silent, its reason stands."""
        evidence = evidence_of(self.console.feed.snapshot(), self.console.clock.now())
        reason = silent_words(evidence, self.console.lens())
        return structs.replace(evidence.reading, reason=reason) if reason else evidence.reading

    def do_open(self) -> None:
        """Open an alert; of a silence show what it hides."""
        target: tuple[Any, Any] | None = self.target()
        if target is None:
            return
        if isinstance(target[1], Alert):
            self.quarterdeck.open_alert(target[1])
        elif isinstance(target[1], Silence):
            self.quarterdeck.open_view("alerts", "is:silenced")
        elif isinstance(target[1], AlertPeer):
            self.quarterdeck.open_view("alerts")

    def do_copy(self) -> None:
        """Copy what names the row: an alert's name and labels, a silence's matchers, a server's address."""
        target: tuple[Any, Any] | None = self.target()
        if target is None:
            return
        row = target[1]
        if isinstance(row, Alert):
            self.quarterdeck.copy_alert(row)
        elif isinstance(row, Silence):
            self.quarterdeck.copy(spelled_all(row.matchers))
        else:
            self.quarterdeck.copy(row.url)
