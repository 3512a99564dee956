"""The alerts of the recorded moment: what two Alertmanagers and a Prometheus say at 03:14 on that Saturday."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cache.live import LiveState
from screenshots.scene import CLUSTER, NOW, live
from services.alerts.happenings import began_event, is_told
from services.clock import ManualClock
from services.errors import Problem
from services.model.alert import (
    Alert,
    AlertGroup,
    AlertPeer,
    AlertState,
    Entity,
    Matcher,
    Onset,
    Pairs,
    Silence,
)
from services.model.metric import Golden, Series
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.source import SourceState, SourceStatus
from services.model.timeline import Event
from services.ports import Replace
from services.sanitize import safe_text

SOURCES = ("alertmanager/am-1", "alertmanager/am-2", "prometheus/main")
ERRORS = (
    'sum by (namespace, deployment) (rate(http_requests_total{code=~"5.."}[5m]))'
    " / sum by (namespace, deployment) (rate(http_requests_total[5m])) > 0.05"
)
RUNBOOK = "https://runbooks.example/checkout-errors"
NO_KUBECONFIG = "No kubeconfig was found: only the monitoring is shown. Set KUBECONFIG for a cluster."
DASHBOARD = "https://grafana.example/d/checkout?var-namespace=payments"


def alert(  # noqa: PLR0913 - a scene names everything it shows
    name: str,
    severity: Severity,
    entity: Entity,
    ago: float,
    *,
    state: AlertState = AlertState.FIRING,
    value: float | None = None,
    expression: str = "",
    hold: float = 60.0,
    labels: Pairs = (),
    annotations: Pairs = (),
    onset_from: Onset = Onset.ACTIVE_AT,
    silenced_by: tuple[str, ...] = (),
    inhibited_by: tuple[str, ...] = (),
    heartbeat: bool = False,
) -> Alert:
    """Return one alert of the scene."""
    fingerprint = f"{abs(hash_of(name)):016x}"
    known = {"alertname": name, "severity": {0: "critical", 1: "warning"}.get(int(severity), "info"), **dict(labels)}
    told = {"namespace": entity.namespace, "pod": entity.pod, "node": entity.node, "deployment": entity.workload}
    known |= {key: said for key, said in told.items() if said}
    return Alert(
        key=fingerprint,
        fingerprint=fingerprint,
        name=name,
        severity=severity,
        state=state,
        labels=tuple(sorted(known.items())),
        annotations=annotations,
        entity=entity,
        onset=NOW - ago,
        onset_from=onset_from,
        onset_slack=300.0 if "[5m]" in expression else 0.0,
        fired_at=NOW - ago + hold if state is not AlertState.PENDING else 0.0,
        value=value,
        expression=expression,
        hold=hold,
        rule_group="apps",
        generator_url="http://prometheus.example:9090/graph?g0.expr=up&g0.tab=1",
        silenced_by=silenced_by,
        inhibited_by=inhibited_by,
        receivers=("oncall",),
        peers=("am-1", "am-2", "main"),
        heartbeat=heartbeat,
    )


def hash_of(name: str) -> int:
    """Return a number that is the same on every run."""
    number = 0xCBF29CE484222325
    for byte in name.encode():
        number = (number ^ byte) * 0x100000001B3 % 2**64
    return number


def alerts() -> dict[str, Alert]:
    """Return the alerts: five fire in three groups, others are quiet for a reason, one always fires."""
    checkout, cart = Entity(CLUSTER, "payments", "checkout"), Entity(CLUSTER, "shop", "cart")
    rows = [
        alert(
            "CheckoutErrorRate", Severity.CRIT, checkout, 660, value=0.124, expression=ERRORS,
            annotations=(
                ("dashboard_url", DASHBOARD),
                ("description", "More than 5 % of the requests to checkout fail."),
                ("runbook_url", RUNBOOK),
                ("summary", "12.4 % of requests to payments/checkout fail"),
            ),
        ),
        alert("CheckoutLatency", Severity.WARN, checkout, 600, value=1.84, expression=(
            'histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m]))) > 1')),
        alert("KubeDeploymentReplicasMismatch", Severity.WARN, checkout, 540),
        alert("CartDown", Severity.CRIT, cart, 300, value=0.0, expression='up{job="cart"} == 0',
              labels=(("job", "cart"),)),
        alert("DiskFull", Severity.WARN, Entity(CLUSTER, node="node-004"), 3700, value=91.0,
              expression="100 - 100 * node_filesystem_avail_bytes / node_filesystem_size_bytes > 90",
              state=AlertState.SILENCED, silenced_by=("sil-1",)),
        alert("NodeMemoryPressure", Severity.WARN, Entity(CLUSTER, node="node-007"), 120, onset_from=Onset.STARTS_AT),
        alert("KubePodNotReady", Severity.WARN, Entity(CLUSTER, "media", "billing-00", "billing-00-x"), 90,
              state=AlertState.INHIBITED, inhibited_by=(f"{hash_of('NodeMemoryPressure'):016x}",)),
        alert("SearchSlow", Severity.WARN, Entity(CLUSTER, "shop", "search"), 30, state=AlertState.PENDING,
              value=0.8, expression="search_seconds > 0.5", hold=300.0),
        alert("Watchdog", Severity.NOTICE, Entity(CLUSTER), 86400 * 9, expression="vector(1)", heartbeat=True),
    ]  # fmt: skip
    return {row.key: row for row in rows}


def groups() -> dict[str, AlertGroup]:
    """Return the groups those alerts belong to."""
    rows = alerts()
    by_name = {row.name: row for row in rows.values()}

    def group(*names: str) -> AlertGroup:
        members = [by_name[name] for name in names]
        lead = members[0]
        where = lead.entity.workload or lead.entity.node
        more = f" (+{len(members) - 1})" if len(members) > 1 else ""
        reasons = ("", *(f"same workload {where}" for _ in members[1:]))
        worst = min(member.severity for member in members)
        onset = min(member.onset for member in members)
        keys = tuple(member.key for member in members)
        return AlertGroup(f"g-{lead.key}", f"{lead.name} on {where}{more}", worst, keys, reasons, onset, lead.entity)

    made = [
        group("CheckoutErrorRate", "CheckoutLatency", "KubeDeploymentReplicasMismatch"),
        group("CartDown"),
        group("NodeMemoryPressure", "KubePodNotReady"),
        group("DiskFull"),
        group("SearchSlow"),
    ]
    return {one.key: one for one in made}


def silences() -> dict[str, Silence]:
    """Return two silences: one hides an alert, one hides nothing."""
    rows = [
        Silence("sil-1", (Matcher("alertname", "DiskFull"), Matcher("node", "node-00[1-4]", is_regex=True)),
                NOW - 3600, NOW + 7200, "ops", "ACK! cleaning up, see OPS-42", "active", "am-1", 1),
        Silence("sil-2", (Matcher("namespace", "media"),), NOW - 86400, NOW + 600, "dana", "load test", "active",
                "am-1"),
    ]  # fmt: skip
    return {row.id: row for row in rows}


def peers() -> dict[str, AlertPeer]:
    """Return the two Alertmanagers and the Prometheus."""
    rows = [
        AlertPeer("am-1", "alertmanager", "http://am-1.example:9093", "0.28.1", "ready", 2, NOW - 86400,
                  heartbeats=("Watchdog",), alerts=7),
        AlertPeer("am-2", "alertmanager", "http://am-2.example:9093", "0.28.1", "ready", 2, NOW - 86400,
                  heartbeats=("Watchdog",), alerts=7),
        AlertPeer("main", "prometheus", "http://prometheus.example:9090", "3.5.0", "", 0, NOW - 86400 * 9, 118,
                  heartbeats=("Watchdog",), alerts=9),
    ]  # fmt: skip
    return {row.name: row for row in rows}


def events() -> list[Event]:
    """Return when the alerts began."""
    quiet = (AlertState.PENDING, AlertState.INHIBITED)
    return [began_event(one, one.onset) for one in alerts().values() if one.state not in quiet and is_told(one)]


def add(feed: LiveState, *, down: Sequence[str] = (), rows: Mapping[str, Alert] | None = None) -> LiveState:
    """Put the alerts into live state; the sources in `down` do not answer. `rows` may stand for the alerts."""
    tables: dict[str, Mapping[str, Any]] = {
        "alerts": alerts() if rows is None else rows,
        "alert-groups": groups() if rows is None else {},
        "silences": silences(),
        "alert-peers": peers(),
    }
    for name, table in tables.items():
        feed.apply("scene", Replace(name, table))
    feed.happened(events() if rows is None else [])
    for source in SOURCES:
        failed = source in down
        state = SourceState.FAILED if failed else SourceState.LIVE
        last = NOW - 47 if failed else NOW - 4
        error = safe_text(f"{source} did not answer within 5 s.") if failed else safe_text("")
        feed.status(SourceStatus(source, state, last, last, NOW - 40 if failed else NOW - 600, error))
    return feed


def whole(clock: ManualClock | None = None, state: SourceState = SourceState.LIVE, error: str = "") -> LiveState:
    """Return the recorded moment with the alerts in it; `state` and `error` are those of the cluster's API server."""
    return add(live(clock, state, error))


def nowhere(clock: ManualClock | None = None) -> LiveState:
    """Return the same moment seen by a console that has no kubeconfig, only the monitoring."""
    feed = add(LiveState(clock or ManualClock(NOW)))
    feed.status(SourceStatus("kubernetes", SourceState.FAILED, since=NOW - 600, error=safe_text(NO_KUBECONFIG)))
    feed.status(SourceStatus("incidents", SourceState.LIVE, NOW, NOW, NOW - 600))
    return feed


class SceneMetrics:
    """Answers what a screen asks of the scene's monitoring; `fails` says why nothing can be had."""

    def __init__(self, fails: str = "") -> None:
        self.fails = fails
        self.asked: list[tuple[str, float, float]] = []

    async def golden(self, ref: Ref, pods: Sequence[str], since: float, until: float, columns: int) -> Golden:
        """Return a workload whose errors rise after its rollout."""
        del ref, pods
        self._ask("golden", since, until)

        def line(name: str, unit: str, before: float, after: float) -> Series:
            return _series(name, unit, since, until, columns, before=before, after=after)

        return Golden(
            "prometheus main", rate=line("rate", "per_second", 410.0, 395.0),
            errors=line("errors", "ratio", 0.002, 0.124),
            p50=line("p50", "seconds", 0.021, 0.04), p95=line("p95", "seconds", 0.18, 1.84),
            p99=line("p99", "seconds", 0.3, 2.6), cpu=line("cpu", "cores", 0.9, 1.4),
            memory=line("memory", "bytes", 1.1 * 2**30, 1.3 * 2**30), cpu_request=1.5, cpu_limit=3.0,
            memory_request=1.5 * 2**30, memory_limit=3.0 * 2**30,
        )  # fmt: skip

    async def alert_values(self, alert: Alert, since: float, until: float, columns: int) -> Sequence[Series]:
        """Return the value of the alert's expression."""
        self._ask("values", since, until)
        after = alert.value if alert.value is not None else 1.0
        return [_series(alert.name, "", since, until, columns, before=after * 0.02, after=after, turn=alert.onset)]

    async def alert_firing(self, alert: Alert, since: float, until: float, columns: int) -> Series:
        """Return when it fired."""
        self._ask("firing", since, until)
        count = max(1, columns)
        step = (until - since) / count
        moments = [since + at * step for at in range(count)]
        values = tuple(1.0 if at >= alert.fired_at else 0.5 if at >= alert.onset else math.nan for at in moments)
        return Series("firing", "", since, step, values)

    def _ask(self, what: str, since: float, until: float) -> None:
        self.asked.append((what, since, until))
        if self.fails:
            raise Problem(safe_text(self.fails))


def _series(
    name: str,
    unit: str,
    since: float,
    until: float,
    columns: int,
    *,
    before: float,
    after: float,
    turn: float = NOW - 660,
) -> Series:
    count = max(1, columns)
    step = (until - since) / count
    values = []
    for index in range(count):
        at = since + index * step
        share = min(1.0, max(0.0, (at - turn) / 240.0))
        ripple = 1.0 + 0.06 * math.sin(index / 3.0) + 0.03 * math.sin(index / 1.3)
        values.append((before + (after - before) * share) * (ripple if share < 1 else 1.0 + (ripple - 1.0) / 4))
    values[-1] = after
    return Series(name, unit, since, step, tuple(values))
