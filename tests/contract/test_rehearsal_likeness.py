"""The rehearsal estate held against the real API server: the same columns, the same refusals, the same framing."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from services.rehearsal.server import Options, Rehearsal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.controlplane.plane import ControlPlane

Json = dict[str, Any]
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"

LISTS = (
    *(f"/api/v1/{one}" for one in ("namespaces", "nodes", "pods", "events", "services", "configmaps", "secrets")),
    *(f"/api/v1/{one}" for one in ("serviceaccounts", "persistentvolumeclaims", "resourcequotas")),
    *(f"/apis/apps/v1/{one}" for one in ("deployments", "replicasets", "statefulsets", "daemonsets")),
    "/apis/apps/v1/controllerrevisions",
    "/apis/batch/v1/jobs",
    "/apis/batch/v1/cronjobs",
    "/apis/discovery.k8s.io/v1/endpointslices",
    "/apis/networking.k8s.io/v1/ingresses",
    "/apis/autoscaling/v2/horizontalpodautoscalers",
    "/apis/policy/v1/poddisruptionbudgets",
    "/apis/coordination.k8s.io/v1/leases",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "/apis/events.k8s.io/v1/events",
)

REFUSALS = (
    "/api/v1/namespaces/default/pods/none",
    "/apis/apps/v1/namespaces/default/deployments/none",
    "/api/v1/namespaces/default/pods/none/log",
    "/api/v1/wishes",
    "/apis/none/v1/x",
    "/apis/apps/v9",
    "/nothing",
    "/api/v1/pods?labelSelector=a%3D%3Db%20c",
    "/api/v1/pods?fieldSelector=foo%3Dbar",
    "/apis/apps/v1/deployments?fieldSelector=foo%3Dbar",
    "/api/v1/pods?fieldSelector=foo",
    "/api/v1/pods?limit=x",
    "/api/v1/pods?resourceVersion=x",
    "/api/v1/pods?resourceVersionMatch=Exact",
    "/api/v1/pods?resourceVersion=5&resourceVersionMatch=Near",
    "/api/v1/pods?watch=1&sendInitialEvents=true",
    "/api/v1/pods?watch=1&resourceVersionMatch=NotOlderThan&resourceVersion=1",
    "/api/v1/pods?sendInitialEvents=true",
)


@pytest.fixture
async def estate() -> AsyncIterator[Rehearsal]:
    async with Rehearsal(Options(past=0, life=False)) as running:
        yield running


@pytest.fixture
async def ours(estate: Rehearsal) -> AsyncIterator[httpx.AsyncClient]:
    context = ssl.create_default_context(cadata=estate.address.authority.decode())
    headers = {"Authorization": f"Bearer {estate.address.tokens['admin']}"}
    async with httpx.AsyncClient(base_url=estate.address.url, verify=context, headers=headers) as client:
        yield client


@pytest.fixture
async def real(plane: ControlPlane) -> AsyncIterator[httpx.AsyncClient]:
    context = ssl.create_default_context(cafile=str(plane.certificate))
    headers = {"Authorization": f"Bearer {plane.token('admin')}"}
    async with httpx.AsyncClient(base_url=plane.url, verify=context, headers=headers, timeout=30) as client:
        yield client


async def test_columns_are_the_servers(ours: httpx.AsyncClient, real: httpx.AsyncClient) -> None:
    for path in LISTS:
        shown = []
        for client in (ours, real):
            definitions = (await client.get(path, headers={"Accept": TABLE})).json()["columnDefinitions"]
            shown.append([(one["name"], one["type"], one["format"], one["priority"]) for one in definitions])
        assert shown[0] == shown[1], path


async def test_refusals_are_the_servers(ours: httpx.AsyncClient, real: httpx.AsyncClient) -> None:
    for path in REFUSALS:
        here, there = await ours.get(path), await real.get(path)
        assert here.status_code == there.status_code, path
        if there.headers["content-type"] == "application/json":
            assert here.json() == there.json(), path
        else:
            assert here.text == there.text


BOOKMARKED = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": "5"}


async def _until_bookmark(client: httpx.AsyncClient, path: str, accept: str) -> list[Json]:
    frames: list[Json] = []
    async with client.stream("GET", path, params=BOOKMARKED, headers={"Accept": accept}) as answer:
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            frames.append(json.loads(line))
            if frames[-1]["type"] == "BOOKMARK":
                return frames
    raise AssertionError(f"{path} sent no bookmark")


def _without_versions(bookmark: Json) -> Json:
    bookmark["metadata"].pop("resourceVersion")
    for row in bookmark.get("rows", ()):
        row["object"]["metadata"].pop("resourceVersion")
    bookmark.pop("columnDefinitions", None)
    return bookmark


@pytest.mark.parametrize("accept", ["application/json", TABLE, PARTIAL])
async def test_a_watch_from_nothing_ends_its_beginning_alike(
    ours: httpx.AsyncClient, real: httpx.AsyncClient, accept: str
) -> None:
    for path in LISTS if accept == "application/json" else LISTS[:3]:
        bookmarks = []
        for client in (ours, real):
            frames = await _until_bookmark(client, path, accept)
            assert {one["type"] for one in frames} <= {"ADDED", "BOOKMARK"}
            bookmarks.append(_without_versions(frames[-1]["object"]))
        assert bookmarks[0] == bookmarks[1], path


async def test_tables_send_their_columns_once(ours: httpx.AsyncClient, real: httpx.AsyncClient) -> None:
    for client in (ours, real):
        frames = await _until_bookmark(client, "/api/v1/namespaces", TABLE)
        definitions = [one["object"]["columnDefinitions"] for one in frames]
        assert len(definitions[0]) == 3
        assert definitions[1:] == [None] * (len(frames) - 1)
        assert {len(one["object"]["rows"]) for one in frames} == {1}
