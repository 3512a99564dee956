"""Names what is sampled while a console watches, and where in an hour a sample lies."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from services.model.severity import Severity

STEP = 30
"""Seconds between two samples."""

HOUR = 3600
SLOTS = HOUR // STEP

CPU = "cpu"
MEMORY = "memory"
COUNT = "count"
ALERT = "alert"
COST_RATE = "cost/rate"
"""Dollars an hour."""

FIRING = "count/firing"
"""Alerts that fire, heartbeats left out."""

UNITS: Mapping[str, str] = {CPU: "cores", MEMORY: "bytes"}
"""Units of the families of series that have one, as `services.model.metric.Series` names them."""


class Sampled(Struct, frozen=True):
    """What was measured at one moment (epoch seconds UTC), by the name of the series."""

    at: float
    values: Mapping[str, float]


def cpu_of(key: str) -> str:
    """Return the series of what a workload or a node uses of processors; `key` as in "Deployment/shop/cart"."""
    return f"{CPU}/{key}"


def memory_of(key: str) -> str:
    """Return the series of what a workload or a node uses of memory."""
    return f"{MEMORY}/{key}"


def count_of(severity: Severity) -> str:
    """Return the series of how many workloads, symptoms and alerts had that severity."""
    return f"{COUNT}/{severity.name.lower()}"


def value_of(alert: str) -> str:
    """Return the series of an alert's value, by `Alert.key`."""
    return f"{ALERT}/{alert}"


def unit_of(series: str) -> str:
    """Return the unit of a series, "" where it has none."""
    return UNITS.get(series.partition("/")[0], "")
