"""What a console remembers of its last summary never shows: the same as summing up everything anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec import structs

from cache.live import LiveState
from screenshots import scene
from services.clock import ManualClock
from services.model.source import SourceState, SourceStatus
from services.ports import Delta, Replace
from tui.console import Console, Scope
from tui.presenters.summary import sum_up

NOW = scene.NOW
CONNECTION = "kubernetes"


@pytest.mark.parametrize("namespaces", [(), ("shop",)])
async def test_a_console_counts_anew_only_what_has_changed_and_sums_up_the_same(namespaces: tuple[str, ...]) -> None:
    clock = ManualClock(NOW)
    live = LiveState(clock)
    console = Console(clock, live, Scope("c", "c", namespaces=namespaces))
    kept = scene.workloads()
    steps: tuple[Callable[[], object], ...] = (
        lambda: live.apply("k", Replace("rollouts", kept)),
        lambda: live.apply("k", Replace("symptoms", scene.symptoms())),
        lambda: None,
        lambda: live.status(SourceStatus(CONNECTION, SourceState.LIVE, NOW, NOW, NOW)),
        lambda: live.apply("k", Delta("rollouts", {}, list(kept)[:9])),
        lambda: live.apply("k", Replace("symptoms", {})),
        lambda: live.status(SourceStatus(CONNECTION, SourceState.FAILED, NOW, NOW, NOW)),
    )
    for step in steps:
        step()
        live.publish()
        assert console.summary() == sum_up(live.snapshot(), clock.now(), console.scope.test)
        console.scope = structs.replace(console.scope, namespaces=("identity",))
        assert console.summary() == sum_up(live.snapshot(), clock.now(), console.scope.test)
        console.scope = structs.replace(console.scope, namespaces=namespaces)
        await clock.advance(7)
