"""Measures 5,000 alerts that begin at once: joined and grouped, and drawn while the screen's loop goes on.

usage: python -m tests.bench.alerts
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from services.alertmanager.decode import decode_alerts
from services.alerts.evidence import Configured
from services.alerts.observed import AlertmanagerSeen
from services.alerts.picture import Observed, Painter, Surroundings
from tests.bench.beside import monitoring_of
from tests.bench.program import ROOT, idle, processor, until
from tests.budgets.pty import TRUECOLOR, Terminal
from tui.commands.demo import estate

COUNT = 5000
PEERS = ("one", "two")
NOW = 1_793_416_447.0
SHOWN = r"Alerts ─ 5,\d\d\d"
Measured = tuple[str, float, float, str]


def storm() -> list[dict[str, Any]]:
    """Return alerts as they are posted: 40 rules, 400 workloads in 50 namespaces."""
    began = datetime.now(UTC).isoformat()
    return [
        {
            "labels": {
                "alertname": f"Rule{number % 40}",
                "severity": ("warning", "critical", "info")[number % 3],
                "namespace": f"ns-{number % 50}",
                "deployment": f"app-{number % 400}",
                "pod": f"app-{number % 400}-7d9f8c6b5-{number:05d}",
            },
            "annotations": {
                "summary": f"pod {number} restarts again and again",
                "runbook_url": "https://run.example/x",
            },
            "startsAt": began,
        }
        for number in range(COUNT)
    ]


def merged() -> Iterator[Measured]:
    """Yield what it costs to read the answers of two Alertmanagers, to join them, and to look at them once more."""
    status = {"state": "active", "silencedBy": [], "inhibitedBy": []}
    answer = json.dumps([
        {**one, "endsAt": one["startsAt"], "updatedAt": one["startsAt"], "receivers": [{"name": "chat"}]}
        | {"fingerprint": f"{number:016x}", "status": status}
        for number, one in enumerate(storm())
    ]).encode()  # fmt: skip
    firsts, agains, used = [], [], []
    for _ in range(5):
        painter = Painter([Configured(name, "alertmanager", "") for name in PEERS], Surroundings())
        clock, processor_time = time.perf_counter(), time.process_time()
        painted = painter.paint(_observed(answer), {}, NOW)
        firsts.append(time.perf_counter() - clock)
        used.append(time.process_time() - processor_time)
        assert len(painted.tables["alerts"]) == COUNT
        clock = time.perf_counter()
        painter.paint(_observed(answer), {}, NOW + 15)
        agains.append(time.perf_counter() - clock)
    yield f"{COUNT:,} alerts of two peers merged", 1000 * statistics.median(firsts), 1000, "ms"
    yield "  processor time of it", 1000 * statistics.median(used), 1000, "ms"
    yield "  merged again, nothing new", 1000 * statistics.median(agains), 500, "ms"


def _observed(answer: bytes) -> Observed:
    alerts: Sequence[Any] = decode_alerts(answer).items
    return Observed([AlertmanagerSeen(name=name, poll=1, alerts=alerts) for name in PEERS], [])


def drawn() -> Iterator[Measured]:
    """Yield what the running program does when they come: how long until all are on screen, its longest stall."""
    wanted = argparse.Namespace(scenario="bad-deploy", size="small", seed=3, port=0)
    with tempfile.TemporaryDirectory() as folder, estate(wanted) as said:
        found = Path(folder) / "stalls"
        environment = {
            **TRUECOLOR,
            "KUBECONFIG": str(said["kubeconfig"]),
            "QUARTERDECK_STATE_DIR": folder,
            "QUARTERDECK_BENCH_STALLS": str(found),
            "PYTHONPATH": str(ROOT),
            **monitoring_of(said),
        }
        command = [sys.executable, "-m", "tests.bench.heartbeat", "run", "-A", "--view", "alerts"]
        with Terminal(command, columns=160, lines=48, environment=environment) as terminal:
            until(terminal, r"Alerts ─ \d+")
            idle(terminal, 8)
            used = processor(terminal.process.pid)
            _post(said["alertmanagers"])
            waited = until(terminal, SHOWN)
            idle(terminal, 40)
            used = processor(terminal.process.pid) - used
            terminal.send("\x03")
            terminal.exit_code()
        longest = [float(line) for line in found.read_text().split()]
    yield f"{COUNT:,} alerts drawn, longest stall", longest[0], 50, "ms"
    yield "  from their post to the screen, polls included", waited, 17, "s"
    yield "  processor time of the program, 40 s of it", used, 8, "s"


def _post(alertmanagers: Sequence[str]) -> None:
    alerts = storm()
    for url in alertmanagers:
        httpx.post(f"{url}/api/v2/alerts", json=alerts, timeout=60).raise_for_status()


def measure() -> Iterator[Measured]:
    """Yield name, value, target and unit of each figure."""
    yield from merged()
    yield from drawn()


if __name__ == "__main__":
    for name, value, target, unit in measure():
        sys.stdout.write(f"{name:<50}{value:>9.2f} {unit:<4} target {target:g}\n")
        sys.stdout.flush()
