"""The write side of the rehearsal estate held against the real API server: refusals word for word, and results."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from services.rehearsal.clock import ManualClock
from services.rehearsal.server import Options, Rehearsal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.controlplane.plane import ControlPlane

Json = dict[str, Any]
JSON = "application/json"
OPS = "application/json-patch+json"
MERGE = "application/merge-patch+json"
SMP = "application/strategic-merge-patch+json"
CONTAINER = {
    "name": "c",
    "image": "registry.example/web:1",
    "env": [{"name": "A", "value": "1"}],
    "ports": [{"containerPort": 80}],
    "resources": {"requests": {"cpu": "100m"}},
}
TEMPLATE = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [CONTAINER], "volumes": [{"name": "v", "emptyDir": {}}]},
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"a": "b"}},
    "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE},
}
ENDING = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "registry.example/web:1"}]}
CRON_JOB = {
    "metadata": {"name": "cj"},
    "spec": {"schedule": "*/10 * * * *", "suspend": True, "jobTemplate": {"spec": {"template": {"spec": ENDING}}}},
}
LEASE = {
    "metadata": {"name": "l"},
    "spec": {
        "holderIdentity": "me",
        "leaseDurationSeconds": 30,
        "acquireTime": "2026-01-01T00:00:00.000000Z",
        "renewTime": "2026-01-01T00:00:00.000000Z",
    },
}


@dataclass
class Server:
    """One of the two servers, with a namespace of its own on it; `{ns}` in paths is that namespace."""

    client: httpx.AsyncClient
    namespace: str
    viewer: str
    clock: ManualClock | None = None
    """Ours stands still until it is moved."""

    async def until(self, path: str, wanted: Callable[[Json], bool]) -> Json:
        """Return what is at a path once it is as wanted; fail after half a minute."""
        for _ in range(120):
            found: Json = (await self.send("GET", path)).json()
            if wanted(found):
                return found
            if self.clock is None:
                await asyncio.sleep(0.25)
            else:
                self.clock.advance(2.0)
        raise AssertionError(f"{path} never was as wanted: {found}")

    async def send(
        self, method: str, path: str, body: Any = None, kind: str = JSON, *, viewer: bool = False, **query: str
    ) -> httpx.Response:
        headers = {} if body is None else {"Content-Type": kind}
        if viewer:
            headers["Authorization"] = f"Bearer {self.viewer}"
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return await self.client.request(
            method, path.replace("{ns}", self.namespace), content=content, headers=headers, params=query
        )

    def plain(self, text: str) -> str:
        """Return an answer's text with what differs from server to server made alike."""
        text = text.replace(self.namespace, "NS")
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID", text)
        text = re.sub(r'Invalid value: \\"\{.*?\}\\": ', "Invalid value: DOCUMENT: ", text)
        text = re.sub(r'"resourceVersion": ?"\d+"', '"resourceVersion":"N"', text)
        text = re.sub(r"in record \(\d+\)", "in record (N)", text)
        text = re.sub(r"guarded-[a-z0-9]+-[a-z0-9]+", "POD", text)
        return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME", text)


@pytest.fixture
async def ours() -> AsyncIterator[Server]:
    clock = ManualClock()
    async with Rehearsal(Options(past=0, life=False, size="tiny"), clock) as estate:
        context = ssl.create_default_context(cadata=estate.address.authority.decode())
        headers = {"Authorization": f"Bearer {estate.address.tokens['admin']}"}
        async with httpx.AsyncClient(base_url=estate.address.url, verify=context, headers=headers) as client:
            server = Server(client, f"w-{secrets.token_hex(4)}", estate.address.tokens["viewer"], clock)
            yield await settled(server)


@pytest.fixture
async def real(plane: ControlPlane) -> AsyncIterator[Server]:
    context = ssl.create_default_context(cafile=str(plane.certificate))
    headers = {"Authorization": f"Bearer {plane.token('admin')}"}
    async with httpx.AsyncClient(base_url=plane.url, verify=context, headers=headers, timeout=30) as client:
        server = await settled(Server(client, f"w-{secrets.token_hex(4)}", plane.token("viewer")))
        yield server
        await server.send("DELETE", "/api/v1/namespaces/{ns}")


async def settled(server: Server) -> Server:
    """Make the namespace and what the steps act upon; nothing moves the Deployment, for it is paused."""
    made = [
        ("/api/v1/namespaces", {"metadata": {"name": server.namespace}}),
        (DEPLOYMENTS, {**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "paused": True, "replicas": 0}}),  # type: ignore[dict-item]
        ("/apis/batch/v1/namespaces/{ns}/cronjobs", CRON_JOB),
        (LEASES, LEASE),
        ("/api/v1/namespaces/{ns}/configmaps", {"metadata": {"name": "c"}, "data": {"a": "b"}}),
    ]
    for path, body in made:
        answer = await server.send("POST", path, body)
        assert answer.status_code == 201, answer.text
    return server


DEPLOYMENTS = "/apis/apps/v1/namespaces/{ns}/deployments"
WEB = f"{DEPLOYMENTS}/web"
SCALE = f"{WEB}/scale"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases"
CRONS = "/apis/batch/v1/namespaces/{ns}/cronjobs"
JOBS = "/apis/batch/v1/namespaces/{ns}/jobs"
MAP = "/api/v1/namespaces/{ns}/configmaps/c"
NODE = "/api/v1/nodes/none"
SPEC = DEPLOYMENT["spec"]
Step = tuple[str, str, Any, str, dict[str, Any]]


def step(method: str, path: str, body: Any = None, kind: str = JSON, **query: Any) -> Step:
    return method, path, body, kind, query


def template(**spec: Any) -> Json:
    return {"spec": {"template": {"spec": spec}}}


REFUSED: tuple[Step, ...] = (
    step("POST", DEPLOYMENTS, DEPLOYMENT),
    step("POST", DEPLOYMENTS, {**DEPLOYMENT, "metadata": {"name": "Web_X"}}),
    step("POST", DEPLOYMENTS, {**DEPLOYMENT, "metadata": {}}),
    step("POST", DEPLOYMENTS, {**DEPLOYMENT, "spec": {**SPEC, "bogus": 1}}, fieldValidation="Strict"),  # type: ignore[dict-item]
    step("POST", DEPLOYMENTS, {**DEPLOYMENT, "kind": "Pod"}),
    step("POST", DEPLOYMENTS, b"{bad"),
    step("POST", DEPLOYMENTS, b""),
    step("POST", DEPLOYMENTS, DEPLOYMENT, dryRun="Some"),
    step("POST", DEPLOYMENTS, {**DEPLOYMENT, "spec": {}, "metadata": {"name": "e"}}),
    step("POST", DEPLOYMENTS, {**DEPLOYMENT, "metadata": {"name": "rv", "resourceVersion": "5"}}),
    step("POST", DEPLOYMENTS, {**DEPLOYMENT, "metadata": {"name": "rv", "namespace": "other"}}),
    step("POST", "/apis/apps/v1/namespaces/nonesuch/deployments", DEPLOYMENT),
    step("POST", DEPLOYMENTS, DEPLOYMENT, "text/plain"),
    step("POST", DEPLOYMENTS, DEPLOYMENT, viewer=True),
    step("POST", WEB, {}),
    step("POST", SCALE, {}),
    step("PUT", DEPLOYMENTS, {}),
    step("PATCH", WEB, [{"op": "test", "path": "/metadata/uid", "value": "x"}], OPS),
    step("PATCH", WEB, [{"op": "test", "path": "/metadata/generation", "value": 99}], OPS),
    step("PATCH", WEB, [{"op": "test", "path": "/metadata/nonesuch", "value": 99}], OPS),
    step("PATCH", WEB, [{"op": "remove", "path": "/spec/nonesuch"}], OPS),
    step("PATCH", WEB, [{"op": "remove", "path": "/spec/template/spec/containers/7"}], OPS),
    step("PATCH", WEB, [{"op": "add", "path": "/spec/a/b/c", "value": 1}], OPS),
    step("PATCH", WEB, [{"op": "bogus", "path": "/spec/a"}], OPS),
    step("PATCH", WEB, [{"op": "add", "path": "/spec/bogus", "value": 1}], OPS, fieldValidation="Strict"),
    step("PATCH", WEB, {"a": 1}, OPS),
    *(step("PATCH", WEB, b"{bad", one) for one in (OPS, MERGE, SMP)),
    *(step("PATCH", WEB, b"[]", one) for one in (MERGE, SMP)),
    step("PATCH", WEB, {}, JSON),
    *(step("PATCH", WEB, {"metadata": {"uid": "x"}}, one) for one in (MERGE, SMP)),
    *(step("PATCH", WEB, {"metadata": {"resourceVersion": "5"}}, one) for one in (MERGE, SMP)),
    step("PATCH", WEB, {"metadata": {"name": "x"}}, MERGE),
    step("PATCH", WEB, {"metadata": {"namespace": "x"}}, MERGE),
    step("PATCH", WEB, {"spec": {"bogus": 1}, "more": 2}, MERGE, fieldValidation="Strict"),
    step("PATCH", WEB, template(containers=[{"name": "c", "imagee": "x"}]), SMP, fieldValidation="Strict"),
    step("PATCH", WEB, {"spec": {"bogus": 1}}, MERGE, fieldValidation="Wrong"),
    step("PATCH", WEB, {"spec": {"replicas": "x"}}, MERGE),
    step("PATCH", WEB, {"spec": {"replicas": -1}}, MERGE),
    step("PATCH", WEB, {"spec": {"selector": {"matchLabels": {"app": "other"}}}}, MERGE),
    step("PATCH", WEB, {"spec": {"strategy": {"rollingUpdate": {"maxSurge": "abc"}}}}, MERGE),
    step("PATCH", WEB, {"spec": {"strategy": {"type": "Wish", "rollingUpdate": None}}}, MERGE),
    step("PATCH", WEB, template(containers=[{"name": "c"}, {"name": "d"}]), SMP),
    step("PATCH", WEB, template(containers=[{"image": "d"}]), SMP),
    step("PATCH", WEB, template(containers=[]), MERGE),
    step("PATCH", WEB, template(restartPolicy="Never"), MERGE),
    step("PATCH", WEB, template(containers=[{"name": "c", "resources": {"requests": {"cpu": "much"}}}]), SMP),
    step("PATCH", WEB, {"spec": {"template": {"metadata": {"labels": {"app": "zzz"}}}}}, SMP),
    step("PATCH", f"{DEPLOYMENTS}/none", {"metadata": {"labels": {"x": "x"}}}, MERGE),
    step("PATCH", WEB, {"metadata": {"labels": {"x": "x"}}}, MERGE, viewer=True),
    step("PATCH", NODE, {"spec": {"unschedulable": True}}, SMP),
    step("PATCH", NODE, {"spec": {"unschedulable": True}}, SMP, viewer=True),
    step("PUT", WEB, {**DEPLOYMENT, "metadata": {"name": "web", "resourceVersion": "1"}}),
    step("PUT", WEB, {**DEPLOYMENT, "metadata": {"name": "web", "uid": "1"}}),
    step("PUT", WEB, {**DEPLOYMENT, "metadata": {"name": "webx"}}),
    step("PUT", f"{DEPLOYMENTS}/none", {**DEPLOYMENT, "metadata": {"name": "none"}}),
    step("PATCH", SCALE, {"spec": {"replicas": 3}}, MERGE, viewer=True),
    step("PATCH", SCALE, [{"op": "test", "path": "/spec/replicas", "value": 9}], OPS),
    step("PATCH", SCALE, {"spec": {"bogus": 3}}, MERGE, fieldValidation="Strict"),
    step("PUT", SCALE, {"metadata": {"name": "web", "resourceVersion": "7"}, "spec": {"replicas": 3}}),
    step("PUT", SCALE, {"metadata": {"name": "web"}, "spec": {"replicas": -4}}),
    step("DELETE", WEB, {"preconditions": {"uid": "x"}}),
    step("DELETE", WEB, {"preconditions": {"resourceVersion": "1"}}),
    step("DELETE", WEB, {"propagationPolicy": "Nope"}),
    step("DELETE", WEB, {"propagationPolicy": "Orphan", "orphanDependents": True}),
    step("DELETE", WEB, b"{bad"),
    step("DELETE", f"{DEPLOYMENTS}/none"),
    step("DELETE", WEB, viewer=True),
    step("POST", LEASES, LEASE),
    step("POST", LEASES, {"metadata": {"name": "bad"}, "spec": {"renewTime": "2026-01-01T00:00:00+00:00"}}),
    step("POST", LEASES, {"metadata": {"name": "bad"}, "spec": {"leaseDurationSeconds": 0}}),
    step("PUT", f"{LEASES}/l", {**LEASE, "metadata": {"name": "l", "resourceVersion": "3"}}),
    step("DELETE", f"{LEASES}/l", {"preconditions": {"resourceVersion": "3"}}),
    step("PATCH", MAP, {"datta": {"z": "1"}}, MERGE, fieldValidation="Strict"),
    step("PATCH", MAP, {"data": {"a": 1}}, MERGE),
    step("POST", CRONS, {**CRON_JOB, "metadata": {"name": "no"}, "spec": {**CRON_JOB["spec"], "schedule": "what"}}),  # type: ignore[dict-item]
    step(
        "POST", JOBS, {"metadata": {"name": "j"}, "spec": {"template": {"spec": {**ENDING, "restartPolicy": "Always"}}}}
    ),
    step("POST", "/api/v1/namespaces/{ns}/events", {"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod"}}),
    step("POST", "/api/v1/namespaces/{ns}/pods/none/eviction", {"metadata": {"name": "none"}}),
    step("POST", "/api/v1/namespaces/{ns}/pods/none/eviction", {"metadata": {"name": "other"}}),
    step("POST", "/api/v1/namespaces/{ns}/pods/none/eviction", {"metadata": {"name": "none"}}, viewer=True),
    step("GET", "/api/v1/namespaces/{ns}/pods/none/eviction"),
)
"""Writes that both servers refuse."""


async def test_refusals_are_the_servers(ours: Server, real: Server) -> None:
    differing = []
    for method, path, body, kind, query in REFUSED:
        here, there = [await one.send(method, path, body, kind, **query) for one in (ours, real)]
        assert there.status_code >= 400, (method, path, body, there.text)
        texts = ours.plain(here.text), real.plain(there.text)
        if here.status_code != there.status_code or json.loads(texts[0]) != json.loads(texts[1]):
            differing.append(f"{method} {path} {body!r} {query}\n  ours {texts[0]}\n  real {texts[1]}")
    assert not differing, "\n".join(differing)


ACCEPTED: tuple[Step, ...] = (
    step("POST", DEPLOYMENTS, {**DEPLOYMENT, "metadata": {"name": "dry"}}, dryRun="All", fieldManager="me"),
    step("POST", DEPLOYMENTS, {**DEPLOYMENT, "metadata": {"name": "dry"}, "more": 1}, dryRun="All"),
    step("PATCH", WEB, [{"op": "replace", "path": "/spec/nonesuch", "value": 9}], OPS),
    step("PATCH", WEB, [{"op": "copy", "from": "/spec/none", "path": "/spec/b"}], OPS),
    step("PATCH", WEB, {"spec": {"bogus": 1}}, MERGE, fieldValidation="Ignore"),
    step("PATCH", WEB, {"spec": {"replicas": 0}}, MERGE),
    step("PATCH", WEB, {"metadata": {"annotations": {"note": "x"}}}, SMP, fieldManager="noter"),
    step("PATCH", WEB, {"metadata": {"annotations": {"note": None}, "labels": {"a": "c"}}}, MERGE),
    step(
        "PATCH", WEB, template(containers=[{"name": "c", "image": "registry.example/web:2"}]), SMP, fieldManager="set"
    ),
    step("PATCH", WEB, template(containers=[{"name": "c", "env": [{"name": "B", "value": "2"}]}]), SMP),
    step("PATCH", WEB, template(containers=[{"name": "c", "env": [{"name": "A", "$patch": "delete"}]}]), SMP),
    step("PATCH", WEB, template(containers=[{"name": "c", "env": [{"$patch": "replace"}, {"name": "Z"}]}]), SMP),
    step("PATCH", WEB, template(containers=[{"name": "d", "image": "registry.example/d:1"}]), SMP),
    step(
        "PATCH",
        WEB,
        template(**{"$setElementOrder/containers": [{"name": "d"}, {"name": "c"}], "containers": []}),
        SMP,
    ),
    step("PATCH", WEB, template(containers=[{"name": "d", "$patch": "delete"}]), SMP),
    step("PATCH", WEB, template(tolerations=[{"key": "a", "operator": "Exists"}]), SMP),
    step("PATCH", WEB, template(tolerations=[{"key": "b", "operator": "Exists"}]), SMP),
    step("PATCH", WEB, template(volumes=[{"name": "w", "emptyDir": {}}]), SMP),
    step("PATCH", WEB, {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}, SMP),
    step("PATCH", WEB, {"spec": {"template": {**TEMPLATE, "$patch": "replace"}}}, SMP),
    step("PATCH", WEB, {"spec": {"paused": None}}, SMP, dryRun="All", fieldManager="kubectl-rollout"),
    step("PATCH", SCALE, {"spec": {"replicas": 0}}, MERGE),
    step("PUT", SCALE, {"metadata": {"name": "web", "namespace": "{ns}"}, "spec": {"replicas": 4}}, dryRun="All"),
    step("PATCH", f"{CRONS}/cj", {"spec": {"suspend": False}}, MERGE, dryRun="All", fieldManager="me"),
    step("POST", JOBS, {"metadata": {"name": "j"}, "spec": {"template": {"spec": ENDING}}}, dryRun="All"),
    step("PATCH", MAP, {"data": {"a": None, "z": "1"}}, MERGE),
    step("DELETE", WEB, {"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]}),
    step("DELETE", f"{CRONS}/cj", dryRun="All"),
    step("DELETE", MAP),
    step("DELETE", f"{LEASES}/l"),
)
"""Writes that both servers take, one after the other."""


async def test_results_are_the_servers(ours: Server, real: Server) -> None:
    differing = []
    for method, path, body, kind, query in ACCEPTED:
        texts = []
        for server in (ours, real):
            given = json.loads(json.dumps(body).replace("{ns}", server.namespace))
            answer = await server.send(method, path, given, kind, **query)
            assert answer.status_code < 300, answer.text
            shown = json.loads(server.plain(answer.text))
            texts.append((answer.status_code, answer.headers.get("warning"), comparable(shown)))
        if texts[0] != texts[1]:
            differing.append(f"{method} {path} {body!r} {query}\n  ours {texts[0]}\n  real {texts[1]}")
    assert not differing, "\n".join(differing)


def comparable(shown: Json) -> Json:
    """Return an object without what only its controllers write, and its managers in short."""
    shown.pop("status", None) if shown["kind"] not in {"Status", "Scale"} else None
    metadata = shown.get("metadata", {})
    metadata.get("annotations", {}).pop("deployment.kubernetes.io/revision", None)
    if not metadata.get("annotations", True):
        del metadata["annotations"]
    managers = metadata.pop("managedFields", None)
    if managers is not None:
        own = [one for one in managers if one["manager"] != "kube-controller-manager"]
        shown["managers"] = sorted((one["manager"], one.get("subresource", ""), one["apiVersion"]) for one in own)
    return shown


GUARDED = {
    "metadata": {"name": "guarded"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "guarded"}},
        "template": {
            "metadata": {"labels": {"app": "guarded"}},
            "spec": {"containers": [{"name": "c", "image": "registry.example/guarded:1"}]},
        },
    },
}
BUDGETS = "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets"
PODS = "/api/v1/namespaces/{ns}/pods"


async def test_budgets_hold_evictions_back_as_the_server_does(ours: Server, real: Server) -> None:
    told = [await _evictions(server) for server in (ours, real)]
    assert told[0] == told[1]
    assert [code for code, _ in told[0]] == [429, 201, 201, 409, 409, 500, 404]


async def _evictions(server: Server) -> list[tuple[int, Json]]:
    told: list[tuple[int, Json]] = []

    async def note(method: str, path: str, body: Json, **query: str) -> None:
        answer = await server.send(method, path, body, **query)
        told.append((answer.status_code, json.loads(server.plain(answer.text))))

    def budget(name: str, least: int) -> Json:
        selector = {"matchLabels": {"app": "guarded"}}
        return {"metadata": {"name": name}, "spec": {"minAvailable": least, "selector": selector}}

    assert (await server.send("POST", DEPLOYMENTS, GUARDED)).status_code == 201
    assert (await server.send("POST", BUDGETS, budget("b", 2))).status_code == 201
    await server.until(f"{BUDGETS}/b", lambda one: one["status"].get("currentHealthy") == 2)
    listed = (await server.send("GET", PODS, labelSelector="app=guarded")).json()["items"]
    first, second = (one["metadata"]["name"] for one in listed)
    await note("POST", f"{PODS}/{first}/eviction", {"metadata": {"name": first}})
    await server.send("PATCH", f"{BUDGETS}/b", {"spec": {"minAvailable": 1}}, MERGE)
    await server.until(f"{BUDGETS}/b", lambda one: one["status"]["disruptionsAllowed"] == 1)
    for name in (first, second):
        await note("POST", f"{PODS}/{name}/eviction", {"metadata": {"name": name}}, dryRun="All")
    other = {"preconditions": {"uid": "another"}}
    await note("POST", f"{PODS}/{first}/eviction", {"metadata": {"name": first}, "deleteOptions": other})
    await note("DELETE", f"{PODS}/{first}", other)
    assert (await server.send("POST", BUDGETS, budget("c", 1))).status_code == 201
    await server.until(f"{BUDGETS}/c", lambda one: one["status"].get("observedGeneration") == 1)
    await note("POST", f"{PODS}/{first}/eviction", {"metadata": {"name": first}})
    await note("POST", f"{PODS}/none/eviction", {"metadata": {"name": "none"}})
    return told
