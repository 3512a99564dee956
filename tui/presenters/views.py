"""Every table that has a presenter of its own, by all the names an operator may call it."""

from __future__ import annotations

from tui.presenters import alert_peers, altered, costs, incidents, outbox, pods, rollouts, silences, timeline
from tui.presenters.alerts import ALERTS_VIEW
from tui.presenters.cluster import CRONJOBS_VIEW, EVENTS_VIEW, JOBS_VIEW, NAMESPACES_VIEW, NODES_VIEW
from tui.presenters.view import View

VIEWS: tuple[View, ...] = (
    rollouts.VIEW,
    ALERTS_VIEW,
    silences.VIEW,
    alert_peers.VIEW,
    pods.VIEW,
    NODES_VIEW,
    JOBS_VIEW,
    CRONJOBS_VIEW,
    EVENTS_VIEW,
    NAMESPACES_VIEW,
    costs.VIEW,
    incidents.VIEW,
    outbox.VIEW,
    altered.VIEW,
    timeline.VIEW,
)

_BY_NAME = {name: view for view in VIEWS for name in (view.id, *view.aliases)}


def view_named(name: str) -> View | None:
    """Return the view of that name or alias, None when only the server may know it."""
    return _BY_NAME.get(name.casefold())
