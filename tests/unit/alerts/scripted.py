"""Servers of a script: an Alertmanager and a Prometheus whose answers a test sets, and a sink that keeps what comes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from services.errors import Problem
from services.model.source import SourceStatus
from services.model.timeline import Event
from services.ports import Change, Delta, Replace
from services.sanitize import safe_text


def stamp(at: float) -> str:
    """Return an RFC 3339 time as Go writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


class Script:
    """Answers by path; a path that is not set is refused with 404. `hangs` holds every request until it is cleared."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.down = ""
        self.hangs = False

    async def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> bytes:
        self.asked.append(path)
        if self.hangs:
            await asyncio.Event().wait()
        if self.down:
            raise Problem(safe_text(self.down))
        wanted = dict(query).get("query", "")
        for key in (f"{path}?{wanted}", path):
            if key in self.answers:
                answer = self.answers[key]
                return answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        raise Problem(safe_text(f"{path} is not known."), 404)


class ScriptedAlertmanager(Script):
    def __init__(self, started_at: float, name: str = "a", members: Iterable[str] = ("a",)) -> None:
        super().__init__()
        peers = [{"name": each, "address": "x"} for each in members]
        self.answers["/api/v2/status"] = {
            "cluster": {"status": "ready", "name": name, "peers": peers},
            "uptime": stamp(started_at),
            "versionInfo": {"version": "0.25.0"},
        }
        self.answers["/api/v2/silences"] = []
        self.show()

    def show(self, *alerts: tuple[dict[str, str], float], state: str = "active", **status: Any) -> None:
        self.answers["/api/v2/alerts"] = [
            {
                "labels": labels,
                "startsAt": stamp(at),
                "endsAt": stamp(at + 1e6),
                "updatedAt": stamp(at),
                "status": {"state": state, "silencedBy": [], "inhibitedBy": [], **status},
                "receivers": [{"name": "team"}],
            }
            for labels, at in alerts
        ]


class ScriptedPrometheus(Script):
    def __init__(self, started_at: float, config: str = "global: {}\n") -> None:
        super().__init__()
        self._set("/api/v1/status/runtimeinfo", {"startTime": stamp(started_at)})
        self._set("/api/v1/status/config", {"yaml": config})
        self._set("/api/v1/status/buildinfo", {"version": "2.42.0"})
        self._set("/api/v1/alertmanagers", {"activeAlertmanagers": [{"url": "http://am/api/v2/alerts"}]})
        self._set("/api/v1/query", {"resultType": "vector", "result": []})
        self.show()

    def _set(self, path: str, data: Any) -> None:
        self.answers[path] = {"status": "success", "data": data}

    def show(self, *alerts: tuple[dict[str, str], float, str], **rule: Any) -> None:
        """Show alerts as (labels, activeAt, state) under one rule."""
        shown = [
            {"labels": labels, "annotations": {}, "state": state, "activeAt": stamp(at), "value": "1e+00"}
            for labels, at, state in alerts
        ]
        base = {
            "name": "Down",
            "query": "up == 0",
            "duration": 60,
            "health": "ok",
            "type": "alerting",
            "lastEvaluation": stamp(1.8e9),
            "labels": {},
            "alerts": shown,
        }
        self._set("/api/v1/rules", {"groups": [{"name": "g", "interval": 1, "rules": [{**base, **rule}]}]})

    def past(self, onsets: list[Any], firing: list[Any], series: float = 1) -> None:
        """Show what a day's range queries answer: [(labels, [(at, value), ...]), ...]."""
        count = [{"metric": {}, "value": [0, str(series)]}] if series else []
        self._set("/api/v1/query", {"resultType": "vector", "result": count})
        for name, found in (("ALERTS_FOR_STATE", onsets), ('ALERTS{alertstate="firing"}', firing)):
            result = [{"metric": labels, "values": [[at, str(v)] for at, v in points]} for labels, points in found]
            self._set(f"/api/v1/query_range?max_over_time({name}[60s])", {"resultType": "matrix", "result": result})


class KeepingSink:
    """Keeps every change, the last status of every source, and events by id."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.statuses: dict[str, SourceStatus] = {}
        self.events: dict[str, Event] = {}
        self.tables: dict[str, dict[str, Any]] = {}

    def apply(self, source: str, change: Change) -> None:
        assert source == "alerting"
        self.changes.append(change)
        if isinstance(change, Replace):
            self.tables[change.table] = dict(change.rows)
        elif isinstance(change, Delta):
            for key in change.removals:
                del self.tables[change.table][key]
            self.tables[change.table].update(change.upserts)

    def status(self, status: SourceStatus) -> None:
        self.statuses[status.source] = status

    def happened(self, events: Iterable[Event]) -> None:
        for event in events:
            self.events.setdefault(event.id, event)
