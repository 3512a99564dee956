"""A proxy in front of a real server: checks bearer and tenant, counts requests, and misbehaves when a test says so."""

from __future__ import annotations

import base64
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self

import httpx

from tests.monitoring.web import PASSWORD, USER, Web

PASSED_ON = ("content-type", "accept")

_BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class Asked(NamedTuple):
    """One request as it came: header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Canned(NamedTuple):
    """An answer that the gateway gives instead of the server's."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()


class Gateway:
    """Forwards to `upstream` what has the wanted `bearer` and `tenant` (X-Scope-OrgID); a context manager.

    `web` makes it speak TLS and ask for a client certificate and a password as that says; it knows only what lies below
    `prefix`, which it takes off.
    `asked` are the requests that came; `answer`, when set, is given instead of the server's; `hold` is cleared to let
    requests hang until it is set again.
    """

    def __init__(
        self, upstream: str, *, bearer: str = "", tenant: str = "", prefix: str = "", web: Web | None = None
    ) -> None:
        self.asked: list[Asked] = []
        self.answer: Canned | None = None
        self.hold = threading.Event()
        self.hold.set()
        self._upstream = httpx.Client(base_url=upstream, trust_env=False, timeout=30.0)
        self._bearer = bearer
        self._tenant = tenant
        self._prefix = prefix
        self.web = web
        gateway = self

        class Forward(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                canned = gateway.handle(Asked(self.command, self.path, headers, self.rfile.read(length)))
                self.send_response(canned.status)
                self.send_header("Content-Type", canned.content_type)
                self.send_header("Content-Length", str(len(canned.body)))
                for name, value in canned.headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(canned.body)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Forward)
        self._server.daemon_threads = True
        if web is not None and web.tls:
            self._server.socket = web.context().wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )

    @property
    def url(self) -> str:
        scheme = self.web.scheme if self.web is not None else "http"
        return f"{scheme}://127.0.0.1:{self._server.server_port}{self._prefix}"

    def handle(self, asked: Asked) -> Canned:
        """Answer one request."""
        self.asked.append(asked)
        self.hold.wait(60)
        if self.answer is not None:
            return self.answer
        if self._bearer and asked.headers.get("authorization") != f"Bearer {self._bearer}":
            return Canned(401, b"who are you?\n")
        if self._tenant and asked.headers.get("x-scope-orgid") != self._tenant:
            return Canned(401, b"no org id\n")
        if self.web is not None and self.web.basic and asked.headers.get("authorization") != _BASIC:
            return Canned(401, b"Unauthorized\n")
        if not asked.path.startswith(f"{self._prefix}/"):
            return Canned(404, b"404 page not found\n")
        headers = {name: asked.headers[name] for name in PASSED_ON if name in asked.headers}
        answer = self._upstream.request(
            asked.method, asked.path.removeprefix(self._prefix), content=asked.body, headers=headers
        )
        return Canned(answer.status_code, answer.content, answer.headers.get("content-type", "text/plain"))

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._upstream.close()
