"""A Prometheus and an Alertmanager may bear one name: nothing of either is taken for the other's."""

from __future__ import annotations

import asyncio

import pytest

from cache.live import LiveState
from services.clock import SystemClock
from services.config_endpoints import EndpointSettings
from services.config_schema import Config
from services.endpoint import called
from services.errors import Problem
from services.model.source import SourceState
from services.monitoring import Monitoring
from services.ports import Snapshot
from services.rehearsal.server import Options, Rehearsal
from tui.presenters.alert_sources import evidence_of


async def test_both_are_polled_shown_and_believed() -> None:
    async with Rehearsal(Options(scenario="bad-deploy", size="tiny", seed=5, life=False)) as estate:
        config = Config(
            prometheus={"main": EndpointSettings(url=estate.address.prometheus)},
            alertmanager={"main": EndpointSettings(url=estate.address.alertmanagers[0])},
        )
        live, monitoring = LiveState(SystemClock(), tick=0.02), Monitoring(config, "", SystemClock())
        published = asyncio.Event()
        live.subscribe(published.set)
        task = asyncio.ensure_future(monitoring.watch_alerts(live, live.snapshot, "", frozenset()))
        try:
            async with asyncio.timeout(20):
                while not _both_tell(live.snapshot()):
                    published.clear()
                    await published.wait()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await monitoring.close()
            await live.close()
        snapshot = live.snapshot()
        evidence = evidence_of(snapshot, SystemClock().now(), config.alert_sources(""))
        assert (evidence.answering, evidence.total, evidence.waiting) == (2, 2, 0)
        assert evidence.beating == 2
        assert evidence.rules > 0


def _both_tell(snapshot: Snapshot) -> bool:
    peers = snapshot.tables.get("alert-peers", {})
    states = [snapshot.sources.get(f"{kind}/main") for kind in ("alertmanager", "prometheus")]
    live = all(one is not None and one.state is SourceState.LIVE for one in states)
    return live and peers.keys() == {"main (alertmanager)", "main (prometheus)"}


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("prometheus", "main", "prometheus main"),
        ("prometheus", "prometheus", "prometheus"),
        ("alertmanager", "alertmanager-1", "alertmanager-1"),
        ("alertmanager", "Alertmanager_b", "Alertmanager_b"),
        ("prometheus", "alertmanager-1", "prometheus alertmanager-1"),
    ],
)
def test_a_name_that_says_the_kind_does_not_say_it_twice(kind: str, name: str, said: str) -> None:
    assert called(kind, name) == said


async def test_what_failed_is_named_once() -> None:
    gone = EndpointSettings(url="http://127.0.0.1:9", timeout=1)
    monitoring = Monitoring(Config(prometheus={"prometheus-2": gone}), "", SystemClock())
    assert monitoring.metrics is not None
    with pytest.raises(Problem, match=r"^prometheus-2 ") as raised:
        await monitoring.metrics.requests(0.0, 3600.0, 900.0, {"n1"})
    await monitoring.close()
    assert raised.value.sentence.count("prometheus") == 1
