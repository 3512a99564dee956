"""Every way a request can go wrong is a sentence, and nothing outlives a cancellation."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from pathlib import Path

import pytest
from scripted_server import Answer, Authority, QuickClock, Request, ScriptedServer, serving, settings, status, transport

from services.errors import Problem
from services.kubernetes.credentials import Credentials, Grant
from services.kubernetes.problems import ApiProblem, Unreached
from services.kubernetes.transport import DEADLINE, Transport, _continue_token
from services.model.text import Secret


async def test_a_request_is_signed_and_answered() -> None:
    async def handler(_: Request, answer: Answer) -> None:
        await answer.json({"kind": "Pod"}, headers={"X-Said": "yes"})

    async with serving(handler) as (server, client):
        found = await client.request("POST", "/api/v1/pods", params={"dryRun": "All"}, body=b"{}")
        sent = server.requests[0]
        assert (found.status, found.headers["x-said"], json.loads(found.body)) == (200, "yes", {"kind": "Pod"})
        assert (sent.method, sent.path, sent.params, sent.body) == ("POST", "/api/v1/pods", {"dryRun": "All"}, b"{}")
        assert sent.headers["authorization"] == "Bearer t0ken"
        assert sent.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("code", "headers", "body", "words"),
    [
        (401, {}, status(401, "Unauthorized"), "does not accept these credentials (Unauthorized); log in again."),
        (403, {}, status(403, 'pods is forbidden: User "x" cannot list'), 'forbidden (pods is forbidden: User "x"'),
        (404, {}, status(404, "not here"), "not found (not here)."),
        (410, {}, status(410, "too old"), "no longer has that version (too old)."),
        (429, {"Retry-After": "7"}, status(429, "slow down"), "asks to wait for 7 s (slow down)."),
        (500, {}, status(500, "etcd is down"), "failed with 500 (etcd is down)."),
        (418, {}, {}, "answered 418"),
        (302, {"Location": "https://evil.example/"}, {}, "answered 302"),
    ],
)
async def test_a_refusal_is_a_sentence_with_the_server_s_words(
    code: int, headers: dict[str, str], body: object, words: str
) -> None:
    async def handler(_: Request, answer: Answer) -> None:
        await answer.json(body, code, headers)

    async with serving(handler) as (server, client):
        for attempt in (client.request("GET", "/x", what="list pods"), client.bulk("/x", {}, what="list pods")):
            with pytest.raises(ApiProblem) as problem:
                await attempt
            assert words in problem.value.sentence
            assert problem.value.sentence.startswith("Could not list pods: ")
            assert problem.value.status == code
        assert len(server.requests) == 2  # nothing is followed, nothing is repeated


async def test_details_of_a_refusal_are_kept_raw() -> None:
    causes = [{"reason": "DisruptionBudget", "message": "needs 2"}]
    body = status(429, "no", reason="TooManyRequests", details={"retryAfterSeconds": 9, "causes": causes})

    async def handler(_: Request, answer: Answer) -> None:
        await answer.json(body, 429)

    async with serving(handler) as (_, client):
        with pytest.raises(ApiProblem) as problem:
            await client.request("POST", "/x", body=b"{}")
    assert (problem.value.reason, problem.value.retry_after, list(problem.value.causes)) == (
        "TooManyRequests",
        9.0,
        causes,
    )


async def test_hostile_words_are_sanitised() -> None:
    async def handler(_: Request, answer: Answer) -> None:
        await answer.whole(500, "\x1b[2J\x1b]0;x\x07<html>\u202efoo".encode())

    async with serving(handler) as (_, client):
        with pytest.raises(Problem) as problem:
            await client.request("GET", "/x")
    assert "\x1b" not in problem.value.sentence
    assert "\u202e" not in problem.value.sentence


async def test_a_refused_connection_is_said() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    client = transport(f"http://127.0.0.1:{port}")
    for attempt in (client.request("GET", "/x"), client.bulk("/x", {})):
        with pytest.raises(Unreached, match="refused the connection"):
            await attempt
    await client.close()


async def test_a_name_that_cannot_be_resolved_is_said() -> None:
    client = transport("http://no-such-host.invalid")
    for attempt in (client.request("GET", "/x"), client.bulk("/x", {})):
        with pytest.raises(Unreached, match="could not be resolved"):
            await attempt
    await client.close()


async def test_a_certificate_that_is_not_trusted_is_said(tmp_path: Path) -> None:
    async def handler(_: Request, answer: Answer) -> None:
        await answer.json({})

    context = Authority(tmp_path).server()
    stranger = Authority(tmp_path)
    async with serving(handler, context=context, ca=stranger.pem) as (_, client):
        for attempt in (client.request("GET", "/x"), client.bulk("/x", {})):
            with pytest.raises(Unreached, match="is not trusted"):
                await attempt
    async with serving(handler, context=context, verify=False) as (_, client):
        assert (await client.request("GET", "/x")).status == 200


async def test_the_server_s_name_can_be_given(tmp_path: Path) -> None:
    async def handler(_: Request, answer: Answer) -> None:
        await answer.json({})

    authority = Authority(tmp_path, ["inner.example"])
    context = authority.server(with_address=False)
    async with serving(handler, context=context, ca=authority.pem) as (_, client):
        with pytest.raises(Unreached, match="is not trusted"):
            await client.request("GET", "/x")
    async with serving(handler, context=context, ca=authority.pem, tls_server_name="inner.example") as (_, client):
        assert (await client.request("GET", "/x")).status == 200
        assert await client.bulk("/x", {}) == b"{}"


async def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    async def handler(_: Request, answer: Answer) -> None:
        await answer.json({})

    authority = Authority(tmp_path)
    certificate, key = authority.issue("tester")
    context = authority.server(ask_client=True)
    known = {"ca": authority.pem, "certificate": certificate, "key": Secret(key.decode())}
    async with serving(handler, context=context, **known) as (_, client):
        assert (await client.request("GET", "/x")).status == 200
        assert await client.bulk("/x", {}) == b"{}"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ca": b"nonsense"}, "is not a PEM certificate"),
        ({"certificate": b"nonsense", "key": Secret("x")}, "do not fit together"),
    ],
)
async def test_credentials_that_are_no_pem_are_said(changes: dict[str, object], words: str) -> None:
    client = transport("https://127.0.0.1:1", **changes)
    with pytest.raises(Problem, match=words):
        await client.request("GET", "/x")


async def test_a_hung_server_is_left_at_the_deadline_and_at_close() -> None:
    asked = asyncio.Event()

    async def handler(_: Request, __: Answer) -> None:
        asked.set()
        await asyncio.Event().wait()

    async with serving(handler) as (_, client):
        with pytest.raises(Unreached, match="did not answer in time"):
            await client.request("GET", "/x", deadline=0.1)
        asked.clear()
        pending = [asyncio.ensure_future(client.bulk("/x", {})), asyncio.ensure_future(client.request("GET", "/y"))]
        await asked.wait()
        began = time.monotonic()
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        await client.close()
        assert time.monotonic() - began < DEADLINE / 2


async def test_closing_ends_what_is_under_way() -> None:
    asked = asyncio.Event()

    async def handler(_: Request, __: Answer) -> None:
        asked.set()
        await asyncio.Event().wait()

    async with serving(handler) as (_, client):
        pending = asyncio.ensure_future(client.bulk("/x", {}))
        await asked.wait()
        await client.close()
        async with asyncio.timeout(30):
            with pytest.raises(Unreached):
                await pending


async def test_pages_are_followed_and_unzipped() -> None:
    async def handler(request: Request, answer: Answer) -> None:
        token = request.params.get("continue", "")
        following = {"": "a b+c/=&", "a b+c/=&": "two", "two": ""}[token]
        await answer.zipped({"kind": "PodList", "metadata": {"continue": following}, "items": [token]})

    async with serving(handler) as (server, client):
        bodies = [json.loads(body) async for body in client.pages("/api/v1/pods", {"x": "1"}, limit=7)]
        assert [body["items"] for body in bodies] == [[""], ["a b+c/=&"], ["two"]]
        assert [request.params["limit"] for request in server.requests] == ["7"] * 3
        assert all(request.params["x"] == "1" for request in server.requests)
        assert all("gzip" in request.headers["accept-encoding"] for request in server.requests)
        assert server.connections == 1  # one thread, one connection, lent again


@pytest.mark.parametrize(
    "body",
    [
        b'{"kind":"List","metadata":{"resourceVersion":"1","continue":"tok"},"items":[]}',
        b'{"items":[{"metadata":{"continue":"wrong"}}],"metadata":{"continue":"tok"}}',
        b'{\n  "metadata": {\n    "continue": "tok"\n  },\n  "items": []\n}',
        b'{"metadata":{"continue":"t\\u006fk"},"rows":[]}',
    ],
)
def test_a_continue_token_is_found_wherever_it_stands(body: bytes) -> None:
    assert _continue_token(body) == "tok"


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"[]", b'{"items":[{"continue":"x"}]}', b'{"metadata":{},"items":[]}']
)
def test_no_continue_token_is_made_up(body: bytes) -> None:
    assert _continue_token(body) == ""


async def test_credentials_are_renewed_once_after_a_401() -> None:
    class Renewing(Credentials):
        renewed = 0

        async def current(self) -> Grant:
            return Grant(self.renewed, Secret(f"Bearer {self.renewed}"))

        async def renew(self, used: int) -> bool:
            assert used == self.renewed
            self.renewed += 1
            return True

    accepted = "Bearer 1"

    async def handler(request: Request, answer: Answer) -> None:
        if request.headers["authorization"] == accepted:
            await answer.json({})
        else:
            await answer.json(status(401, "Unauthorized"), 401)

    async with ScriptedServer(handler) as server:
        client = Transport(Renewing(settings(server.url), QuickClock()))
        assert (await client.request("GET", "/x")).status == 200
        accepted = "Bearer never"
        with pytest.raises(ApiProblem, match="log in again"):
            await client.bulk("/x", {})
        before = len(server.requests)
        with pytest.raises(ApiProblem):
            await client.request("POST", "/x", body=b"{}")
        assert len(server.requests) == before + 2
        accepted = "Bearer 4"
        assert (await client.request("POST", "/x", body=b"{}")).status == 200
        assert len(server.requests) == before + 4
        await client.close()


@pytest.mark.parametrize("reached", [False, True])
async def test_a_request_without_answer_says_if_it_may_have_arrived(reached: bool) -> None:
    async def handler(_: Request, answer: Answer) -> None:
        answer.cut()

    async with ScriptedServer(handler) as server:
        url = server.url
    if reached:
        async with serving(handler) as (_, client):
            with pytest.raises(Unreached) as problem:
                await client.request("PATCH", "/x", body=b"{}")
    else:
        client = transport(url)  # the server has gone
        with pytest.raises(Unreached) as problem:
            await client.request("PATCH", "/x", body=b"{}")
        await client.close()
    assert problem.value.sent is reached


async def test_a_request_that_hangs_may_have_arrived() -> None:
    asked = asyncio.Event()

    async def handler(_: Request, answer: Answer) -> None:
        asked.set()
        await asyncio.Event().wait()

    async with serving(handler) as (_, client):
        with pytest.raises(Unreached) as problem:
            await client.request("PATCH", "/x", body=b"{}", deadline=1.0)
    assert asked.is_set()
    assert problem.value.sent
