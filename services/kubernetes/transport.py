"""Carries every request to one cluster: small ones and watches on the loop, bulk lists on threads."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from services.departure import Departure
from services.errors import Problem
from services.kubernetes import problems, tls
from services.kubernetes.bulk import BulkReader, BulkRequest
from services.kubernetes.credentials import Credentials, Grant
from services.kubernetes.lines import LinePump
from services.kubernetes.problems import Unreached

if TYPE_CHECKING:
    import ssl

    import httpx

# httpx brings a command-line program along, half of its import; None makes that part fail, as httpx expects it may.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
# httpcore looks for it with every request, in every folder there is; nothing here runs on another loop than asyncio's.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]

JSON = "application/json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
CONNECT = 5.0
BULK_READ = 30.0
DEADLINE = 15.0
HEAD = 4096

_CONTINUE = re.compile(rb'"continue"\s*:\s*"([^"\\]*)"')

Params = Mapping[str, str]
_Answer = TypeVar("_Answer")


class Response(Struct, frozen=True):
    """A whole answer, status below 400; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _ListMeta(Struct):
    continue_token: str = msgspec.field(default="", name="continue")


class _ListHead(Struct):
    metadata: _ListMeta | None = None


class Transport:
    """One cluster's connections, used from one loop.

    A request is tried once more after a 401 with renewed credentials, as a server that does not know who asks has done
    nothing; changes are never repeated by themselves otherwise.
    Every method raises Problem (ApiProblem with the server's status, or Unreached) and nothing else.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._settings = credentials.settings
        self._proxy = self._settings.proxy.reveal() if self._settings.proxy else ""
        self._signed_by: tuple[bytes, object] | None = None
        self._context: ssl.SSLContext | None = None
        self._client: httpx.AsyncClient | None = None
        self._bulk: BulkReader | None = None
        self._retired: list[httpx.AsyncClient] = []

    @property
    def host(self) -> str:
        """The server's host and port, for sentences."""
        return problems.host_of(self._settings.server)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | Sequence[str]] | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        deadline: float = DEADLINE,
        what: str = "",
    ) -> Response:
        """Send one request and return its whole answer within `deadline` seconds; `what` names it in sentences.

        An Unreached that it raises says in `sent` whether the server may have got the request.
        """
        what = what or f"{method} {path}"
        departure = Departure()

        async def send(grant: Grant) -> Response:
            departure.sent = False
            headers = [*self._headers(grant, accept)]
            if body is not None:
                headers.append(("Content-Type", content_type))
            answer = await self._open_client(grant).request(
                method,
                path,
                params=dict(params or {}),
                content=body,
                headers=headers,
                extensions={**self._extensions(), "trace": departure.note},
            )
            found = {name.lower(): value for name, value in answer.headers.items()}
            return self._checked(answer.status_code, found, answer.content, what)

        try:
            async with asyncio.timeout(deadline):
                return await self._signed(send, what)
        except TimeoutError as error:
            problem = self._unreached(error, what)
            problem.sent = departure.sent
            raise problem from None
        except Unreached as problem:
            problem.sent = departure.sent
            raise

    @contextlib.asynccontextmanager
    async def stream(
        self,
        path: str,
        params: Params | None = None,
        *,
        accept: str = JSON,
        idle_timeout: float = 90.0,
        what: str = "",
    ) -> AsyncIterator[AsyncIterator[list[bytes]]]:
        """Open an endless answer; once the server has accepted, lend an iterator of its lines, all arrived at a time.

        Lines come without their end. Silence of `idle_timeout` seconds raises Unreached. The answer is read on while
        the caller works, up to 4 MiB ahead. Leaving the context ends it at once.
        """
        what = what or f"watch {path}"

        async def open_it(grant: Grant) -> httpx.Response:
            client = self._open_client(grant)
            request = client.build_request(
                "GET",
                path,
                params=dict(params or {}),
                headers=[*self._headers(grant, accept), ("Accept-Encoding", "identity")],
                extensions=self._extensions(),
                timeout=_timeouts(CONNECT, idle_timeout),
            )
            answer = await client.send(request, stream=True)
            if answer.status_code >= 300:
                try:
                    body = await answer.aread()
                finally:
                    await answer.aclose()
                found = {name.lower(): value for name, value in answer.headers.items()}
                self._checked(answer.status_code, found, body, what)
            return answer

        pump = LinePump(await self._signed(open_it, what))
        try:
            yield self._lines(pump, what)
        finally:
            await pump.close()

    async def _lines(self, pump: LinePump, what: str) -> AsyncIterator[list[bytes]]:
        with self._naming(what):
            async for lines in pump.batches():
                yield lines

    async def pages(
        self, path: str, params: Params | None = None, *, accept: str = JSON, limit: int = 250, what: str = ""
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bodies of a paged list; the next page is on its way while the caller decodes this one.

        `limit` 0 asks for everything at once. An expired continue token raises ApiProblem 410.
        """
        base = dict(params or {})
        if limit:
            base["limit"] = str(limit)
        body = await self.bulk(path, base, accept=accept, what=what)
        while token := _continue_token(body):
            following = asyncio.ensure_future(self.bulk(path, {**base, "continue": token}, accept=accept, what=what))
            try:
                yield body
                body = await following
            finally:
                if not following.done():
                    following.cancel()
                    await asyncio.gather(following, return_exceptions=True)
        yield body

    async def bulk(self, path: str, params: Params, *, accept: str = JSON, what: str = "") -> bytes:
        """Fetch one big body on a thread, gzipped on the way."""
        what = what or f"list {path}"

        async def send(grant: Grant) -> bytes:
            reader = self._bulk_reader(grant)
            headers = [*self._headers(grant, accept), ("Accept-Encoding", "gzip")]
            answer = await reader.get(BulkRequest(path, tuple(params.items()), headers, self._extensions()))
            return self._checked(answer.status, answer.headers, answer.body, what).body

        return await self._signed(send, what)

    async def close(self) -> None:
        """Drop every connection, waiting for no server."""
        if self._bulk is not None:
            self._bulk.close()
        clients = [*self._retired, *([self._client] if self._client is not None else [])]
        self._client = None
        for client in clients:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(0.5):
                    await client.aclose()

    async def _signed(self, send: Callable[[Grant], Awaitable[_Answer]], what: str) -> _Answer:
        grant = await self._credentials.current()
        try:
            with self._naming(what):
                return await send(grant)
        except Problem as problem:
            if problem.status != 401 or not await self._credentials.renew(grant.generation):
                raise
        with self._naming(what):
            return await send(await self._credentials.current())

    @contextlib.contextmanager
    def _naming(self, what: str) -> Iterator[None]:
        """Turn what the HTTP library raises into a sentence."""
        import httpx

        try:
            yield
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError) as error:
            raise self._unreached(error, what) from None

    def _unreached(self, error: BaseException, what: str) -> Unreached:
        return problems.unreached(error, self._settings.server, what, self._proxy)

    def _checked(self, status: int, headers: Mapping[str, str], body: bytes, what: str) -> Response:
        if status >= 400 or status in {301, 302, 303, 307, 308}:
            raise problems.refused(status, headers, body, what)
        return Response(status, headers, body)

    def _headers(self, grant: Grant, accept: str) -> Sequence[tuple[str, str]]:
        return [("Accept", accept), ("User-Agent", "quarterdeck"), *grant.headers()]

    def _extensions(self) -> dict[str, Any]:
        name = self._settings.tls_server_name
        return {"sni_hostname": name} if name else {}

    def _tls(self, grant: Grant) -> ssl.SSLContext:
        signed_by = (grant.certificate, grant.key)
        if self._context is None or signed_by != self._signed_by:
            self._context = tls.context(
                self._settings.ca, verify=self._settings.verify, certificate=grant.certificate, key=grant.key
            )
            self._signed_by = signed_by
            if self._client is not None:
                self._retired.append(self._client)  # its watches go on until they end
                self._client = None
            if self._bulk is not None:
                self._bulk.close()
                self._bulk = None
        return self._context

    def _open_client(self, grant: Grant) -> httpx.AsyncClient:
        import httpx

        context = self._tls(grant)
        if self._client is None:
            self._client = httpx.AsyncClient(
                base_url=self._settings.server,
                verify=context,
                proxy=self._proxy or None,
                trust_env=False,
                timeout=_timeouts(CONNECT, BULK_READ),
                # No bound on those kept: httpcore counts busy ones too, and would greet the server anew for each probe.
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=30.0),
            )
        return self._client

    def _bulk_reader(self, grant: Grant) -> BulkReader:
        import httpx

        context = self._tls(grant)
        if self._bulk is None:
            self._bulk = BulkReader(
                lambda: httpx.Client(
                    base_url=self._settings.server,
                    verify=context,
                    proxy=self._proxy or None,
                    trust_env=False,
                    timeout=_timeouts(CONNECT, BULK_READ),
                )
            )
        return self._bulk


def _timeouts(connect: float, read: float) -> httpx.Timeout:
    import httpx

    return httpx.Timeout(connect=connect, read=read, write=connect, pool=connect)


def _continue_token(body: bytes) -> str:
    """Return the token of the next page, "" on the last: read from the head, as servers put the items last."""
    head, items, _ = body[:HEAD].partition(b'"items"')
    if items and b'"metadata"' in head:
        found = _CONTINUE.search(head)
        return found.group(1).decode() if found else ""
    try:
        whole = msgspec.json.decode(body, type=_ListHead)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return whole.metadata.continue_token if whole.metadata else ""
