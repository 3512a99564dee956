"""The hands read whole objects, know their user as the server does, and keep what the server warns of."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from scripted_server import Answer, QuickClock, Recorder, Request, ScriptedServer, settings, status

from services.actions.spec import Hands
from services.errors import Problem
from services.kubernetes.hands import KubernetesHands
from services.kubernetes.session import KubernetesSession
from services.kubernetes.source import KubernetesSource
from services.kubernetes.writing import WriteFault, WriteProblem
from services.model.action import Right, Write
from services.model.ref import DEPLOYMENTS, PODS, Resource
from services.ports import Interest, Snapshot

PAUSE = Write("PATCH", "/apis/apps/v1/namespaces/shop/deployments/cart", "pause deployment shop/cart", b"{}")
ROLLOUTS = Resource("argoproj.io", "v1alpha1", "rollouts", "Rollout")


@contextlib.asynccontextmanager
async def hands(handler: object) -> AsyncIterator[tuple[KubernetesHands, ScriptedServer]]:
    async with ScriptedServer(handler) as server:  # type: ignore[arg-type]
        clock = QuickClock()
        source = KubernetesSource(settings(server.url), Interest(), Recorder(), clock)
        session = KubernetesSession(source, clock)
        made = KubernetesHands(
            session, source.transport, clock, lambda: Snapshot(7, {}, {}), context="prod", user="al", host="bastion-2"
        )
        yield made, server
        await source.transport.close()


async def cluster(request: Request, answer: Answer) -> None:
    """Answer as a small cluster would."""
    document: object = {"metadata": {"name": "cart"}, "spec": {}}
    code, headers = 200, {}
    if request.path.endswith("selfsubjectreviews"):
        document = {"status": {"userInfo": {"username": "alice@example.com", "groups": []}}}
    elif request.path.endswith("selfsubjectaccessreviews"):
        document = {"status": {"allowed": True, "reason": "yes"}}
    elif request.path.endswith("/rollouts"):
        document, code = status(404, "no such kind"), 404
    elif request.path.endswith("/pods"):
        more = "" if request.params.get("continue") else "next"
        document = {"metadata": {"continue": more}, "items": [{"metadata": {"name": more or "last"}}]}
    elif request.method == "PATCH":
        headers = {"Warning": '299 - "spec.x is deprecated"'}
    await answer.json(document, code, headers)


async def test_they_are_hands() -> None:
    async with hands(cluster) as (made, _):
        lent: Hands = made
        assert (lent.context, lent.snapshot().revision) == ("prod", 7)


async def test_the_server_says_who_acts() -> None:
    async with hands(cluster) as (made, server):
        assert made.who == "al@bastion-2"
        assert await made.introduce() == "alice@example.com@bastion-2"
        assert made.who == await made.introduce()
        assert len(server.requests) == 1


async def test_an_old_server_leaves_the_kubeconfigs_name() -> None:
    async def old(_: Request, answer: Answer) -> None:
        await answer.json(status(404, "no such kind"), 404)

    async with hands(old) as (made, _):
        assert await made.introduce() == "al@bastion-2"


async def test_objects_are_found_page_by_page_with_their_kind() -> None:
    async with hands(cluster) as (made, server):
        found = await made.find(PODS, "shop", labelSelector="app=cart")
        assert [(one["kind"], one["apiVersion"], one["metadata"]["name"]) for one in found] == [
            ("Pod", "v1", "next"),
            ("Pod", "v1", "last"),
        ]
        assert {one.params["labelSelector"] for one in server.requests} == {"app=cart"}
        assert await made.find(ROLLOUTS, "shop") == ()


async def test_one_object_is_read_with_its_subresource() -> None:
    async with hands(cluster) as (made, server):
        assert (await made.get(DEPLOYMENTS, "shop", "cart", "scale"))["metadata"] == {"name": "cart"}
        assert server.requests[0].path == "/apis/apps/v1/namespaces/shop/deployments/cart/scale"


async def test_what_cannot_be_read_is_a_problem() -> None:
    async def odd(_: Request, answer: Answer) -> None:
        await answer.whole(200, b"[1]")

    async with hands(odd) as (made, _):
        for attempt in (made.get(DEPLOYMENTS, "shop", "cart"), made.find(PODS, "shop")):
            with pytest.raises(Problem, match="something unexpected"):
                await attempt


async def test_changes_keep_what_the_server_warns_of() -> None:
    async with hands(cluster) as (made, server):
        for _ in range(2):
            await made.send(PAUSE, dry_run=True)
        assert list(made.warnings) == ["spec.x is deprecated"]
        assert server.requests[0].params["dryRun"] == "All"
        assert (await made.can(Right("patch", DEPLOYMENTS, "shop"))).allowed
        review = json.loads(server.requests[-1].body)["spec"]["resourceAttributes"]
        assert review == {
            "verb": "patch",
            "group": "apps",
            "version": "v1",
            "resource": "deployments",
            "namespace": "shop",
        }


async def test_a_refused_change_is_a_write_problem() -> None:
    async def closed(_: Request, answer: Answer) -> None:
        await answer.json(status(403, 'forbidden: User "al" cannot patch'), 403)

    async with hands(closed) as (made, _):
        with pytest.raises(WriteProblem) as problem:
            await made.send(PAUSE)
        assert problem.value.kind is WriteFault.FORBIDDEN
