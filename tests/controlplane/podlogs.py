"""What simulated pods have logged: files in the runtime's format, which KWOK serves as if each container had one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

STAGES = Path(__file__).resolve().parent / "stages"

_STEADY = (
    "INFO  http GET /healthz 200 1ms",
    "INFO  http GET /api/items?page=3 200 18ms",
    "DEBUG cache hit ratio=0.94 entries=20480",
    "INFO  http POST /api/orders 201 42ms trace=6f1d",
    "WARN  slow query 812ms table=orders rows=5120",
    '{"level":"info","msg":"job finished","job":"reindex","took_ms":5310}',
    "ERROR upstream inventory answered 503 after 3 tries",
    "INFO  http GET /api/items/42 200 7ms",
)
_LAST_WORDS = (
    "INFO  starting, version from image tag",
    "INFO  connecting to database at 10.0.3.17:5432",
    "ERROR configuration key DATABASE_POOL_SIZE is missing",
    "FATAL cannot start: required configuration is missing",
)


def log_line(text: str, at: datetime, stream: Literal["stdout", "stderr"] = "stdout") -> str:
    """Format one line as a container runtime writes it: time, stream, F (a full line), text."""
    return f"{at.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%S.%f')}000Z {stream} F {text}\n"


def write_first_logs(current: Path, previous: Path, now: datetime) -> None:
    """Write 240 lines of the last twenty minutes to ``current`` and a short, failed life to ``previous``."""
    current.parent.mkdir(parents=True, exist_ok=True)
    steady = (
        log_line(_STEADY[index % len(_STEADY)], now - timedelta(seconds=5 * (240 - index))) for index in range(240)
    )
    current.write_text("".join(steady))
    ended = now - timedelta(minutes=21)
    previous.write_text("".join(log_line(text, ended + timedelta(seconds=n)) for n, text in enumerate(_LAST_WORDS)))


def append(path: Path, lines: Iterable[str]) -> None:
    """Add ``lines`` to a log that is being followed, at the present time."""
    with path.open("a") as handle:
        handle.writelines(log_line(line, datetime.now(UTC)) for line in lines)


def kwok_config(current: Path, previous: Path, exec_here: bool) -> str:
    """Join the Stage files with what tells KWOK where logs are and, with ``exec_here``, that exec runs here."""
    logs = {"logsFile": str(current), "previousLogsFile": str(previous), "follow": True}
    objects = [_cluster_wide("ClusterLogs", {"logs": [logs]})]
    if exec_here:
        objects.append(_cluster_wide("ClusterExec", {"execs": [{"local": {"workDir": str(current.parent)}}]}))
    documents = [path.read_text() for path in sorted(STAGES.glob("*.yaml"))]
    return "\n---\n".join([*documents, *(json.dumps(item) for item in objects)]) + "\n"


def _cluster_wide(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": kind, "metadata": {"name": "all-pods"}, "spec": spec}
