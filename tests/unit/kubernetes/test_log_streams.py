"""Followed logs lose no line, repeat none, and stay bounded, however often a stream is cut; refusals are said once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clock import SystemClock
from services.errors import Problem
from services.kubernetes import logs
from services.kubernetes.credentials import Credentials
from services.kubernetes.kubeconfig import Identity
from services.kubernetes.logs import LogStreams, _Container
from services.kubernetes.settings import ConnectionSettings
from services.kubernetes.transport import Transport
from services.ports import LogLine, LogOptions

PATIENCE = 60.0
SECOND = 1_000_000_000


def stamp(moment: int, zone: str = "Z") -> str:
    """Write nanoseconds after noon as the kubelet does."""
    whole, rest = divmod(moment, SECOND)
    return f"2026-11-20T12:{whole // 60:02d}:{whole % 60:02d}.{rest:09d}{zone}"


def lines(*moments: int) -> list[bytes]:
    return [f"{stamp(moment)} line {index}".encode() for index, moment in enumerate(moments)]


def texts(found: Sequence[LogLine]) -> list[str]:
    return [line.text for line in found]


moments = st.lists(st.sampled_from([0, 1, 1000, SECOND // 2, SECOND - 1, SECOND, 3 * SECOND]), max_size=30).map(
    lambda steps: [sum(steps[: place + 1]) for place in range(len(steps))]
)


@given(moments=moments, cuts=st.lists(st.integers(0, 30), max_size=6))
def test_a_log_that_is_cut_anywhere_is_read_once(moments: list[int], cuts: list[int]) -> None:
    served = lines(*moments)
    container = _Container("web-0", "web")
    for cut in [*sorted(cuts), len(served)]:
        since = container.moment
        container.opened()
        first = 0
        if container.stamp:  # the kubelet cuts sinceTime to whole seconds
            first = next(place for place, raw in enumerate(served) if raw[:19] >= container.stamp[:19].encode())
        for raw in served[first:cut]:
            container.read(raw)
        assert container.moment >= since
    assert texts(container.take()) == [f"line {index}" for index in range(len(served))]


@pytest.mark.parametrize(
    ("raw", "at", "text"),
    [
        (b"2026-11-20T12:00:00.5Z hello", 1795176000.5, "hello"),
        (b"2026-11-20T13:00:00.500000000+01:00 hello", 1795176000.5, "hello"),
        (b"2026-11-20T12:00:00Z ", 1795176000.0, ""),
        (b"2026-11-20T12:00:00Z a\r", 1795176000.0, "a"),
        (b"2026-11-20T12:00:00Z  indented", 1795176000.0, " indented"),
        (b"2026-11-20T12:00:00Z \xff\xfe", 1795176000.0, "\ufffd\ufffd"),
        (b"unable to retrieve container logs", 0.0, "unable to retrieve container logs"),
        (b"2026-99-99T12:00:00Z x", 0.0, "x"),
    ],
)
def test_the_kubelets_time_is_taken_off_each_line(raw: bytes, at: float, text: str) -> None:
    container = _Container("web-0", "web")
    container.read(raw)
    assert container.take() == [LogLine("web-0", "web", at, text)]


def test_the_words_of_a_kubelet_that_lost_the_log_come_once() -> None:
    container = _Container("web-0", "web")
    for _ in range(3):
        container.opened()
        container.read(b"unable to retrieve container logs")
    assert len(container.take()) == 1


@given(count=st.integers(0, 3 * logs.HELD_LINES), taken_every=st.integers(1, 5000))
def test_what_is_shown_and_what_is_counted_as_lost_is_everything(count: int, taken_every: int) -> None:
    container = _Container("web-0", "web")
    shown = dropped = 0
    for index in range(count):
        container.put(1.0, b"x")
        if index % taken_every == 0 or index == count - 1:
            held = container.take()
            assert len(held) <= logs.HELD_LINES
            shown += len(held)
            dropped += sum(line.dropped for line in held)
    assert shown + dropped == count


def test_long_lines_are_held_by_their_size_and_cut_visibly() -> None:
    container = _Container("web-0", "web")
    for _ in range(100):
        container.put(1.0, b"x" * (logs.LONGEST_LINE + 7))
    held = container.take()
    assert sum(len(line.text) for line in held) <= logs.HELD_BYTES
    assert held[0].dropped == 100 - len(held)
    assert held[0].text.endswith("x [7 more bytes]")


class HastyClock(SystemClock):
    """Waits no longer than a turn of the loop."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Kubelet:
    """A real server that answers each container's next request with the next thing it was given."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, bytes]]] = {}
        self.asked: list[dict[str, str]] = []
        self.open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            query = {key: value[0] for key, value in parse_qs(urlsplit(head.split()[1]).query).items()}
            self.asked.append(query)
            waiting = self.answers[query["container"]]
            status, body = waiting.pop(0) if waiting else (404, b'{"message": "it is gone"}')
            if not status:
                await reader.read()  # says nothing until the client leaves
                return
            writer.write(f"HTTP/1.1 {status} X\r\nConnection: close\r\n\r\n".encode())
            if isinstance(body, bytes):
                writer.write(body)
            await writer.drain()
        finally:
            writer.close()
            self.open.discard(writer)


@asynccontextmanager
async def streams(
    kubelet: Kubelet, options: LogOptions, containers: Sequence[str] = ("web",)
) -> AsyncIterator[LogStreams]:
    """Lend the merged logs of one pod, read over a loopback connection."""
    server = await asyncio.start_server(kubelet.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    transport = Transport(Credentials(ConnectionSettings(Identity("c", "c", url, "", "u", "", "k"), url), HastyClock()))
    try:
        yield LogStreams(transport, HastyClock(), "shop", {"web-0": list(containers)}, options)
    finally:
        await transport.close()
        server.close()


async def everything(source: LogStreams) -> list[LogLine]:
    async with asyncio.timeout(PATIENCE):
        return [line async for batch in source.batches() for line in batch]


async def test_a_stream_that_ends_is_resumed_from_its_last_line_until_the_pod_is_gone() -> None:
    kubelet = Kubelet()
    served = lines(5, 5, 7, SECOND)
    kubelet.answers["web"] = [
        (200, b"\n".join(served[:1]) + b"\n"),
        (500, b'{"message": "the node is away"}'),
        (500, b'{"message": "the node is away"}'),
        (200, b"\n".join(served) + b"\n"),
    ]
    async with streams(kubelet, LogOptions(tail=9)) as source:
        found = texts(await everything(source))
    assert found[0] == "line 0"
    assert "the node is away" in found[1]
    assert found[2:] == ["line 1", "line 2", "line 3", "[web-0 is gone]"]
    assert kubelet.asked[0] == {"container": "web", "timestamps": "true", "follow": "true", "tailLines": "9"}
    assert kubelet.asked[1] == {"container": "web", "timestamps": "true", "follow": "true", "sinceTime": stamp(5)}


async def test_a_container_that_is_refused_says_so_and_the_others_go_on() -> None:
    kubelet = Kubelet()
    kubelet.answers = {"web": [(200, lines(1)[0])], "proxy": [(403, b'{"message": "not yours"}')]}
    async with streams(kubelet, LogOptions(follow=False), ("web", "proxy")) as source:
        found = await everything(source)
    assert {line.container: "not yours" in line.text for line in found} == {"web": False, "proxy": True}


async def test_a_lone_container_that_is_refused_is_a_problem() -> None:
    kubelet = Kubelet()
    kubelet.answers["web"] = [(400, b'{"message": "previous terminated container \\"web\\" not found"}')]
    async with streams(kubelet, LogOptions(follow=True, previous=True)) as source:
        with pytest.raises(Problem, match="previous terminated container"):
            await everything(source)
    assert kubelet.asked == [{"container": "web", "timestamps": "true", "previous": "true", "tailLines": "500"}]


async def test_what_ran_before_is_read_once_even_when_following() -> None:
    kubelet = Kubelet()
    kubelet.answers["web"] = [(200, b"\n".join(lines(1, 2)))]
    async with streams(kubelet, LogOptions(follow=True, previous=True, since=60)) as source:
        assert texts(await everything(source)) == ["line 0", "line 1"]
    assert kubelet.asked[0]["sinceSeconds"] == "60"


async def test_a_container_that_waits_to_start_is_said_once_and_followed() -> None:
    kubelet = Kubelet()
    waits = (400, b'{"message": "container \\"web\\" is waiting to start: PodInitializing"}')
    kubelet.answers["web"] = [waits, waits, waits, (200, lines(1)[0])]
    async with streams(kubelet, LogOptions()) as source:
        found = texts(await everything(source))
    assert ["waiting to start" in text for text in found] == [True, False, False]
    assert found[1:] == ["line 0", "[web-0 is gone]"]


async def test_a_container_that_is_merely_quiet_is_not_complained_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "SILENCE", 0.05)
    kubelet = Kubelet()
    kubelet.answers["web"] = [(0, b""), (200, lines(1)[0])]
    async with streams(kubelet, LogOptions()) as source:
        assert texts(await everything(source)) == ["line 0", "[web-0 is gone]"]


async def test_more_containers_than_are_read_at_once_are_told_of() -> None:
    kubelet = Kubelet()
    names = [f"c{index}" for index in range(logs.STREAMS + 3)]
    kubelet.answers = {name: [(200, lines(1)[0])] for name in names}
    async with streams(kubelet, LogOptions(follow=False), names) as source:
        found = await everything(source)
    assert found[0].text == "[3 more containers are not shown: choose fewer pods]"
    assert len(found) == 1 + logs.STREAMS


async def test_a_flood_is_read_to_its_end_in_bounded_batches_and_counted() -> None:
    kubelet = Kubelet()
    count = 60_000
    body = b"".join(f"{stamp(index)} {index}\n".encode() for index in range(count))
    kubelet.answers["web"] = [(200, body)]
    async with streams(kubelet, LogOptions(follow=False)) as source:
        found = await everything(source)
    assert found[-1].text == str(count - 1)
    assert len(found) + sum(line.dropped for line in found) == count


async def test_leaving_ends_every_stream_at_once() -> None:
    kubelet = Kubelet()
    held = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + lines(1)[0] + b"\n")
        await reader.read()  # until the client leaves
        held.set()
        writer.close()

    kubelet.serve = serve  # type: ignore[method-assign]
    async with streams(kubelet, LogOptions()) as source, asyncio.timeout(PATIENCE):
        batches = source.batches()
        assert texts(await anext(batches)) == ["line 0"]
        await batches.aclose()
        await held.wait()
