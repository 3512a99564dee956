"""Finds the alert that a page was about when it is over by the time somebody looks: in what the timeline tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.alertmanager.fingerprint import fingerprint
from services.model.alert import Alert, Matcher
from services.ports import Snapshot
from tui.presenters.alert_past import past_alerts
from tui.presenters.alert_sources import ALERTS
from tui.presenters.page import Found, Means, Page, matches

WORKLOAD = frozenset({"deployment", "statefulset", "daemonset", "workload"})
"""Labels whose value the timeline keeps as the workload."""


def find_past(page: Page, snapshot: Snapshot, *, known: bool) -> Found:
    """Return the alert that ended last of those that a page may mean, and how many there were.

    The timeline keeps few labels: what it does not know is taken to fit, unless the page tells all of them, as a
    notification's link does. `known` says whether what no server shows any more is over for sure.
    """
    if page.means not in (Means.ALERT, Means.FINGERPRINT):
        return Found()
    current: Mapping[str, Alert] = snapshot.tables.get(ALERTS, {})
    over = past_alerts(snapshot.events, current, 0.0, known=known)
    found = _by_mark(page, over) or [one for one in over if _fits(page, one)]
    return Found(alert=found[0], of=len({one.fingerprint for one in found}), over=True) if found else Found()


def _by_mark(page: Page, over: Iterable[Alert]) -> list[Alert]:
    mark = page.text
    if page.means is Means.ALERT:
        labels = [("alertname", page.text), *((one.name, one.value) for one in page.matchers)]
        mark = fingerprint(tuple(sorted(labels)))
    return [one for one in over if one.fingerprint == mark]


def _fits(page: Page, alert: Alert) -> bool:
    if page.means is not Means.ALERT or not page.text or alert.name.casefold() != page.text.casefold():
        return False
    return all(_may_match(one, alert) for one in page.matchers)


def _may_match(matcher: Matcher, alert: Alert) -> bool:
    value = alert.label(matcher.name) or (alert.entity.workload if matcher.name in WORKLOAD else "")
    return not value or matches(matcher, value)
