"""How a drain looks: its plan pod by pod, one that is blocked, and one that runs, over the recorded scene."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from textual.pilot import Pilot

from screenshots import scene
from screenshots.scene_alerts import whole
from screenshots.scene_runtime import SceneRuntime
from screenshots.stage import HERE, console_app, settle
from services.actions.guard import Allow
from services.model.action import Fact, Plan, Progress, Stage, Step, Target, Tier, Undo
from services.model.ref import NODES, Ref
from services.model.severity import Severity
from services.model.source import SourceState
from tests.snapshots.screens.test_screen_snapshots import SIZES, Compare
from tui.app import QuarterdeckApp
from tui.presenters.action import Where, asks_for, present_blocked, present_plan, present_progress, present_title
from tui.presenters.steps import present_steps
from widgets.form import Field
from widgets.plan_dialog import PlanDialog, RunDialog
from widgets.viewmodels import KeyHint

REF = Ref("prod-eu-1", "", "Node", "", "worker-07", "u-7")
WHERE = Where("prod-eu-1", "PROD", "kubectl --context prod-eu-1 drain worker-07 --ignore-daemonsets")
PLANNED = (
    Step("payments/ledger-0", "waits", "needs 3 healthy pods, has 3", "0 (ledger)", 300.0, Severity.WARN),
    Step("shop/cart-6d5f7c9b8-2xk4q", "goes", "no second one of it", "", 30.0, Severity.WARN),
    Step(
        "search/indexer-7c9f5-h8p5t",
        "goes",
        "what it keeps in its emptyDir would be lost",
        "1 (indexer)",
        30.0,
        Severity.WARN,
    ),
    *(Step(f"shop/web-5bd{number}f-x{number}kq", "goes", "", "2 (web)", 30.0) for number in range(6)),
    Step("kube-system/node-exporter-tr4vr", "stays", "its DaemonSet would make it again"),
    Step("kube-system/kube-proxy-945tv", "stays", "its DaemonSet would make it again"),
)
RUNNING = (
    Step("payments/ledger-0", "refused again in 4 s", "needs 3 healthy pods, has 3", "ledger", 300.0, Severity.WARN),
    Step("shop/cart-6d5f7c9b8-2xk4q", "shutting down", "", "", 30.0, Severity.NOTICE),
    Step("search/indexer-7c9f5-h8p5t", "shutting down", "", "indexer", 30.0, Severity.NOTICE),
    *(Step(f"shop/web-5bd{number}f-x{number}kq", "gone", "", "web", 30.0) for number in range(6)),
)
PLAN = Plan(
    "drain",
    Target(REF, NODES, as_of=scene.NOW - 2),
    "Drain worker-07",
    facts=(
        Fact("plan", "evict 9, skip 2, blocked 0, singletons 1, longest grace 300 s"),
        Fact("cordon", "first, so that nothing new comes"),
        Fact("budget", "1 cannot go yet (ledger): they are asked again until their time is over", Severity.WARN),
        Fact("single", "1 has no second one: shop/cart-6d5f7c9b8-2xk4q", Severity.WARN),
    ),
    tier=Tier.TYPED,
    typed="worker-07",
    touches=9,
    expects="until every pod is gone, ten minutes at most; it stays cordoned",
    undo=Undo("uncordon", REF, NODES, {}, "uncordon it"),
    steps=PLANNED,
)
BLOCKED = Plan(
    "drain",
    PLAN.target,
    PLAN.title,
    facts=(Fact("plan", "evict 9, skip 2, blocked 1, singletons 1, longest grace 300 s"),),
    steps=(Step("shop/debug", "blocks", "nothing manages it: it would not come back", "", 0, Severity.CRIT), *PLANNED),
    blocked="nothing is evicted as long as these are there: shop/debug: nothing manages it: it would not come back; "
    "let them go for good, or make somebody manage them",
)
SEEN = (
    Progress(Stage.GUARD, "asking policy and server"),
    Progress(Stage.INTENT, "written into the audit trail"),
    Progress(Stage.LEASE, "no other operator acts on it"),
    Progress(Stage.REHEARSE, "the dry run still says the same"),
    Progress(Stage.EXECUTE, "evicting: 1 refused, 2 shutting down; gone", 6, 9, RUNNING),
)


def _planned(app: QuarterdeckApp) -> PlanDialog:
    lens, allow = app.console_state.lens(), Allow(Tier.TYPED)
    fields = [Field(name, label, "", (), True) for name, label in asks_for(PLAN, allow, reason=False)]
    title, lines = present_title(PLAN, WHERE, lens), present_plan(PLAN, allow, WHERE, lens)
    dialog = PlanDialog(title, lines, fields, lambda _: None, key="y", label="Drain", clock=lambda: 0.0)
    dialog.list_steps(present_steps(PLAN.steps, lens))
    return dialog


def _blocked(app: QuarterdeckApp) -> RunDialog:
    lens = app.console_state.lens()
    keys = (KeyHint("l", "lose emptyDir"), KeyHint("u", "unmanaged go"), KeyHint("esc", "close"))
    table = present_steps(BLOCKED.steps, lens)
    return RunDialog(present_title(BLOCKED, WHERE, lens), present_blocked(BLOCKED, lens), keys, table=table)


def _running(app: QuarterdeckApp) -> RunDialog:
    lens = app.console_state.lens()
    keys = (KeyHint("s", "stop"), KeyHint("esc", "leave it running"))
    table = present_steps(RUNNING, lens, running=True)
    return RunDialog(present_title(PLAN, WHERE, lens), present_progress(SEEN, lens), keys, table=table)


DIALOGS = {"planned": _planned, "blocked": _blocked, "running": _running}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("state", DIALOGS)
def test_drain(snap_compare: Compare, state: str, size: tuple[int, int]) -> None:
    app, _ = console_app(whole(None, SourceState.LIVE, ""), scope=HERE)
    assert snap_compare(app, run_before=_shown(state), terminal_size=size)


def _shown(state: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    async def run_before(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, QuarterdeckApp)
        runtime = app.console_state.runtime
        assert isinstance(runtime, SceneRuntime)
        await settle(pilot, runtime)
        app.push_screen(DIALOGS[state](app))
        await settle(pilot, runtime)

    return run_before
