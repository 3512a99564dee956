from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING

import pytest
from rehearsal_client import PARTIAL, TABLE, Client, Json, names

from services.rehearsal import resources
from services.rehearsal.simulation import operations
from services.rehearsal.wire.listing import SNAPSHOT_LIFE

if TYPE_CHECKING:
    from services.rehearsal.clock import ManualClock
    from services.rehearsal.server import Rehearsal

PODS = "/api/v1/pods"


async def _pages(client: Client, path: str, limit: int) -> tuple[list[Json], list[str]]:
    items: list[Json] = []
    versions = []
    token = ""
    while True:
        page = await client.json(path, limit=limit, **({"continue": token} if token else {}))
        items += page["items"]
        versions.append(page["metadata"]["resourceVersion"])
        token = page["metadata"].get("continue", "")
        if not token:
            return items, versions
        assert page["metadata"]["remainingItemCount"] > 0


async def test_pages_make_the_whole_list(client: Client) -> None:
    whole = await client.json(PODS)
    items, versions = await _pages(client, PODS, 50)
    assert items == whole["items"]
    assert len(set(versions)) == 1
    assert len(versions) == -(-len(whole["items"]) // 50)


async def test_pages_are_of_one_moment_under_churn(calm: Rehearsal, client: Client) -> None:
    first = await client.json(PODS, limit=20)
    victims = [entry.key for entry in calm.store.collection(resources.PODS).ordered()[15:30]]
    for namespace, name in victims:
        calm.store.delete(resources.PODS, namespace, name)
    rest = await client.json(PODS, limit=500, **{"continue": first["metadata"]["continue"]})
    assert first["metadata"]["resourceVersion"] == rest["metadata"]["resourceVersion"]
    assert set(victims) <= set(names(first) + names(rest))
    fresh = await client.json(PODS)
    assert not set(victims) & set(names(fresh))
    assert int(fresh["metadata"]["resourceVersion"]) == int(first["metadata"]["resourceVersion"]) + len(victims)


@pytest.mark.parametrize("how", ["compacted", "too old"])
async def test_an_expired_continue_is_gone_with_a_way_on(
    calm: Rehearsal, client: Client, clock: ManualClock, how: str
) -> None:
    first = await client.json(PODS, limit=20)
    if how == "compacted":
        calm.compact()
    else:
        clock.advance(SNAPSHOT_LIFE + 1)
    token = first["metadata"]["continue"]
    answer = await client.get(PODS, limit=500, **{"continue": token})
    status = answer.json()
    assert (answer.status_code, status["reason"], status["code"]) == (410, "Expired", 410)
    rest = await client.json(PODS, limit=500, **{"continue": status["metadata"]["continue"]})
    fresh = names(await client.json(PODS))
    assert names(rest) == [one for one in fresh if one > names(first)[-1]]


async def test_version_zero_ignores_the_limit(client: Client) -> None:
    whole = await client.json(PODS, resourceVersion=0, limit=5)
    assert len(whole["items"]) > 5
    assert "continue" not in whole["metadata"]


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ({"continue": "nonsense"}, 400, "invalid continue token"),
        ({"limit": "many"}, 400, "invalid syntax"),
        ({"resourceVersion": "new"}, 400, "invalid resource version"),
        ({"resourceVersion": "99999999"}, 504, "Too large resource version"),
        ({"resourceVersionMatch": "Exact"}, 422, "unless resourceVersion is provided"),
        ({"resourceVersion": "5", "resourceVersionMatch": "Near"}, 422, "Unsupported value"),
        ({"labelSelector": "a==b c"}, 400, "expected: ',' or 'end of string'"),
        ({"fieldSelector": "spec.colour=red"}, 400, "field label not supported: spec.colour"),
        ({"sendInitialEvents": "true"}, 422, "forbidden for list"),
    ],
)
async def test_bad_queries_are_refused_with_a_status(
    client: Client, query: dict[str, str], code: int, words: str
) -> None:
    answer = await client.get(PODS, **query)
    body = answer.json()
    assert answer.status_code == body["code"] == code
    assert body["kind"] == "Status"
    assert words in body["message"]


async def test_selectors_choose(calm: Rehearsal, client: Client) -> None:
    app = calm.plan.deployments()[0]
    chosen = await client.json(PODS, labelSelector=f"app.kubernetes.io/name={app.name},team in ({app.team},x),!absent")
    assert {one["metadata"]["namespace"] for one in chosen["items"]} >= {app.namespace}
    assert len(chosen["items"]) >= app.replicas
    node = calm.plan.nodes[0].name
    seated = await client.json(PODS, fieldSelector=f"spec.nodeName={node},status.phase=Running")
    assert seated["items"]
    assert {one["spec"]["nodeName"] for one in seated["items"]} == {node}
    one = seated["items"][0]["metadata"]
    found = await client.json(PODS, fieldSelector=f"metadata.name={one['name']},metadata.namespace={one['namespace']}")
    assert names(found) == [(one["namespace"], one["name"])]
    others = await client.json(PODS, fieldSelector=f"spec.nodeName!={node}")
    assert len(others["items"]) + len(seated["items"]) <= len((await client.json(PODS))["items"])


async def test_events_are_found_by_their_object(troubled: Rehearsal) -> None:
    client = Client(troubled)
    warned = (await client.json("/api/v1/events", fieldSelector="type=Warning,involvedObject.kind=Pod"))["items"]
    assert warned
    assert {(one["type"], one["involvedObject"]["kind"]) for one in warned} == {("Warning", "Pod")}
    uid = warned[0]["involvedObject"]["uid"]
    mine = (await client.json("/api/v1/events", fieldSelector=f"involvedObject.uid={uid}"))["items"]
    assert {one["involvedObject"]["uid"] for one in mine} == {uid}
    new = (await client.json("/apis/events.k8s.io/v1/events", fieldSelector=f"regarding.uid={uid}"))["items"]
    assert [one["note"] for one in new] == [one["message"] for one in mine]
    assert {one["regarding"]["uid"] for one in new} == {uid}


async def test_gzip_comes_when_asked_for_and_worth_it(client: Client) -> None:
    zipped = await client.http.get(PODS, headers={"Accept-Encoding": "gzip"})
    plain = await client.http.get(PODS, headers={"Accept-Encoding": "identity"})
    assert zipped.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert zipped.json() == plain.json()
    assert int(zipped.headers["content-length"]) * 5 < int(plain.headers["content-length"])
    small = await client.http.get("/api/v1/namespaces", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in small.headers


async def test_shapes_of_items(calm: Rehearsal, client: Client) -> None:
    item = (await client.json(PODS))["items"][0]
    assert "kind" not in item
    assert item["metadata"]["managedFields"][0]["fieldsType"] == "FieldsV1"
    where = f"/api/v1/namespaces/{item['metadata']['namespace']}/pods/{item['metadata']['name']}"
    assert await client.json(where) == {"kind": "Pod", "apiVersion": "v1", **item}
    custom = next(r for r in calm.store.collections.values() if r.resource.custom).resource
    backups = await client.json(f"/apis/{custom.group}/v1/{custom.plural}")
    assert {one["kind"] for one in backups["items"]} == {custom.kind}
    partial = await client.json(PODS, PARTIAL)
    assert partial["kind"] == "PartialObjectMetadataList"
    assert partial["items"][0] == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": item["metadata"],
    }
    refused = await client.get(PODS, "application/cbor")
    assert refused.status_code == 406
    fallback = await client.json(PODS, f"application/vnd.kubernetes.protobuf,{TABLE},application/json", limit=1)
    assert fallback["kind"] == "Table"


async def test_methods_that_a_path_does_not_have_are_refused(client: Client) -> None:
    pods, log = "/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/pods/x/eviction"
    for method, path in (("POST", f"{pods}/x"), ("PUT", pods), ("PATCH", pods), ("PATCH", log), ("GET", log)):
        answer = await client.http.request(method, path, json={})
        assert (answer.status_code, answer.json()["reason"]) == (405, "MethodNotAllowed")


async def test_requests_in_chunks_and_many_at_once(client: Client) -> None:
    async def body() -> object:
        yield b'{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1",'
        yield b'"spec":{"resourceAttributes":{"verb":"list","resource":"pods"}}}'

    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    answers = await asyncio.gather(*(client.http.post(path, content=body()) for _ in range(20)))
    assert [one.json()["status"]["allowed"] for one in answers] == [True] * 20


async def test_scale_and_missing_things(calm: Rehearsal, client: Client) -> None:
    app = calm.plan.deployments()[0]
    where = f"/apis/apps/v1/namespaces/{app.namespace}/deployments/{app.name}"
    scale = await client.json(f"{where}/scale")
    assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", app.replicas)
    operations.scale(calm.engine.world, resources.DEPLOYMENTS, app.namespace, app.name, app.replicas + 1)
    assert (await client.json(f"{where}/scale"))["spec"]["replicas"] == app.replicas + 1
    missing = (await client.get("/apis/apps/v1/namespaces/default/deployments/none")).json()
    assert missing["message"] == 'deployments.apps "none" not found'
    assert missing["details"] == {"name": "none", "group": "apps", "kind": "deployments"}
    assert (await client.get("/api/v1/wishes")).status_code == 404
    assert (await client.get("/apis/no.such.group/v1/x")).text == "404 page not found\n"


def test_tokens_read_like_the_servers() -> None:
    from services.rehearsal.wire.listing import _token

    token = _token(17, ("shop", "cart-1"))
    content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    assert content == {"v": "meta.k8s.io/v1", "rv": 17, "start": "shop/cart-1\u0000"}
