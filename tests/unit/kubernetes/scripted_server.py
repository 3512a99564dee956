"""A tiny HTTP server for odd cases: every request goes to one coroutine that answers as it likes, or never."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import gzip
import ipaddress
import json
import ssl
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.clock import Clock
from services.kubernetes.credentials import Credentials
from services.kubernetes.kubeconfig import Identity
from services.kubernetes.settings import ConnectionSettings
from services.kubernetes.transport import Transport
from services.model.source import SourceStatus
from services.model.text import Secret
from services.ports import Change, Replace


class Request:
    """One request, read whole."""

    def __init__(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        parts = urllib.parse.urlsplit(target)
        self.method = method
        self.target = target
        self.path = urllib.parse.unquote(parts.path)
        self.params = dict(urllib.parse.parse_qsl(parts.query))
        self.headers = headers
        self.body = body


class Answer:
    """Writes one answer, whole or line by line."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def whole(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self._head(status, {"Content-Length": str(len(body)), **(headers or {})})
        self._writer.write(body)
        await self._writer.drain()

    async def json(self, document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        await self.whole(status, json.dumps(document).encode(), {"Content-Type": "application/json", **(headers or {})})

    async def zipped(self, document: object) -> None:
        body = gzip.compress(json.dumps(document).encode())
        await self.whole(200, body, {"Content-Type": "application/json", "Content-Encoding": "gzip"})

    async def start(self) -> None:
        self._head(200, {"Transfer-Encoding": "chunked", "Content-Type": "application/json"})
        await self._writer.drain()

    async def raw(self, data: bytes) -> None:
        self._writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self._writer.drain()

    async def line(self, document: object) -> None:
        await self.raw(json.dumps(document).encode() + b"\n")

    async def end(self) -> None:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def cut(self) -> None:
        """Drop the connection in the middle."""
        transport = self._writer.transport
        transport.abort()

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in headers.items())]
        self._writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")


Handler = Callable[[Request, Answer], Awaitable[None]]


class ScriptedServer:
    """Serves `handler` on loopback until left; remembers every request."""

    def __init__(self, handler: Handler, context: ssl.SSLContext | None = None) -> None:
        self.handler = handler
        self.requests: list[Request] = []
        self.connections = 0
        self.port = 0
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        scheme = "https" if self._context else "http"
        return f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._context)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            while not writer.is_closing():
                request = await self._read(reader)
                self.requests.append(request)
                await self.handler(request, Answer(writer))
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Request:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Request(method, target, headers, body)


class Authority:
    """A throw-away certificate authority and a server certificate for 127.0.0.1 and the given names."""

    def __init__(self, folder: Path, names: Iterable[str] = ()) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self._certificate = self._sign(self._name, self._key.public_key(), [], is_authority=True)
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM)
        self._names = list(names)

    def server(self, *, with_address: bool = True, ask_client: bool = False) -> ssl.SSLContext:
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in self._names]
        if with_address:
            alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        certificate, key = self.issue("server", alternatives)
        path = self._folder / "server.pem"
        path.write_bytes(certificate + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        if ask_client:
            context.load_verify_locations(cadata=self.pem.decode())
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def issue(self, name: str, alternatives: Iterable[x509.GeneralName] = ()) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key.public_key(), list(alternatives), is_authority=False)
        return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        alternatives: list[x509.GeneralName],
        *,
        is_authority: bool,
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return builder.sign(self._key, hashes.SHA256())


class QuickClock:
    """Sleeps take no time, but count: for loops whose waits are the server's business."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._elapsed = 0.0

    def now(self) -> float:
        return 1_800_000_000.0 + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._elapsed += seconds
        await asyncio.sleep(0)


class Recorder:
    """A sink that keeps what it is told and wakes who waits for something."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Any]] = {}
        self.changes: list[tuple[str, Change]] = []
        self.statuses: dict[str, SourceStatus] = {}
        self.said: list[SourceStatus] = []
        self._changed = asyncio.Event()

    def apply(self, source: str, change: Change) -> None:
        self.changes.append((source, change))
        if isinstance(change, Replace):
            self.tables[change.table] = dict(change.rows)
        else:
            rows = self.tables.setdefault(change.table, {})
            rows.update(change.upserts)
            for key in change.removals:
                rows.pop(key, None)
        self._changed.set()

    def status(self, status: SourceStatus) -> None:
        self.statuses[status.source] = status
        self.said.append(status)
        self._changed.set()

    def happened(self, events: object) -> None:
        raise AssertionError(events)

    async def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait for something that follows from what is told."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


def identity(server: str, **changes: object) -> Identity:
    known: dict[str, Any] = {
        "context": "test",
        "cluster_name": "test",
        "server": server,
        "ca_fingerprint": "",
        "user": "tester",
        "namespace": "home",
        "cluster_key": "key-of-server",
    }
    return Identity(**{**known, **changes})


def settings(server: str, **changes: object) -> ConnectionSettings:
    known: dict[str, Any] = {"identity": identity(server), "server": server, "token": Secret("t0ken")}
    return ConnectionSettings(**{**known, **changes})


def transport(server: str, clock: Clock | None = None, **changes: object) -> Transport:
    return Transport(Credentials(settings(server, **changes), clock or QuickClock()))


@contextlib.asynccontextmanager
async def serving(handler: object, **options: object) -> AsyncIterator[tuple[ScriptedServer, Transport]]:
    context = options.pop("context", None)
    async with ScriptedServer(handler, context) as server:  # type: ignore[arg-type]
        client = transport(server.url, **options)  # type: ignore[arg-type]
        try:
            yield server, client
        finally:
            await client.close()


def status(code: int, message: str = "", **details: object) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code, **details}
