"""What runs beside the measured cluster, so that all four panes live: a Prometheus and Alertmanagers with alerts."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tui.commands.demo import estate


def monitoring_of(said: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment in which the program asks an estate's Prometheus and Alertmanagers."""
    return {
        "QUARTERDECK_PROMETHEUS_URLS": str(said["prometheus"]),
        "QUARTERDECK_ALERTMANAGER_URLS": ",".join(said["alertmanagers"]),
    }


@contextmanager
def monitored() -> Iterator[dict[str, str]]:
    """Serve a small estate in trouble; yields the environment in which its monitoring is asked."""
    wanted = argparse.Namespace(scenario="bad-deploy", size="small", seed=3, port=0)
    with estate(wanted) as said:
        yield monitoring_of(said)
