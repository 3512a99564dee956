"""The ways to an alert and to what explains it: from a row, from a page, from a word typed after `:`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cache.state.records import Place
from services.model.ref import Ref
from tui.navigation import Navigation

if TYPE_CHECKING:
    from services.model.alert import Alert

    _Base = Navigation
else:
    _Base = object


class Alerting(_Base):
    """Mixed into the app; nothing of alerts is loaded before one is opened."""

    if TYPE_CHECKING:

        def copy(self, text: str) -> None:
            """Send a text to the terminal's clipboard."""

    def come_back_to(self, place: Place) -> None:
        """Open the alert or the explanation of a remembered place, where it is still known."""
        tables = self.console_state.feed.snapshot().tables
        if place.view == "alert" and (alert := tables.get("alerts", {}).get(place.subject)) is not None:
            self.open_alert(alert)
        elif place.view == "explain" and (row := tables.get("rollouts", {}).get(place.subject)) is not None:
            self.explain(row.ref)

    def open_alert(self, alert: Alert) -> None:
        """Open one alert."""
        from tui.screens.alert import AlertScreen

        self._open(AlertScreen(self.console_state, alert))

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
