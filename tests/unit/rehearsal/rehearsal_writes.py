"""Writing requests to an estate, short enough to read in a test."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rehearsal_client import Client, Json

from services.rehearsal import resources

if TYPE_CHECKING:
    import httpx

    from services.rehearsal.clock import ManualClock
    from services.rehearsal.estate.blueprint import App
    from services.rehearsal.server import Rehearsal

OPS = "application/json-patch+json"
MERGE = "application/merge-patch+json"
SMP = "application/strategic-merge-patch+json"


def path(app: App, plural: str = "deployments", group: str = "apis/apps") -> str:
    return f"/{group}/v1/namespaces/{app.namespace}/{plural}/{app.name}"


async def patch(client: Client, where: str, body: Any, kind: str = SMP, **query: str) -> Json:
    answer = await send(client, "PATCH", where, body, kind, **query)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def send(
    client: Client, method: str, where: str, body: Any = None, kind: str = "application/json", **query: str
) -> httpx.Response:
    content = None if body is None else json.dumps(body)
    return await client.http.request(method, where, content=content, params=query, headers={"Content-Type": kind})


def first_container(obj: Json) -> Json:
    found: Json = obj["spec"]["template"]["spec"]["containers"][0]
    return found


async def set_image(client: Client, where: str, image: str) -> Json:
    name = first_container(await client.json(where))["name"]
    change = {"spec": {"template": {"spec": {"containers": [{"name": name, "image": image}]}}}}
    return await patch(client, where, change, fieldManager="kubectl-set")


def live(estate: Rehearsal, clock: ManualClock, seconds: float) -> None:
    """Let the estate live on, a few seconds at a time."""
    for _ in range(int(seconds // 2)):
        clock.advance(2.0)
    assert estate.engine.world.now <= clock.now()


def deployment(estate: Rehearsal) -> App:
    """Return a Deployment of several replicas that no autoscaler holds."""
    held = {entry.key for entry in estate.store.collection(resources.AUTOSCALERS).ordered()}
    return next(
        one
        for one in estate.plan.deployments()
        if one.replicas > 1 and not one.recreate and (one.namespace, one.name) not in held
    )


async def replica_sets(client: Client, app: App) -> dict[str, tuple[int, str]]:
    """Return replicas and revision of each of a Deployment's ReplicaSets."""
    listed = await client.json(f"/apis/apps/v1/namespaces/{app.namespace}/replicasets")
    return {
        one["metadata"]["name"]: (
            one["spec"]["replicas"],
            one["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        )
        for one in listed["items"]
        if one["metadata"]["ownerReferences"][0]["name"] == app.name
    }


async def pods(client: Client, app: App) -> list[Json]:
    selector = f"app.kubernetes.io/name={app.name}"
    listed = await client.json(f"/api/v1/namespaces/{app.namespace}/pods", labelSelector=selector)
    found: list[Json] = listed["items"]
    return found


async def condition(client: Client, app: App, kind: str = "Progressing") -> str:
    found = await client.json(path(app))
    return next(str(one["reason"]) for one in found["status"]["conditions"] if one["type"] == kind)
