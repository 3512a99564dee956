"""A stream carries any line however it is cut, holds its server back, and is said when it ends; proxies are used."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import Answer, Authority, Request, serving, transport

from services.kubernetes.problems import Unreached
from services.model.text import Secret
from tests.examples import share


async def test_a_stream_is_open_before_its_first_line() -> None:
    go = asyncio.Event()

    async def handler(_: Request, answer: Answer) -> None:
        await answer.start()
        await go.wait()
        await answer.line({"n": 1})
        await answer.end()

    async with serving(handler) as (_, client), client.stream("/watch") as batches:
        go.set()
        assert [json.loads(line) async for lines in batches for line in lines] == [{"n": 1}]


@share(0.4)
@given(
    lines=st.lists(st.binary(min_size=1, max_size=40).map(lambda raw: raw.replace(b"\n", b"x")), max_size=12),
    cuts=st.lists(st.integers(min_value=1, max_value=30), min_size=1, max_size=8),
    ended=st.booleans(),
)
def test_lines_survive_any_cut_of_the_stream(lines: list[bytes], cuts: list[int], ended: bool) -> None:
    text = b"\n".join(lines) + (b"\n" if ended and lines else b"")

    async def handler(_: Request, answer: Answer) -> None:
        await answer.start()
        place = turn = 0
        while place < len(text):
            size = cuts[turn % len(cuts)]
            await answer.raw(text[place : place + size])
            place, turn = place + size, turn + 1
        await answer.end()

    async def run() -> list[bytes]:
        async with serving(handler) as (_, client), client.stream("/watch") as batches:
            async with asyncio.timeout(30):
                return [line async for found in batches for line in found]

    assert asyncio.run(run()) == lines


async def test_an_object_of_eight_megabytes_is_one_line() -> None:
    big = "x" * (8 << 20)

    async def handler(_: Request, answer: Answer) -> None:
        await answer.start()
        await answer.line({"a": big})
        await answer.line({"b": 1})
        await answer.end()

    async with serving(handler) as (_, client), client.stream("/watch") as batches:
        found = [line async for lines in batches for line in lines]
    assert [len(line) > 1 << 20 for line in found] == [True, False]


async def test_a_reader_that_works_long_holds_the_server_back_and_loses_nothing() -> None:
    count = 3000
    line = {"pad": "y" * 4000}

    async def handler(_: Request, answer: Answer) -> None:
        await answer.start()
        for _ in range(count):
            await answer.line(line)
        await answer.end()

    async with serving(handler) as (_, client), client.stream("/watch") as batches:
        found = 0
        async for lines in batches:
            found += len(lines)
            await asyncio.sleep(0)
    assert found == count


async def test_a_silent_stream_is_said_and_a_cut_one_too() -> None:
    cut = asyncio.Event()

    async def handler(request: Request, answer: Answer) -> None:
        await answer.start()
        if request.path == "/cut":
            await cut.wait()
            answer.cut()
        else:
            await asyncio.Event().wait()

    async with serving(handler) as (_, client):
        async with client.stream("/silent", idle_timeout=0.1) as batches:
            with pytest.raises(Unreached, match="did not answer in time"):
                await anext(batches)
        async with client.stream("/cut") as batches:
            cut.set()
            with pytest.raises(Unreached, match="was lost"):
                await anext(batches)


async def test_many_streams_share_one_client_and_end_at_once() -> None:
    async def handler(_: Request, answer: Answer) -> None:
        await answer.start()
        await answer.line({})
        await asyncio.Event().wait()

    async with serving(handler) as (server, client):
        async with contextlib.AsyncExitStack() as stack:
            for place in range(25):
                batches = await stack.enter_async_context(client.stream(f"/watch/{place}"))
                await anext(batches)
            began = time.monotonic()
        assert time.monotonic() - began < 15.0
        assert server.connections == 25


async def proxy(handler: object) -> asyncio.Server:
    return await asyncio.start_server(handler, "127.0.0.1", 0)  # type: ignore[arg-type]


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int, ready: bytes) -> None:
    far_reader, far_writer = await asyncio.open_connection(host, port)
    writer.write(ready)
    await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer))


async def test_an_http_proxy_is_used(tmp_path: Path) -> None:
    seen: list[str] = []

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        seen.append(head)
        host, _, port = head.split()[1].partition(":")
        await join(reader, writer, host, int(port), b"HTTP/1.1 200 OK\r\n\r\n")

    async def handler(_: Request, answer: Answer) -> None:
        await answer.json({"through": "proxy"})

    authority = Authority(tmp_path)
    server = await proxy(connect)
    url = f"http://ann:pw@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with serving(handler, context=authority.server(), ca=authority.pem, proxy=Secret(url)) as (_, client):
        assert json.loads((await client.request("GET", "/x")).body) == {"through": "proxy"}
        assert json.loads(await client.bulk("/x", {})) == {"through": "proxy"}
    server.close()
    assert len(seen) == 2
    assert all("Basic YW5uOnB3" in head for head in seen)


async def test_a_socks_proxy_is_used() -> None:
    seen: list[int] = []

    async def socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        await reader.readexactly(count)
        writer.write(b"\x05\x00")
        _, _, _, kind = await reader.readexactly(4)
        size = 4 if kind == 1 else (await reader.readexactly(1))[0]
        raw = await reader.readexactly(size)
        host = socket.inet_ntoa(raw) if kind == 1 else raw.decode()
        port = int.from_bytes(await reader.readexactly(2), "big")
        seen.append(port)
        await join(reader, writer, host, port, b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")

    async def handler(_: Request, answer: Answer) -> None:
        await answer.json({})

    server = await proxy(socks)
    url = f"socks5://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with serving(handler, proxy=Secret(url)) as (_, client):
        assert (await client.request("GET", "/x")).status == 200
        assert await client.bulk("/x", {}) == b"{}"
    server.close()
    assert len(seen) == 2


async def test_a_proxy_that_refuses_is_named_without_its_password() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await proxy(refuse)
    port = server.sockets[0].getsockname()[1]
    client = transport("https://api.example:6443", proxy=Secret(f"http://ann:pw@127.0.0.1:{port}"))
    with pytest.raises(Unreached) as problem:
        await client.request("GET", "/x")
    server.close()
    assert f"the proxy 127.0.0.1:{port}" in problem.value.sentence
    assert "pw" not in problem.value.sentence
