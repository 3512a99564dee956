"""Rules and alerts as the Prometheus API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal.monitoring.values import nano_text, number_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.rehearsal.jsonic import Json
    from services.rehearsal.monitoring.alerting import Episode, RuleState
    from services.rehearsal.monitoring.rulebook import Group


def describe_alert(one: Episode, rewrite: Callable[[str], str]) -> Json:
    """Return one alert that is pending or firing."""
    return {
        "labels": dict(one.labels),
        "annotations": one.annotations(rewrite),
        "state": "firing" if one.firing else "pending",
        "activeAt": nano_text(one.active_at),
        "value": _exponent(one.value),
    }


def _exponent(value: float) -> str:
    """Write a value as the rules API does: always with an exponent, as in 1e+00."""
    mantissa, _, power = f"{value:.17e}".partition("e")
    shortest = number_text(value)
    digits = shortest.lstrip("-").replace(".", "").strip("0") or "0"
    sign = "-" if value < 0 else ""
    head = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{sign}{head}e{power}" if mantissa != "nan" and "Inf" not in shortest else shortest


def describe_group(group: Group, states: list[RuleState], rewrite: Callable[[str], str]) -> Json:
    """Return one group with its rules and their alerts."""
    evaluated = nano_text(states[0].evaluated_at) if states[0].evaluated_at else "0001-01-01T00:00:00Z"
    return {
        "name": group.name,
        "file": group.file,
        "rules": [_rule(state, evaluated, rewrite) for state in states],
        "interval": 30,
        "limit": 0,
        "evaluationTime": 0.0021,
        "lastEvaluation": evaluated,
    }


def _rule(state: RuleState, evaluated: str, rewrite: Callable[[str], str]) -> Json:
    rule = state.rule
    active = [describe_alert(one, rewrite) for one in state.open.values()]
    states = {one["state"] for one in active}
    found: Json = {
        "state": "firing" if "firing" in states else "pending" if states else "inactive",
        "name": rule.name,
        "query": rule.expr,
        "duration": rule.hold,
        "keepFiringFor": 0,
        "labels": rule.labels,
        "annotations": rule.annotations,
        "alerts": active,
        "health": state.health,
        "evaluationTime": 0.0004,
        "lastEvaluation": evaluated,
        "type": "alerting",
    }
    return {**found, "lastError": state.error} if state.error else found
