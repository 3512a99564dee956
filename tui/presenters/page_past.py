"""Finds the alert that a page was about when it is over by the time somebody looks: in what the timeline tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.alertmanager.fingerprint import fingerprint
from services.model.alert import Alert, Matcher
from services.model.timeline import Event
from tui.presenters.alert_past import past_alerts
from tui.presenters.page import Found, Means, Page, fits, matches, runnable

WORKLOAD = frozenset({"deployment", "statefulset", "daemonset", "workload"})
"""Labels whose value the timeline keeps as the workload."""

SOUGHT = frozenset({Means.ALERT, Means.FINGERPRINT, Means.EXPRESSION, Means.PAGE})
"""What may mean an alert that is over."""


def find_past(page: Page, events: Iterable[Event], current: Mapping[str, Alert], *, known: bool) -> Found:
    """Return the alert that ended last of those that a page may mean, and how many there were.

    Of some alerts the timeline keeps few labels: what it does not know is taken to fit, unless the page tells all of
    them, as a notification's link does. `known` says whether what no server shows any more is over for sure.
    """
    if page.means not in SOUGHT or any(one.is_regex and runnable(one.value) is None for one in page.matchers):
        return Found()
    over = past_alerts(events, current, 0.0, known=known)
    found = _by_mark(page, over) or [one for one in over if _fits(page, one)]
    return Found(alert=found[0], of=len({one.fingerprint for one in found}), over=True) if found else Found()


def words_of(page: Page) -> tuple[str, ...]:
    """Return the words that stand in all that was recorded of what a page means; () where none must."""
    return (page.text,) if page.means in (Means.ALERT, Means.FINGERPRINT) and page.text else ()


def _by_mark(page: Page, over: Iterable[Alert]) -> list[Alert]:
    if page.means is not Means.ALERT:
        return []
    labels = [("alertname", page.text), *((one.name, one.value) for one in page.matchers)]
    mark = fingerprint(tuple(sorted(labels)))
    return [one for one in over if one.fingerprint == mark]


def _fits(page: Page, alert: Alert) -> bool:
    if page.means is not Means.ALERT or fingerprint(alert.labels) == alert.fingerprint:
        return fits(page, alert)
    if not page.text or alert.name.casefold() != page.text.casefold():
        return False
    return all(_may_match(one, alert) for one in page.matchers)


def _may_match(matcher: Matcher, alert: Alert) -> bool:
    value = alert.label(matcher.name) or (alert.entity.workload if matcher.name in WORKLOAD else "")
    return not value or matches(matcher, value)
