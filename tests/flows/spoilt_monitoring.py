"""Alerts, silences, costs and incidents with everything in their texts that a hostile server or a person could put."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from msgspec import structs

from cache.live import LiveState
from screenshots import scene, scene_alerts, scene_costs
from services.model.alert import Alert, AlertGroup, Entity
from services.model.cost import COST_SUMMARY, COSTS, CostLine, CostSummary
from services.model.incident import INCIDENTS
from services.model.metric import Golden, Series
from services.model.ref import Ref
from services.model.timeline import EventKind
from services.model.workload import Rollout
from services.ports import Replace
from tests.flows.spoilt import TRICKS, nasty, spoil, spoilt_scene

T = TypeVar("T")

LINKS = ("https://run.example/\x1b]52;c;eA==\x07\u202e[/][@click=app.quit]x[/]", "javascript:\x1b[2J", "A" * 10_000)


def spoilt_monitoring() -> LiveState:
    """Return live state that holds the spoilt scene with spoilt alerts, costs and incidents, joined where they were."""
    feed = spoilt_scene()
    rows: Mapping[str, Rollout] = feed.publish().tables["rollouts"]
    troubled = [row.ref for row in rows.values() if row.what]
    tables: dict[str, Mapping[str, Any]] = {
        "alerts": {key: _alert(one, troubled) for key, one in scene_alerts.alerts().items()},
        "alert-groups": {key: _group(one) for key, one in scene_alerts.groups().items()},
        "silences": {key: spoil(one) for key, one in scene_alerts.silences().items()},
        "alert-peers": {key: spoil(one) for key, one in scene_alerts.peers().items()},
    }
    incidents = scene_costs.incident_table(scene.NOW, scene.CLUSTER)
    tables[INCIDENTS] = {key: spoil(one) for key, one in incidents[INCIDENTS].items()}
    costs = scene_costs.cost_tables(scene.NOW)
    lines = [_cost(line) for line in costs[COSTS].values()]
    tables[COSTS] = {line.key: line for line in lines}
    tables[COST_SUMMARY] = {key: _summary(one) for key, one in costs[COST_SUMMARY].items()}
    for name, table in tables.items():
        feed.apply("scene", Replace(name, table))
    feed.happened([structs.replace(spoil(one), id=f"x{one.id}") for one in scene_alerts.events()])
    feed.happened([_config_change(ref) for ref in troubled])
    for status in scene_alerts.add(scene.live()).publish().sources.values():
        feed.status(structs.replace(status, error=nasty(status.error)) if status.error else status)
    return feed


def _alert(alert: Alert, troubled: Sequence[Ref]) -> Alert:
    """Return an alert with tricks in labels, annotations, expression and links, about a spoilt workload."""
    workload = next((ref.name for ref in troubled if ref.namespace == alert.entity.namespace), "")
    labels = (*spoil(alert.labels), *((f"trick_{at}{trick}", trick) for at, trick in enumerate(TRICKS)))
    links = (("runbook_url", LINKS[len(alert.name) % 3]), ("dashboard_url", LINKS[(len(alert.name) + 1) % 3]))
    kept = tuple((name, nasty(value)) for name, value in alert.annotations if not name.endswith("_url"))
    return structs.replace(
        alert,
        name=nasty(alert.name),
        labels=labels,
        annotations=(*kept, *links),
        entity=Entity(scene.CLUSTER, alert.entity.namespace, workload, nasty("pod"), nasty(alert.entity.node)),
        expression=nasty(alert.expression),
        rule_group=nasty("apps"),
        generator_url=LINKS[0],
        receivers=(nasty("oncall"),),
        peers=tuple(nasty(peer) for peer in alert.peers),
    )


def _group(group: AlertGroup) -> AlertGroup:
    return structs.replace(group, title=nasty(group.title), reasons=tuple(map(nasty, group.reasons)))


def _cost(line: CostLine) -> CostLine:
    words = {name: nasty(value) for name in ("name", "namespace", "team") if (value := getattr(line, name))}
    return structs.replace(line, **words)


def _summary(summary: CostSummary) -> CostSummary:
    movers = tuple(structs.replace(one, namespace=nasty(one.namespace), workload=nasty("w")) for one in summary.movers)
    return structs.replace(summary, movers=movers, prices=nasty(summary.prices))


def _config_change(ref: Ref) -> Any:
    event = scene.events()[0]
    about = structs.replace(ref, group="", kind="ConfigMap", name=nasty("settings"))
    text, payload = f"keys {nasty('tax')} changed", {nasty("key"): nasty("hash"), "actor": nasty("somebody")}
    return structs.replace(event, id=f"c{ref.name}", kind=EventKind.CONFIG, ref=about, text=text, payload=payload)


class SpoiltMetrics(scene_alerts.SceneMetrics):
    """Answers with the scene's series under nasty names, and says nasty things of what is missing."""

    async def golden(self, ref: Ref, pods: Sequence[str], since: float, until: float, columns: int) -> Golden:
        """Return a workload's numbers from a nasty source."""
        golden = await super().golden(ref, pods, since, until, columns)
        return structs.replace(golden, source=nasty("prometheus"), missing=TRICKS, p99=None)

    async def alert_values(self, alert: Alert, since: float, until: float, columns: int) -> Sequence[Series]:
        """Return the values under a nasty metric's name."""
        found = await super().alert_values(alert, since, until, columns)
        return [structs.replace(one, name=trick) for one in found for trick in TRICKS]
