"""All servers are polled side by side, and live state gets what differs and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cache.live import LiveState
from services.alerts.peers import Peer
from services.alerts.picture import Surroundings
from services.alerts.source import AlertingSource
from services.clock import ManualClock, settle
from services.model.alert import AlertState, Onset
from services.model.source import SourceState
from services.ports import Delta, Replace
from tests.unit.alerts.scripted import KeepingSink, Script, ScriptedAlertmanager, ScriptedPrometheus

DOWN = {"alertname": "Down", "severity": "critical", "namespace": "shop", "app": "cart"}
T0 = ManualClock().now()


def peer(name: str, script: Script, **fields: Any) -> Peer:
    kind = "alertmanager" if name.startswith("am") else "prometheus"
    return Peer(name, kind, f"http://{name}", script, **{"interval": 10.0, "deadline": 5.0, **fields})


class Console:
    def __init__(self, sink: Any, clock: ManualClock, source: AlertingSource) -> None:
        self.sink, self.clock, self.source = sink, clock, source

    async def polls(self, times: int = 1, seconds: float = 10.0) -> None:
        for _ in range(times):
            await self.clock.advance(seconds)
            await settle(60)

    def states(self) -> list[AlertState]:
        return [alert.state for alert in self.sink.tables["alerts"].values()]


@asynccontextmanager
async def console(*peers: Peer, sink: Any = None, **surroundings: Any) -> AsyncIterator[Console]:
    clock = ManualClock()
    kept = sink or KeepingSink()
    source = AlertingSource(peers, kept, clock, surroundings=Surroundings(**surroundings), jitter=lambda: 0.0)
    task = asyncio.ensure_future(source.run())
    await settle(60)
    running = Console(kept, clock, source)
    await running.polls(1, 0.3)
    yield running
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def alertmanager() -> ScriptedAlertmanager:
    return ScriptedAlertmanager(T0 - 9000)


def prometheus(config: str = "global: {}\n") -> ScriptedPrometheus:
    return ScriptedPrometheus(T0 - 9000, config)


async def test_the_first_answers_become_four_whole_tables() -> None:
    am, prom = alertmanager(), prometheus()
    am.show((DOWN, T0 - 40))
    prom.show((DOWN, T0 - 100, "firing"))
    async with console(peer("am-1", am), peer("main", prom), cluster="c1") as shown:
        assert [(type(one), one.table) for one in shown.sink.changes] == [
            (Replace, table) for table in ("alerts", "alert-groups", "silences", "alert-peers")
        ]
        (alert,) = shown.sink.tables["alerts"].values()
        assert (alert.onset, alert.onset_from, alert.peers) == (T0 - 100, Onset.ACTIVE_AT, ("am-1", "main"))
        assert (alert.entity.cluster, alert.entity.workload) == ("c1", "cart")
        (group,) = shown.sink.tables["alert-groups"].values()
        assert group.members == (alert.key,)
        assert set(shown.sink.tables["alert-peers"]) == {"am-1", "main"}
        assert {one.source: one.state for one in shown.sink.statuses.values()} == {
            "alertmanager/am-1": SourceState.LIVE,
            "prometheus/main": SourceState.LIVE,
        }
        (event,) = shown.sink.events.values()
        assert (event.text, event.at, event.ref.kind) == ("Down firing", T0 - 100, "Alert")


async def test_equal_answers_change_nothing_and_a_change_is_a_delta() -> None:
    am = alertmanager()
    am.show(*((DOWN | {"pod": f"p{n}"}, T0 - 40) for n in range(300)))
    async with console(peer("am-1", am)) as shown:
        shown.sink.changes.clear()
        await shown.polls(3)
        assert shown.sink.changes == []
        am.show(*((DOWN | {"pod": f"p{n}"}, T0 - 40) for n in range(301)))
        await shown.polls(1)
        (change,) = [one for one in shown.sink.changes if one.table == "alerts"]
        assert isinstance(change, Delta)
        assert (len(change.upserts), list(change.removals)) == (1, [])


async def test_an_end_is_shown_told_and_after_five_minutes_gone() -> None:
    am = alertmanager()
    am.show((DOWN, T0 - 40))
    async with console(peer("am-1", am)) as shown:
        am.show()
        await shown.polls(1)
        assert shown.states() == [AlertState.FIRING]
        await shown.polls(1)
        assert shown.states() == [AlertState.ENDED]
        assert sorted(event.payload["what"] for event in shown.sink.events.values()) == ["began", "ended"]
        await shown.polls(31)
        assert shown.states() == []


@pytest.mark.parametrize("trouble", ["down", "hangs"])
async def test_a_server_in_trouble_holds_up_nobody_and_ends_nothing(trouble: str) -> None:
    one, two = alertmanager(), alertmanager()
    one.show((DOWN, T0 - 40))
    two.show((DOWN | {"app": "web"}, T0 - 40))
    quick = peer("am-2", two, deadline=0.5)
    async with console(peer("am-1", one), quick) as shown:
        assert shown.states() == [AlertState.FIRING] * 2
        setattr(two, trouble, "am-2 refused the connection." if trouble == "down" else True)
        one.show((DOWN, T0 - 40), (DOWN | {"app": "new"}, T0))
        await shown.polls(1)
        await wait_for(lambda: shown.sink.statuses["alertmanager/am-2"].state is SourceState.FAILED)
        await shown.polls(3)
        assert shown.states() == [AlertState.FIRING] * 3
        failed = shown.sink.statuses["alertmanager/am-2"]
        assert failed.state is SourceState.FAILED
        assert "am-2" in failed.error
        assert failed.last_ok == T0
        assert shown.sink.statuses["alertmanager/am-1"].state is SourceState.LIVE
        assert shown.sink.tables["alert-peers"]["am-2"].alerts == 1


async def test_the_first_picture_waits_for_a_late_server_and_not_for_long() -> None:
    one, two = alertmanager(), prometheus()
    one.show((DOWN, T0 - 40))
    two.hangs = True
    async with console(peer("am-1", one), peer("main", two)) as shown:
        assert shown.sink.changes == []
        state = shown.sink.statuses["alertmanager/am-1"].state
        assert state is SourceState.LOADING, "nobody is to think that nothing fires while nothing is shown yet"
        await shown.polls(1, 3.0)
        assert shown.states() == [AlertState.FIRING]
        assert shown.sink.statuses["alertmanager/am-1"].state is SourceState.LIVE
        assert shown.sink.events == {}
        two.hangs = False
        await shown.polls(4)
        assert len(shown.sink.events) == 1


async def test_a_fault_of_the_program_is_said_and_the_others_go_on() -> None:
    one, two = alertmanager(), alertmanager()
    one.show((DOWN, T0 - 40))

    async def broken(path: str, query: Any = ()) -> bytes:
        raise KeyError(path)

    two.get = broken  # type: ignore[method-assign]
    async with console(peer("am-1", one), peer("am-2", two)) as shown:
        assert shown.states() == [AlertState.FIRING]
        assert "fault of this program" in shown.sink.statuses["alertmanager/am-2"].error


async def test_silences_that_cannot_be_had_cost_no_alert() -> None:
    am = alertmanager()
    am.show((DOWN, T0 - 40))
    del am.answers["/api/v2/silences"]
    async with console(peer("am-1", am)) as shown:
        assert shown.states() == [AlertState.FIRING]
        assert "silences cannot be shown" in shown.sink.tables["alert-peers"]["am-1"].mutes


async def test_a_store_without_rules_gives_the_onset() -> None:
    am, prom = alertmanager(), prometheus()
    am.show((DOWN, T0 - 40))
    del prom.answers["/api/v1/rules"]
    found = [{"metric": {**DOWN, "__name__": "ALERTS_FOR_STATE"}, "value": [T0, f"{T0 - 100}"]}]
    prom.answers["/api/v1/query?ALERTS_FOR_STATE"] = {
        "status": "success",
        "data": {"resultType": "vector", "result": found},
    }
    async with console(peer("am-1", am), peer("main", prom)) as shown:
        (alert,) = shown.sink.tables["alerts"].values()
        assert (alert.onset, alert.onset_from) == (T0 - 100, Onset.FOR_STATE)


EXTERNAL = "global:\n  external_labels: {cluster: eu}\n"


async def test_what_was_watched_and_what_is_read_back_are_the_same_events() -> None:
    am, prom = alertmanager(), prometheus(EXTERNAL)
    sent = DOWN | {"cluster": "eu"}
    began, step = int(T0) - 600 + 0.75, 60
    async with console(peer("am-1", am), peer("main", prom), cluster="c1") as watching:
        am.show((sent, began + 60))
        prom.show((DOWN, began, "firing"))
        await watching.polls(1)
        am.show()
        prom.show()
        await watching.polls(3)
    points = [(int(began) + n * step, int(began)) for n in range(1, 5)]
    prom.past(
        [({**DOWN, "__name__": "ALERTS_FOR_STATE"}, points)],
        [({**DOWN, "__name__": "ALERTS", "alertstate": "firing"}, [(at, 1) for at, _ in points])],
    )
    async with console(peer("am-1", am), peer("main", prom), cluster="c1") as late:
        await wait_for(lambda: len(late.sink.events) == 2)
    assert set(late.sink.events) == set(watching.sink.events)
    assert {event.payload["what"] for event in late.sink.events.values()} == {"began", "ended"}
    assert {event.ref.cluster for event in late.sink.events.values()} == {"c1"}


async def test_the_past_is_asked_for_once_and_what_is_pending_or_a_heartbeat_is_not_told() -> None:
    prom = prometheus()
    beat = {"alertname": "Watchdog", "severity": "none"}
    always = [(T0 - 3600 + n * 60, T0 - 86_400.0 * 9) for n in range(60)]
    prom.past(
        [(DOWN, [(T0 - 3600, T0 - 3700.0)]), (beat, always), (DOWN | {"app": "odd"}, [(T0 - 60, float("nan"))])],
        [(beat, [(at, 1) for at, _ in always]), (DOWN | {"app": "odd"}, [(T0 - 60, 1)])],
    )
    async with console(peer("main", prom)) as shown:
        await shown.polls(3)
        await shown.source.past_told.wait()
        await shown.polls(1)
        assert shown.sink.events == {}
        assert prom.asked.count("/api/v1/query_range") == 2


async def test_asking_now_does_not_wait() -> None:
    am = alertmanager()
    async with console(peer("am-1", am, interval=300.0)) as shown:
        am.show((DOWN, T0))
        shown.source.poll_now()
        await shown.polls(2, 0.3)
        assert shown.states() == [AlertState.FIRING]


async def test_five_thousand_at_once_are_one_replace() -> None:
    am = alertmanager()
    clock = ManualClock()
    state = LiveState(clock)
    sink = KeepingSink()
    async with console(peer("am-1", am), sink=sink) as shown:
        sink.changes.clear()
        am.show(*((DOWN | {"pod": f"p{n}"}, T0) for n in range(5000)))
        await shown.polls(1)
        await wait_for(lambda: len(sink.tables["alerts"]) == 5000)
        changes = [one for one in sink.changes if one.table == "alerts"]
        assert [type(one) for one in changes] == [Replace]
        state.apply("alerting", changes[0])
        assert len(state.publish().tables["alerts"]) == 5000


async def wait_for(done: Callable[[], bool], seconds: float = 60.0) -> None:
    """Let threads beside the loop finish."""
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until
        await asyncio.sleep(0.005)
