"""Alertmanagers in memory for alert actions: what they hold, what is sent to them, and what goes wrong when asked."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import structs

from services.actions.spec import Document
from services.alerts.alertmanagers import PREFIX, ClusterSeen, HeldAlert
from services.alerts.matchers import hides
from services.clock import Clock
from services.model.action import Right, Write
from services.model.alert import Matcher, Silence
from services.model.ref import ALERTMANAGERS, Resource
from services.ports import AccessAnswer, Snapshot
from tests.unit.actions.stage import StageHands, World


def held(name: str, receivers: Sequence[str] = ("chat",), **labels: str) -> HeldAlert:
    """Return an alert that is told; its key is its name and its pod."""
    pairs = tuple(sorted({"alertname": name, **labels}.items()))
    return HeldAlert(f"{name}/{labels.get('pod', '')}", pairs, told=True, receivers=tuple(receivers))


class Silencer(StageHands):
    """Implements Hands with two clusters of Alertmanagers at most; `sent` are the requests that came, in order.

    `faults` are raised by the next requests: before a change is taken, or after it where `late`.
    """

    def __init__(self, *alerts: HeldAlert, clock: Clock | None = None, snapshot: Snapshot | None = None) -> None:
        super().__init__(World())
        self.clock = clock or self.clock
        self.alerts: dict[str, list[HeldAlert]] = {"am-1": list(alerts)}
        self.silences: dict[str, Silence] = {}
        self.sent: list[Write] = []
        self.faults: list[Exception] = []
        self.late = False
        self.silent: tuple[tuple[str, str], ...] = ()
        self.before_send: Callable[[], None] = lambda: None
        self._snapshot = snapshot or Snapshot(0, {}, {})
        self._ids = itertools.count(1)

    def snapshot(self) -> Snapshot:
        return self._snapshot

    def look(self) -> list[ClusterSeen]:
        """Return what is held now."""
        now = self.clock.now()
        silences = [
            structs.replace(one, state="expired") if one.ends_at <= now else one for one in self.silences.values()
        ]
        active = [one for one in silences if one.state == "active"]
        found = []
        for name, alerts in self.alerts.items():
            here = [one for one in active if one.source == name]
            hidden = [tuple(one.id for one in here if hides(one.matchers, dict(alert.labels))) for alert in alerts]
            shown = tuple(
                structs.replace(alert, told=not ids, silenced_by=ids) for alert, ids in zip(alerts, hidden, strict=True)
            )
            mine = tuple(one for one in silences if one.source == name)
            found.append(ClusterSeen(name, (name,), (f"http://{name}",), self.silent, shown, mine))
        return found

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[Document]:
        assert resource == ALERTMANAGERS
        return [msgspec.to_builtins(one) for one in self.look()]

    async def send(self, write: Write, *, dry_run: bool = False) -> Document:
        assert not dry_run
        self.sent.append(write)
        self.before_send()
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None and not self.late:
            raise fault
        answer = self._take(write)
        if fault is not None:
            raise fault
        return answer

    async def can(self, right: Right) -> AccessAnswer:
        return AccessAnswer(True)

    def _take(self, write: Write) -> Document:
        cluster, _, path = write.path.removeprefix(PREFIX).partition("/")
        if write.method == "DELETE":
            name = path.rpartition("/")[2]
            self.silences[name] = structs.replace(self.silences[name], state="expired", ends_at=self.clock.now())
            return {}
        body: dict[str, Any] = msgspec.json.decode(write.body)
        known = self.silences.get(body.get("id", ""))
        name = known.id if known is not None and known.state == "active" else f"id-{next(self._ids)}"
        self.silences[name] = Silence(
            name,
            tuple(Matcher(one["name"], one["value"], one["isRegex"], one["isEqual"]) for one in body["matchers"]),
            _seconds(body["startsAt"]),
            _seconds(body["endsAt"]),
            body["createdBy"],
            body["comment"],
            "active",
            cluster,
        )
        return {"silenceID": name}


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
