"""How a Rollout looks that its controller gave up: what it says, who serves, what was measured, and the way out."""

from __future__ import annotations

import json

import pytest
from msgspec import structs
from textual.pilot import Pilot

from screenshots import scene
from screenshots.scene_alerts import whole
from screenshots.scene_runtime import SceneRuntime, SceneSession
from screenshots.stage import HERE, console_app, settle
from services.kubernetes.delivery import delivered
from services.model.delivery import CANARY, DEGRADED, Delivery, Judgement
from services.model.ref import ANALYSISRUNS, ARGO_ROLLOUTS, Resource
from services.model.source import SourceState
from services.model.workload import Owner, ReplicaSetInfo, Rollout
from services.ports import Replace
from tests.snapshots.screens.test_screen_snapshots import SIZES, Compare
from tui.app import QuarterdeckApp

REF = scene.ref("Rollout", "shop", "storefront", ARGO_ROLLOUTS.group)
FAILED = 'Metric "success-rate" assessed Failed due to failed (1) > failureLimit (0)'
DELIVERY = Delivery(
    CANARY,
    DEGRADED,
    f"RolloutAborted: Rollout aborted update to revision 18: Step-based analysis phase error/failed: {FAILED}",
    steps=("setWeight: 20", "analysis", "setWeight: 60", "pause: 10m", "setWeight: 100"),
    step=0,
    stable="6d9f",
    current="7c4b",
    aborted=True,
    aborted_at=scene.NOW - 95,
    judgements=(Judgement("step", "storefront-7c4b-18-1", "Failed", FAILED),),
)
RUN = {
    "metadata": {"name": "storefront-7c4b-18-1"},
    "status": {
        "phase": "Failed",
        "message": FAILED,
        "metricResults": [
            {
                "name": "success-rate",
                "phase": "Failed",
                "count": 3,
                "failed": 1,
                "measurements": [{"phase": "Successful", "value": "[0.998]"}, {"phase": "Failed", "value": "[0.871]"}],
            }
        ],
    },
}


def replicaset(number: int, template_hash: str, ready: int, tag: str) -> ReplicaSetInfo:
    ref = scene.ref("ReplicaSet", "shop", f"storefront-{template_hash}")
    images = (f"registry.example/shop/storefront:{tag}",)
    owner = Owner("Rollout", REF.name, REF.uid)
    return ReplicaSetInfo(ref, owner, number, "", ready, ready, ready, images, scene.NOW - 600, "", template_hash)


def aborted() -> tuple[Rollout, list[ReplicaSetInfo]]:
    sets = [replicaset(17, "6d9f", 5, "v2.3.0"), replicaset(18, "7c4b", 0, "v2.4.0")]
    row = scene.rollout("shop", "storefront", 5, 5, kind="Rollout", revision=18, tags=("v2.3.0", "v2.4.0"), status="x")
    workload = structs.replace(row.workload, ref=REF, updated=0, strategy=CANARY, delivery=DELIVERY)
    return delivered(structs.replace(row, workload=workload), DELIVERY, sets), sets


async def _get_raw(self: SceneSession, resource: Resource, namespace: str, name: str) -> bytes:
    assert (resource, namespace, name) == (ANALYSISRUNS, "shop", "storefront-7c4b-18-1")
    return json.dumps(RUN).encode()


@pytest.mark.parametrize("size", SIZES[:2], ids=lambda size: f"{size[0]}x{size[1]}")
def test_aborted(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    monkeypatch.setattr(SceneSession, "get_raw", _get_raw)
    live, (row, sets) = whole(None, SourceState.LIVE, ""), aborted()
    tables = live.snapshot().tables
    live.apply("scene", Replace("rollouts", {**tables["rollouts"], "Rollout/shop/storefront": row}))
    held = {**tables["replicasets.apps"], **{one.ref.key: one for one in sets}}
    live.apply("scene", Replace("replicasets.apps", held))
    live.publish()
    app, _ = console_app(live, scope=HERE)
    assert snap_compare(app, run_before=_shown, terminal_size=size)


async def _shown(pilot: Pilot[None]) -> None:
    app = pilot.app
    assert isinstance(app, QuarterdeckApp)
    runtime = app.console_state.runtime
    assert isinstance(runtime, SceneRuntime)
    await settle(pilot, runtime)
    app.open_workload(REF)
    await settle(pilot, runtime)
    await settle(pilot, runtime)
