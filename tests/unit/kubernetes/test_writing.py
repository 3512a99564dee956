"""A change carries its preconditions, is repeated only where it surely did nothing, and every refusal is a sentence."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import Answer, QuickClock, Request, ScriptedServer, settings, status, transport

from services.kubernetes.credentials import Credentials, Grant
from services.kubernetes.transport import Transport
from services.kubernetes.writing import WriteFault, WriteProblem, parameters, request_body, send, spec_digest
from services.model.action import Write
from services.model.text import SafeText, Secret
from tests.examples import share

CART = "/apis/apps/v1/namespaces/shop/deployments/cart"
SPEC = {"replicas": 3, "paused": None}
Handler = Callable[[Request, Answer], Awaitable[None]]


def cart(uid: str = "u1", version: str = "7", **spec: object) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "resourceVersion": version}, "spec": SPEC | spec, "status": {"replicas": 2}}


def write(**changes: object) -> Write:
    known: dict[str, Any] = {
        "method": "PATCH",
        "path": CART,
        "what": "change deployment shop/cart",
        "body": b'{"spec":{"paused":true}}',
        "content_type": "application/merge-patch+json",
        "uid": "u1",
        "resource_version": "7",
        "spec": spec_digest(cart()),
    }
    return Write(**known | changes)


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[tuple[ScriptedServer, Transport]]:
    async with ScriptedServer(handler) as server:
        client = transport(server.url)
        try:
            yield server, client
        finally:
            await client.close()


def answering(*answers: tuple[int, object], reads: object = None) -> Handler:
    """Answer changes one after the other, and reads always alike."""
    waiting = list(answers)

    async def handler(request: Request, answer: Answer) -> None:
        code, body = (200, reads) if request.method == "GET" else waiting.pop(0)
        await answer.json(body, 404 if body is None else code)

    return handler


async def sent(client: Transport, given: Write, clock: QuickClock | None = None, **options: Any) -> dict[str, Any]:
    return await send(client, given, clock=clock or QuickClock(), chance=lambda: 0.5, **options)


async def refused(handler: Handler, given: Write, **options: Any) -> tuple[WriteProblem, list[str]]:
    async with serving(handler) as (server, client):
        with pytest.raises(WriteProblem) as problem:
            await sent(client, given, **options)
        return problem.value, [request.method for request in server.requests]


BOTH = {"uid": "u1", "resourceVersion": "7"}


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, {"spec": {"paused": True}, "metadata": BOTH}),
        (
            {"content_type": "application/strategic-merge-patch+json", "body": b'{"metadata":{"labels":{"a":"b"}}}'},
            {"metadata": {"labels": {"a": "b"}, **BOTH}},
        ),
        (
            {"content_type": "application/json-patch+json", "body": b'[{"op":"remove","path":"/spec/x"}]'},
            [
                {"op": "test", "path": "/metadata/uid", "value": "u1"},
                {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
                {"op": "remove", "path": "/spec/x"},
            ],
        ),
        ({"resource_version": ""}, {"spec": {"paused": True}, "metadata": {"uid": "u1"}}),
        ({"uid": "", "resource_version": ""}, {"spec": {"paused": True}}),
        ({"method": "DELETE", "body": b""}, {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": BOTH}),
        (
            {"method": "DELETE", "body": b'{"gracePeriodSeconds":5}', "resource_version": ""},
            {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 5, "preconditions": {"uid": "u1"}},
        ),
        (
            {"method": "POST", "path": "/api/v1/namespaces/a/pods/b/eviction", "resource_version": "", "body": b"{}"},
            {"deleteOptions": {"preconditions": {"uid": "u1"}}},
        ),
        ({"method": "POST", "path": "/api/v1/namespaces/a/pods", "body": b'{"a":1}'}, {"a": 1}),
        ({"method": "PUT", "body": b'{"a":1}'}, {"a": 1}),
    ],
)
def test_the_preconditions_are_in_the_body(changes: dict[str, Any], wanted: object) -> None:
    assert json.loads(request_body(write(**changes))) == wanted


def test_a_rehearsed_delete_says_so_in_its_body_too() -> None:
    given = write(method="DELETE", body=b"")
    assert json.loads(request_body(given, dry_run=True))["dryRun"] == ["All"]
    assert "dryRun" not in json.loads(request_body(given))


def test_who_writes_and_how_strictly_is_in_the_query() -> None:
    strict = {"fieldManager": "quarterdeck", "fieldValidation": "Strict"}
    assert parameters(write(params=(("force", "true"),))) == {"force": "true", **strict}
    assert parameters(write(), dry_run=True) == {**strict, "dryRun": "All"}
    assert parameters(write(method="DELETE"), dry_run=True) == {"dryRun": "All"}


words = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3), st.lists)


@share(0.4)
@given(st.dictionaries(st.text(max_size=3), words), st.integers(0, 9), st.randoms())
def test_a_spec_s_digest_knows_neither_order_nor_status(spec: dict[str, Any], other: int, shuffled: Any) -> None:
    keys = list(spec)
    shuffled.shuffle(keys)
    moved = {"spec": {key: spec[key] for key in keys}, "status": {"n": other}, "metadata": {"generation": other}}
    assert spec_digest(moved) == spec_digest({"spec": spec})
    assert spec_digest({"spec": {**spec, "changed": other}}) != spec_digest({"spec": spec})


async def test_an_object_without_spec_is_told_apart_by_its_content() -> None:
    assert spec_digest({"kind": "ConfigMap", "data": {"a": "1"}}) != spec_digest({"kind": "ConfigMap", "data": {}})


@pytest.mark.parametrize(
    ("spec", "same"),
    [
        ({"podCIDR": "10.0.0.0/24", "podCIDRs": ["10.0.0.0/24"], "providerID": "aws:///a"}, True),
        ({"taints": [{"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}]}, True),
        ({"taints": [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}]}, False),
        ({"unschedulable": True}, False),
    ],
)
def test_what_controllers_write_into_a_node_is_nobody_s_wish(spec: dict[str, Any], same: bool) -> None:
    assert (spec_digest({"kind": "Node", "spec": spec}) == spec_digest({"kind": "Node", "spec": {}})) is same


async def test_a_lost_race_is_run_again_with_the_newer_version() -> None:
    clock = QuickClock()
    answers = [(409, status(409, "modified", reason="Conflict"))] * 3
    async with serving(answering(*answers, (200, cart(version="12")), reads=cart(version="11"))) as (server, client):
        assert (await sent(client, write(), clock))["metadata"]["resourceVersion"] == "12"
        versions = [json.loads(one.body)["metadata"]["resourceVersion"] for one in server.requests if one.body]
    assert versions == ["7", "11", "11", "11"]
    assert clock.slept == [0.25, 0.5, 1.0]  # half of 0.5, 1 and 2 s: full jitter, the chance here always being 0.5


async def test_a_race_is_given_up_after_five_more_tries() -> None:
    answers = [(409, status(409, "modified", reason="Conflict"))] * 9
    problem, methods = await refused(answering(*answers, reads=cart(version="11")), write())
    assert (problem.kind, methods.count("PATCH")) == (WriteFault.CONFLICT, 6)
    assert problem.sentence.startswith("Could not change deployment shop/cart: another write came first (modified)")


JSON_PATCH = {"content_type": "application/json-patch+json", "body": b"[]"}
CONFLICT = (409, status(409, "modified", reason="Conflict"))
FAILED_TEST = (422, status(422, "the server rejected our request due to an error in our request", reason="Invalid"))


@pytest.mark.parametrize(
    ("changes", "answer", "now", "kind", "writes"),
    [
        ({}, CONFLICT, cart(version="8", replicas=9), WriteFault.CHANGED, 1),
        ({}, CONFLICT, cart(uid="u2", version="8"), WriteFault.GONE, 1),
        ({}, CONFLICT, None, WriteFault.GONE, 1),
        ({"spec": ""}, CONFLICT, cart(version="8"), WriteFault.CONFLICT, 1),
        (JSON_PATCH, FAILED_TEST, cart(version="8", replicas=9), WriteFault.CHANGED, 1),
        (JSON_PATCH, FAILED_TEST, cart(uid="u2", version="8"), WriteFault.GONE, 1),
        (JSON_PATCH, FAILED_TEST, cart(version="7"), WriteFault.INVALID, 1),
        (JSON_PATCH | {"resource_version": ""}, FAILED_TEST, cart(version="8"), WriteFault.INVALID, 1),
        ({"method": "POST"}, CONFLICT, cart(), WriteFault.CONFLICT, 1),
        ({"method": "PUT"}, CONFLICT, cart(), WriteFault.CONFLICT, 1),
        ({"uid": "", "resource_version": ""}, CONFLICT, cart(), WriteFault.CONFLICT, 1),
    ],
)
async def test_what_is_no_mere_race_is_not_sent_again(
    changes: dict[str, Any], answer: tuple[int, object], now: object, kind: WriteFault, writes: int
) -> None:
    problem, methods = await refused(answering(answer, reads=now), write(**changes))
    assert (problem.kind, len([one for one in methods if one != "GET"])) == (kind, writes)


async def test_a_failed_test_is_tried_again_while_the_spec_is_the_same() -> None:
    async with serving(answering(FAILED_TEST, (200, cart(version="9")), reads=cart(version="8"))) as (server, client):
        await sent(client, write(**JSON_PATCH))
        assert json.loads(server.requests[-1].body)[1] == {
            "op": "test",
            "path": "/metadata/resourceVersion",
            "value": "8",
        }


BUDGET = {"causes": [{"reason": "DisruptionBudget", "message": "needs 2"}]}
CLOSING = {"causes": [{"reason": "NamespaceTerminating"}]}
EVICTION = {"method": "POST", "path": "/api/v1/namespaces/shop/pods/cart-1/eviction", "body": b"{}"}


@pytest.mark.parametrize(
    ("changes", "code", "said", "kind", "sentence"),
    [
        ({}, 404, status(404, "not found"), WriteFault.GONE, "it is not there any more (not found)"),
        ({}, 422, status(422, "replicas: -1"), WriteFault.INVALID, "will not take it (replicas: -1)"),
        ({}, 400, status(400, "unknown field"), WriteFault.INVALID, "will not take it (unknown field)"),
        ({}, 403, status(403, 'x is forbidden: User "eve" cannot patch'), WriteFault.FORBIDDEN, "ask for a role"),
        ({}, 401, status(401, "Unauthorized"), WriteFault.FORBIDDEN, "log in again"),
        ({}, 403, status(403, "forbidden: exceeded quota: small"), WriteFault.DENIED, "(forbidden: exceeded quota"),
        ({}, 400, status(400, 'admission webhook "w" denied the request: no'), WriteFault.DENIED, "denied the request"),
        ({}, 500, status(500, 'Internal error: failed calling webhook "w"'), WriteFault.DENIED, "ask who runs it"),
        ({}, 403, status(403, "cannot create", details=CLOSING), WriteFault.DENIED, "is being deleted"),
        ({}, 429, status(429, "slow", details={"retryAfterSeconds": 9}), WriteFault.BUSY, "try again in 9 s"),
        (EVICTION, 429, status(429, "no", details=BUDGET), WriteFault.BUDGET, "try again in a moment"),
        (
            EVICTION,
            500,
            status(500, "This pod has more than one PodDisruptionBudget"),
            WriteFault.BUDGET,
            "one of them",
        ),
        (EVICTION, 409, status(409, "Precondition failed: UID in precondition: a"), WriteFault.GONE, "has its name"),
        (EVICTION, 409, status(409, "The UID in the precondition (a) does not match"), WriteFault.GONE, "has its name"),
        (EVICTION, 404, status(404, "not found"), WriteFault.GONE, "not there any more"),
        ({"method": "POST"}, 404, status(404, "no namespace"), WriteFault.INVALID, "what it needs is not there"),
        (
            {"method": "POST"},
            409,
            status(409, "x", reason="AlreadyExists"),
            WriteFault.CONFLICT,
            "of that name already",
        ),
        ({}, 500, status(500, "etcd timed out"), WriteFault.UNKNOWN, "may have been done all the same"),
        ({}, 504, status(504, "too late"), WriteFault.UNKNOWN, "(too late)"),
        ({}, 408, status(408, "too slow"), WriteFault.UNKNOWN, "may have been done all the same"),
        ({}, 302, {}, WriteFault.INVALID, "will not take it"),
    ],
)
async def test_a_refusal_is_named_and_said(
    changes: dict[str, Any], code: int, said: object, kind: WriteFault, sentence: str
) -> None:
    given = write(**changes)
    problem, methods = await refused(answering((code, said), reads=cart()), given)
    assert problem.kind is kind
    assert sentence in problem.sentence
    assert problem.sentence.startswith(f"Could not {given.what}: ")
    assert isinstance(problem.sentence, SafeText)
    assert len([one for one in methods if one != "GET"]) == (2 if code == 401 and len(methods) > 1 else 1)


async def test_a_rehearsal_leaves_nothing_unknown() -> None:
    problem, _ = await refused(answering((500, status(500, "boom"))), write(), dry_run=True)
    assert (problem.kind, "nothing was changed" in problem.sentence) == (WriteFault.UNSENT, True)
    said = status(400, 'admission webhook "w" does not support dry run')
    problem, _ = await refused(answering((400, said)), write(), dry_run=True)
    assert problem.kind is WriteFault.UNREHEARSABLE
    assert "not known" in problem.sentence


async def test_a_page_of_a_portal_is_no_answer() -> None:
    async def handler(_: Request, answer: Answer) -> None:
        await answer.whole(200, b"<html>Please log in</html>", {"Content-Type": "text/html"})

    problem, methods = await refused(handler, write())
    assert (problem.kind, methods) == (WriteFault.UNKNOWN, ["PATCH"])
    assert "nobody knows" in problem.sentence

    async def refusing(_: Request, answer: Answer) -> None:
        await answer.whole(403, b"<html>Please log in</html>", {"Content-Type": "text/html"})

    problem, _ = await refused(refusing, write())
    assert problem.kind is WriteFault.UNSENT


async def test_a_request_that_was_cut_off_is_never_repeated() -> None:
    async def handler(_: Request, answer: Answer) -> None:
        answer.cut()

    for dry_run, kind in ((False, WriteFault.UNKNOWN), (True, WriteFault.UNSENT)):
        problem, methods = await refused(handler, write(), dry_run=dry_run)
        assert (problem.kind, methods) == (kind, ["PATCH"])
    assert problem.sentence.startswith("Could not change deployment shop/cart: ")


async def test_a_server_that_is_not_there_got_nothing() -> None:
    async with ScriptedServer(answering()) as server:
        url = server.url
    client = transport(url)
    with pytest.raises(WriteProblem) as problem:
        await sent(client, write())
    assert problem.value.kind is WriteFault.UNSENT
    assert problem.value.sentence.endswith("Nothing was changed.")
    assert "refused the connection" in problem.value.sentence
    await client.close()


async def test_renewed_credentials_carry_the_change_once_more() -> None:
    class Renewing(Credentials):
        renewed = 0

        async def current(self) -> Grant:
            return Grant(self.renewed, Secret(f"Bearer {self.renewed}"))

        async def renew(self, used: int) -> bool:
            self.renewed += 1
            return True

    async def handler(request: Request, answer: Answer) -> None:
        known = request.headers["authorization"] == "Bearer 1"
        await answer.json(cart() if known else status(401, "Unauthorized"), 200 if known else 401)

    async with ScriptedServer(handler) as server:
        client = Transport(Renewing(settings(server.url), QuickClock()))
        assert (await sent(client, write()))["metadata"]["uid"] == "u1"
        assert len(server.requests) == 2
        await client.close()


async def test_what_the_server_warns_of_is_told() -> None:
    async def handler(_: Request, answer: Answer) -> None:
        warning = '299 - "spec.x: \\"old\\" is deprecated", 299 - "and \x1b[2Jthis"'
        await answer.json(cart(), headers={"Warning": warning})

    told: list[SafeText] = []
    async with serving(handler) as (_, client):
        await sent(client, write(), warn=told.append)
    assert told == ['spec.x: "old" is deprecated', "and this"]


async def test_waiting_for_the_next_try_can_be_left() -> None:
    waiting = asyncio.Event()

    class Stuck(QuickClock):
        async def sleep(self, seconds: float) -> None:
            self.slept.append(seconds)
            waiting.set()
            await asyncio.Event().wait()

    clock = Stuck()
    async with serving(answering(CONFLICT, CONFLICT, reads=cart(version="9"))) as (server, client):
        task = asyncio.ensure_future(sent(client, write(), clock))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [request.method for request in server.requests] == ["PATCH", "GET"]
    assert clock.slept
