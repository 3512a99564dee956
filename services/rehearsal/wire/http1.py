"""A small HTTP/1.1 server over asyncio: it starts in milliseconds and lets a test hang, refuse and cut connections."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
import zlib
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 4 * 1024 * 1024
GZIP_FROM = 128 * 1024
_PORTS = range(16_000, 32_000)
"""Below the ephemeral ports, so that a closed port stays free until the server opens it again."""

_PIECE = 256 * 1024
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(slots=True)
class Request:
    """One request, read whole."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes = b""

    def first(self, name: str, default: str = "") -> str:
        """Return the first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else default


@dataclass(slots=True)
class Reply:
    """An answer with a body of known length; large ones are compressed when the client asks for it."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Stream:
    """An answer that goes on; each chunk is sent at once."""

    chunks: AsyncIterator[bytes]
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200


class _MalformedError(Exception):
    """The bytes are no HTTP request."""


class Connection(asyncio.Protocol):
    """One client connection: requests are answered in turn, the running one ends with the connection."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._buffer = bytearray()
        self._more = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to serve."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (stream sockets only)
        self._transport = transport
        self._server.connections.add(self)
        self._task = asyncio.get_running_loop().create_task(self._serve(transport))

    def data_received(self, data: bytes) -> None:
        """Take bytes in."""
        self._buffer += data
        self._more.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        """End the request that is being answered."""
        self._server.connections.discard(self)
        self._writable.set()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """Hold answers back while the client does not read."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Go on answering."""
        self._writable.set()

    def abort(self) -> None:
        """Cut the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    async def _serve(self, transport: asyncio.Transport) -> None:
        try:
            while True:
                request = await self._read_request()
                answer = await self._server.handler(request)
                await self._server.gate()
                keep = request.headers.get("connection", "").lower() != "close"
                if isinstance(answer, Reply):
                    await self._send(transport, request, answer)
                else:
                    await self._stream(transport, answer)
                if not keep:
                    transport.close()
                    return
        except _MalformedError:
            transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            transport.close()
        finally:
            if not transport.is_closing():
                transport.close()

    async def _read_request(self) -> Request:
        end = await self._until(b"\r\n\r\n", HEAD_LIMIT)
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        try:
            method, target, _ = lines[0].split(" ", 2)
        except ValueError:
            raise _MalformedError from None
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            value = value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        path, _, query = target.partition("?")
        body = await self._read_body(headers)
        return Request(method, unquote(path), parse_qs(query, keep_blank_values=True), headers, body)

    async def _read_body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return await self._read_chunks()
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > BODY_LIMIT:
            raise _MalformedError
        return await self._take(int(length))

    async def _read_chunks(self) -> bytes:
        body = bytearray()
        while True:
            end = await self._until(b"\r\n", HEAD_LIMIT)
            try:
                size = int(bytes(self._buffer[:end]).split(b";")[0], 16)
            except ValueError:
                raise _MalformedError from None
            del self._buffer[: end + 2]
            if len(body) + size > BODY_LIMIT:
                raise _MalformedError
            body += await self._take(size)
            await self._take(2)
            if size == 0:
                return bytes(body)

    async def _until(self, mark: bytes, limit: int) -> int:
        while (end := self._buffer.find(mark)) < 0:
            if len(self._buffer) > limit:
                raise _MalformedError
            await self._wait()
        return end

    async def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            await self._wait()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    async def _wait(self) -> None:
        self._more.clear()
        await self._more.wait()

    async def _send(self, transport: asyncio.Transport, request: Request, reply: Reply) -> None:
        body = reply.body
        headers = dict(reply.headers)
        if len(body) >= GZIP_FROM and "gzip" in request.headers.get("accept-encoding", ""):
            body = await asyncio.to_thread(_gzip, body)
            headers["Content-Encoding"] = "gzip"
            headers["Vary"] = "Accept-Encoding"
        headers["Content-Length"] = str(len(body))
        head = _head(reply.status, headers)
        if request.method == "HEAD":
            body = b""
        transport.write(head + body[:_PIECE])
        for start in range(_PIECE, len(body), _PIECE):
            await self._writable.wait()
            transport.write(body[start : start + _PIECE])
        await self._writable.wait()

    async def _stream(self, transport: asyncio.Transport, stream: Stream) -> None:
        transport.write(_head(stream.status, {**stream.headers, "Transfer-Encoding": "chunked"}))
        chunks = stream.chunks
        try:
            async for chunk in chunks:
                await self._server.gate()
                if chunk:
                    transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                await self._writable.wait()
        finally:
            await chunks.aclose()  # type: ignore[attr-defined]  # async generators have it
        transport.write(b"0\r\n\r\n")


class HttpServer:
    """Listens on one address. `gate` is awaited before anything is written, so a closed gate is a hung server."""

    def __init__(
        self,
        handler: Callable[[Request], Awaitable[Reply | Stream]],
        gate: Callable[[], Awaitable[None]],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.handler = handler
        self.gate = gate
        self.connections: set[Connection] = set()
        self.host = ""
        self.port = 0
        self._tls = tls
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._handshakes: set[asyncio.Task[None]] = set()

    def listen(self, host: str, port: int) -> None:
        """Open the port; raise OSError when it is taken."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        try:
            listener.bind((host, port))
            listener.listen(512)
        except OSError:
            listener.close()
            raise
        self._socket = listener
        self.host, self.port = host, listener.getsockname()[1]
        self._accepting = asyncio.get_running_loop().create_task(self._accept(listener))

    def listen_anywhere(self, host: str) -> None:
        """Open a port that nobody has, by opening it: one that was only seen to be free may be taken by then."""
        for _ in range(50):
            with contextlib.suppress(OSError):
                self.listen(host, secrets.choice(_PORTS))
                return
        raise OSError(f"no free port was found on {host}")

    async def close(self) -> None:
        """Close the port and cut every connection."""
        tasks = [task for task in (self._accepting, *self._handshakes) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._accepting = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self.cut()
        await asyncio.sleep(0)

    async def reopen(self) -> None:
        """Open the same port again after `close`."""
        if self._socket is None:
            self.listen(self.host, self.port)

    def cut(self) -> None:
        """Abort every connection."""
        for connection in list(self.connections):
            connection.abort()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self.gate()
            client, _ = await loop.sock_accept(listener)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = loop.create_task(self._greet(client))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _greet(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            await self.gate()
            await loop.connect_accepted_socket(lambda: Connection(self), client, ssl=self._tls)
        except (OSError, asyncio.CancelledError):
            client.close()


def _head(status: int, headers: dict[str, str]) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    lines += [f"Date: {_date()}", "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace")


def _date() -> str:
    """Return the present as an HTTP date (RFC 9110 5.6.7)."""
    now = time.gmtime()
    day, month = _DAYS[now.tm_wday], _MONTHS[now.tm_mon - 1]
    return f"{day}, {now.tm_mday:02} {month} {now.tm_year} {now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02} GMT"


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()
