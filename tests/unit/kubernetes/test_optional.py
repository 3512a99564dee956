"""A kind that not every server has is asked for only where the server lists it, and is no fault where it does not."""

from __future__ import annotations

from typing import Any

import pytest
from scripted_server import Answer, Request
from test_source import Estate, Hook, refusing, running

from services.model.ref import ARGO_ROLLOUTS
from services.model.source import SourceState
from services.ports import Interest, Replace

TABLE = ARGO_ROLLOUTS.table
API, LIST = "/apis/argoproj.io/v1alpha1", "/apis/argoproj.io/v1alpha1/rollouts"
WANTED = Interest(tables=("pods", TABLE))


def serving(*kinds: str, group: str = "argoproj.io") -> Hook:
    """Answer discovery: one more group with these kinds (plurals)."""

    async def hook(_: Estate, request: Request, answer: Answer) -> bool:
        if request.path == "/apis":
            versions = [{"groupVersion": f"{name}/v1", "version": "v1"} for name in ("apps", "batch")]
            versions.append({"groupVersion": f"{group}/v1alpha1", "version": "v1alpha1"})
            await answer.json(
                {"kind": "APIGroupList", "groups": [{"name": "x", "versions": [one]} for one in versions]}
            )
        elif request.path == API:
            listed = [{"name": one, "kind": "Rollout", "namespaced": True, "verbs": ["list"]} for one in kinds]
            await answer.json(
                {"kind": "APIResourceList", "groupVersion": API.removeprefix("/apis/"), "resources": listed}
            )
        elif request.path == LIST and not request.params.get("watch"):
            metadata = {"namespace": "shop", "name": "front", "uid": "u-1", "resourceVersion": "5"}
            items: list[dict[str, Any]] = [{"metadata": metadata, "status": {"phase": "Healthy"}}]
            await answer.json({"kind": "List", "metadata": {"resourceVersion": "5"}, "items": items})
        else:
            return False
        return True

    return hook


@pytest.mark.parametrize(
    ("hook", "asked"),
    [
        (serving(group="example.com"), {"/apis"}),
        (serving("applications"), {"/apis", API}),
        (refusing("/apis"), {"/apis"}),
    ],
)
async def test_a_server_without_it_is_never_asked_for_it(hook: Hook, asked: set[str]) -> None:
    async with running(WANTED, hook) as world:
        await world.until_live("pods", TABLE)
        assert {path for path in world.estate.asked if path.startswith("/apis")} == asked
        assert world.sink.tables[TABLE] == {}
        assert [one for one in world.sink.said if one.state is SourceState.FAILED] == []


async def test_a_server_that_has_it_is_watched_and_a_refusal_falls_back_to_namespaces() -> None:
    async with running(WANTED, serving("rollouts", "analysisruns")) as world:
        await world.until_live("pods", TABLE)
        assert [row.ref.kind for row in world.sink.tables[TABLE].values()] == ["Rollout"]
        # until it was known to be there, nothing said that it is empty
        mine = [change for source, change in world.sink.changes if source == f"kubernetes/{TABLE}"]
        assert [len(change.rows) for change in mine if isinstance(change, Replace)] == [1]
    async with running(WANTED, refusing(LIST), serving("rollouts"), fallback=("shop",)) as world:
        await world.until_live("pods", TABLE)
        assert f"{API}/namespaces/shop/rollouts" in world.estate.asked


async def test_nobody_who_does_not_want_it_asks_what_there_is() -> None:
    async with running(Interest(tables=("pods",))) as world:
        await world.until_live("pods")
        assert [path for path in world.estate.asked if path.startswith("/apis")] == []
