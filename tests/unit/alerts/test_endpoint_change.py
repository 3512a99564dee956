"""Changes of an Alertmanager leave once; where no answer came, it is known whether the request may have arrived."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from services.clock import SystemClock
from services.config_endpoints import EndpointSettings
from services.config_secret import SecretRef
from services.endpoint import Endpoint
from services.errors import Problem
from services.kubernetes.problems import Unreached

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@asynccontextmanager
async def served(answer: Answer, **settings: object) -> AsyncIterator[tuple[Endpoint, list[bytes]]]:
    asked: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(one.split(b":")[1]) for one in head.lower().split(b"\r\n") if b"content-length" in one), 0)
        asked.append(head + await reader.readexactly(length))
        await answer(asked[-1], writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/am"
    patience = 1 if answer is hang else 60
    asked_how = EndpointSettings(url=url, timeout=patience, **settings)  # type: ignore[arg-type]
    endpoint = Endpoint("alertmanager one", asked_how, SystemClock())
    try:
        yield endpoint, asked
    finally:
        await endpoint.close()
        server.close()


def saying(answer: bytes) -> Answer:
    async def say(_asked: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return say


async def reset(_asked: bytes, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def hang(_asked: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3)


async def test_json_goes_out_with_the_credentials_and_a_deletion_without_a_body(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AM_TOKEN", "t0ken")
    async with served(saying(OK), bearer=SecretRef("env:AM_TOKEN")) as (endpoint, asked):
        assert await endpoint.change("POST", "/api/v2/silences", b'{"a":1}') == b"{}"
        await endpoint.change("DELETE", "/api/v2/silence/1")
    assert asked[0].startswith(b"POST /am/api/v2/silences HTTP/1.1")
    assert b"content-type: application/json" in asked[0].lower()
    assert b"authorization: bearer t0ken" in asked[0].lower()
    assert asked[0].endswith(b'{"a":1}')
    assert asked[1].startswith(b"DELETE /am/api/v2/silence/1 HTTP/1.1")
    assert b"content-type" not in asked[1].lower()


@pytest.mark.parametrize(
    "answer", [reset, hang, saying(b""), saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}")]
)
async def test_what_left_without_an_answer_may_have_arrived_and_is_not_sent_again(answer: Answer) -> None:
    async with served(answer) as (endpoint, asked):
        with pytest.raises(Unreached) as raised:
            await endpoint.change("POST", "/api/v2/silences", b"{}")
    assert raised.value.sent
    assert len(asked) == 1


async def test_what_never_left_says_so() -> None:
    endpoint = Endpoint("alertmanager gone", EndpointSettings(url="http://127.0.0.1:9", timeout=1), SystemClock())
    for _ in range(5):  # the last ones are not even tried: the circuit is open
        with pytest.raises(Unreached) as raised:
            await endpoint.change("POST", "/api/v2/silences", b"{}")
        assert not raised.value.sent
    assert "left alone" in raised.value.sentence
    await endpoint.close()


async def test_a_refusal_is_an_answer() -> None:
    refusal = b'HTTP/1.1 400 Bad Request\r\nContent-Length: 18\r\n\r\n"end time is past"'
    async with served(saying(refusal)) as (endpoint, _):
        with pytest.raises(Problem, match="end time is past") as raised:
            await endpoint.change("POST", "/api/v2/silences", b"{}")
    assert raised.value.status == 400
    assert not isinstance(raised.value, Unreached)
