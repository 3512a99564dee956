"""Servers on loopback that take messages: one HTTP server with scripted answers, one real mail server."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

RESET, HANG, SLOW, ECHO = "reset", "hang", "slow", "echo"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


def said(status: str, body: str = "", **headers: str) -> bytes:
    """Return an answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "Connection: close", "", body]).encode()


class Vendor:
    """Gives its answers in turn, the last one for ever; `got` are the requests: path, headers, body."""

    def __init__(self, scheme: str = "http") -> None:
        self.scheme = scheme
        self.answers: list[bytes | str] = [OK]
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.port = 0
        self._hung = asyncio.Event()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request and answer it as the script says."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.got.append((first.split()[1], headers, body))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer == HANG:
                await self._hung.wait()
            elif answer == RESET:
                writer.transport.abort()
            elif answer == SLOW:
                for byte in OK:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0.001)
            elif answer == ECHO:
                writer.write(said("400 Bad Request", f"cannot do {first} {headers}"))
                await writer.drain()
            else:
                assert isinstance(answer, bytes)
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def stop(self) -> None:
        """Let hanging requests go."""
        self._hung.set()


@asynccontextmanager
async def vendor(tls: ssl.SSLContext | None = None) -> AsyncIterator[Vendor]:
    """Run the HTTP server, over TLS where a context is given."""
    served = Vendor("https" if tls else "http")
    server = await asyncio.start_server(served.take, "127.0.0.1", 0, ssl=tls)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        served.stop()
        server.close()


class Mailbox:
    """What a mail server takes: `replies` to DATA in turn ("" takes the mail), `refused` recipients, `password`."""

    def __init__(self) -> None:
        self.got: list[Envelope] = []
        self.replies: list[str] = [""]
        self.refused: dict[str, str] = {}
        self.password = ""
        self.port = 0
        self.secured: list[bool] = []
        self._hung = asyncio.Event()

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, to: str, options: Any) -> str:  # noqa: N802
        """Take a recipient, or refuse it."""
        if to in self.refused:
            return self.refused[to]
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a mail, refuse it, hang or break off."""
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        self.secured.append(session.ssl is not None or session.extended_smtp is None)
        if reply == HANG:
            await self._hung.wait()
        if reply == RESET:
            server.transport.abort()
        if not reply:
            self.got.append(envelope)
        return reply or "250 2.0.0 queued"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        """Take one password."""
        right = isinstance(data, LoginPassword) and data.password.decode() == self.password
        return AuthResult(success=right, handled=right)

    def stop(self) -> None:
        """Let hanging conversations go."""
        self._hung.set()


@asynccontextmanager
async def mail_server(tls: ssl.SSLContext | None = None, *, wrapped: bool = False) -> AsyncIterator[Mailbox]:
    """Run the mail server; with STARTTLS where `tls` is given, or TLS from the first byte."""
    box = Mailbox()

    def made() -> SMTP:
        return SMTP(
            box,
            hostname="mail.example.org",
            tls_context=None if wrapped else tls,
            require_starttls=tls is not None and not wrapped,
            authenticator=box.authenticate if box.password else None,
            auth_required=bool(box.password),
            auth_require_tls=not wrapped,
        )

    server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0, ssl=tls if wrapped else None)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        box.stop()
        server.close()


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Make a certificate for 127.0.0.1; return the server's context and the file that says who signed it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "ca.pem", folder / "key.pem"
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    return context, pem
