"""What servers say, for tests: short ways to make a poll of an Alertmanager or of a Prometheus."""

from __future__ import annotations

from typing import Any

from services.alertmanager.decode import GivenAlert, GivenStatus, Notifying
from services.alertmanager.fingerprint import fingerprint
from services.alerts.entities import Entities, Home
from services.alerts.merge import Merge
from services.alerts.observed import AlertmanagerSeen, PrometheusSeen, Rule, RuleAlert
from services.alerts.relabel import Outgoing
from services.model.alert import Alert, Pairs

T0 = 1_800_000_000.0
READY = GivenStatus("ready", "0.25.0", T0 - 86_400, "am", ("am",))


def pairs(name: str = "Down", **labels: str) -> Pairs:
    return tuple(sorted({"alertname": name, **labels}.items()))


def given(labels: Pairs, state: Notifying = Notifying.ACTIVE, starts_at: float = T0, **fields: Any) -> GivenAlert:
    fields = {"ends_at": starts_at + 240, "updated_at": starts_at, **fields}
    return GivenAlert(labels, fingerprint(labels), state, starts_at=starts_at, **fields)


def am(*alerts: GivenAlert, name: str = "am-1", poll: int = 1, **fields: Any) -> AlertmanagerSeen:
    return AlertmanagerSeen(name, poll, alerts, **{"status": READY, **fields})


def ruled(labels: Pairs, *, firing: bool = True, active_at: float = T0, value: float | None = 1.0) -> RuleAlert:
    return RuleAlert(labels, firing, active_at, value)


def rule(*alerts: RuleAlert, name: str = "Down", **fields: Any) -> Rule:
    fields = {"expression": "up == 0", "group": "g", "evaluated_at": T0, **fields}
    return Rule(name=name, alerts=alerts, **fields)


def prom(*rules: Rule, name: str = "main", poll: int = 1, **fields: Any) -> PrometheusSeen:
    return PrometheusSeen(name, poll, rules, **{"outgoing": Outgoing(), "started_at": T0 - 86_400, **fields})


def rows(
    alertmanagers: list[AlertmanagerSeen], prometheis: list[PrometheusSeen] | None = None, home: str = ""
) -> dict[str, Alert]:
    entities = Entities({}, Home(home))
    return Merge(alertmanagers, prometheis or [], home).rows(entities.of)


def row(alertmanagers: list[AlertmanagerSeen], prometheis: list[PrometheusSeen] | None = None) -> Alert:
    (only,) = rows(alertmanagers, prometheis).values()
    return only
