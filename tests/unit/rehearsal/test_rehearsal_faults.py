from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest
from rehearsal_client import Client

from services.rehearsal import resources
from services.rehearsal.scenarios.registry import Outage
from services.rehearsal.server import Options, Rehearsal

if TYPE_CHECKING:
    from services.rehearsal.clock import ManualClock

NODES = "/api/v1/nodes"
_SOON = 0.15


async def _silent(task: asyncio.Task[httpx.Response]) -> bool:
    done, _ = await asyncio.wait({task}, timeout=_SOON)
    return not done


async def test_a_hung_server_takes_connections_and_answers_late(calm: Rehearsal, client: Client) -> None:
    await client.json(NODES)
    async with client.watch(NODES, resourceVersion=calm.store.version) as frames:
        calm.faults.hang()
        known = asyncio.ensure_future(client.get(NODES))
        fresh = asyncio.ensure_future(Client(calm).get(NODES))
        reader, writer = await asyncio.open_connection(calm.options.host, int(calm.address.url.rsplit(":", 1)[1]))
        frame = asyncio.ensure_future(frames.next())
        entry = calm.store.collection(resources.NODES).ordered()[0]
        calm.store.delete(resources.NODES, *entry.key)
        assert await _silent(known)
        assert not fresh.done()
        assert not frame.done()
        calm.faults.resume()
        assert (await known).status_code == (await fresh).status_code == 200
        assert (await frame)["type"] == "DELETED"
    writer.close()
    assert reader


async def test_a_refusing_server_comes_back_on_the_same_port(calm: Rehearsal, client: Client) -> None:
    async with client.watch(NODES, resourceVersion=calm.store.version) as frames:
        await calm.refuse()
        with pytest.raises(httpx.HTTPError):
            await frames.next()
    with pytest.raises(httpx.ConnectError):
        await client.get(NODES)
    await calm.accept()
    assert (await client.get(NODES)).status_code == 200


async def test_slow_answers_wait(calm: Rehearsal, client: Client, clock: ManualClock) -> None:
    calm.faults.slow = 3.0
    task = asyncio.ensure_future(client.get(NODES))
    assert await _silent(task)
    clock.advance(3.1)
    assert (await task).status_code == 200


async def test_everything_goes_down_and_comes_back(clock: ManualClock) -> None:
    outage = Outage(down_after=20, hangs=30, refuses=10, up=40, cycles=2)
    async with Rehearsal(Options("everything-down", past=0, outage=outage, life=False), clock) as estate:
        client = Client(estate)

        async def pass_time(seconds: float) -> None:
            clock.advance(seconds)
            for _ in range(20):
                await asyncio.sleep(0)

        for _ in range(2):
            assert (await client.get(NODES)).status_code == 200
            await pass_time(21 if not estate.faults.hung else 0)
            assert estate.faults.hung
            version = estate.store.version
            task = asyncio.ensure_future(client.get(NODES))
            assert await _silent(task)
            await pass_time(31)
            with pytest.raises(httpx.HTTPError):
                await task
            with pytest.raises(httpx.ConnectError):
                await client.get(NODES)
            assert estate.store.version == version
            await pass_time(11)
            assert (await client.get(NODES)).status_code == 200
            await pass_time(20)
        await pass_time(500)
        assert (await client.get(NODES)).status_code == 200


class Levers:
    def __init__(self, estate: Rehearsal, http: httpx.AsyncClient) -> None:
        self.url = estate.address.admin_url
        self.http = http

    async def __call__(self, lever: str, **body: object) -> dict[str, object]:
        answer = await self.http.post(f"{self.url}/{lever}", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = answer.json()
        return found


async def test_the_admin_port_makes_the_server_fail(calm: Rehearsal, client: Client) -> None:
    async with httpx.AsyncClient() as http:
        pull = Levers(calm, http)
        await pull("hang")
        assert calm.faults.hung
        await pull("resume")
        assert not calm.faults.hung
        await pull("revoke", account="admin")
        assert (await client.get(NODES)).status_code == 401
        await pull("forbid", resources=["nodes"])
        await pull("restore")
        assert (await client.get(NODES)).status_code == 403
        await pull("heal")
        assert (await client.get(NODES)).status_code == 200
        await pull("slow", seconds=0)
        await pull("compact")
        await pull("close-watches")
        await pull("gone-as-status")
        await pull("refuse-initial-events")
        assert calm.faults.gone_as_status
        assert calm.faults.refuse_initial_events
        await pull("refuse")
        with pytest.raises(httpx.ConnectError):
            await client.get(NODES)
        await pull("accept")
        assert (await client.get(NODES)).status_code == 200


async def test_the_admin_port_changes_the_estate(calm: Rehearsal, client: Client, clock: ManualClock) -> None:
    async with httpx.AsyncClient() as http:
        pull = Levers(calm, http)
        app = calm.plan.deployments()[0]
        where = {"resource": "deployments", "namespace": app.namespace, "name": app.name}
        assert await pull("set-image", **where, image=app.image_of("v8.8.8")) == {"found": True}
        assert await pull("scale", **where, replicas=2) == {"found": True}
        assert await pull("pause", **where) == {"found": True}
        patch = {"metadata": {"labels": {"seen": "yes"}}}
        assert await pull("merge", **where, patch=patch) == {"found": True}
        assert (await client.json("/apis/apps/v1/deployments", labelSelector="seen=yes"))["items"]
        await pull("inject", resource="nodes", object={"metadata": None})
        assert {"metadata": None} in (await client.json(NODES))["items"]
        await pull("cordon", name=calm.plan.nodes[0].name)
        assert (await client.json(NODES, fieldSelector="spec.unschedulable=true"))["items"]
        before = calm.store.version
        await pull("churn", per_second=200)
        clock.advance(1)
        await pull("churn", per_second=0)
        touched = [c for c in calm.store.collection(resources.PODS).changes if c.version > before]
        assert len(touched) >= 190
        plan = await pull("plan")
        assert plan["namespaces"] == calm.plan.namespaces


async def test_the_admin_port_answers_nobody_else(calm: Rehearsal) -> None:
    url = calm.address.admin_url
    async with httpx.AsyncClient() as http:
        assert "hang" in (await http.get(url)).json()["levers"]
        assert (await http.post(f"{url}/flood")).status_code == 404
        assert (await http.post(f"{url}/merge", json={"resource": "wishes"})).status_code == 400
        assert (await http.post(f"{url.rsplit('/', 1)[0]}/guess/hang")).status_code == 404
    assert not calm.faults.hung
