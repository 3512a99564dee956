"""The way to one HTTP source of the monitoring: address, credentials, deadline, and sentences for what goes wrong."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from services.circuit import Circuit
from services.clock import Clock
from services.config_secret import SecretRef
from services.departure import Departure
from services.errors import Problem
from services.model.text import Secret
from services.sanitize import safe_text

if TYPE_CHECKING:
    import httpx

    from services.config_endpoints import EndpointSettings
    from services.kubernetes.transport import Response, Transport

LARGEST = 64 << 20
"""Bytes an answer may have: 5,000 alerts with long annotations are a tenth of it."""

QUERY = "/api/v1/query"
"""Where Prometheus evaluates what is asked: as slow as the question."""

SERVICE = "service "
"""What the address of a server begins with that is reached through the cluster's API server."""

FORM, JSON = "application/x-www-form-urlencoded", "application/json"

Pairs = Sequence[tuple[str, str]]


class _Refusal(Struct):
    """What Prometheus says with an error: errorType and error; Alertmanager a code and a message."""

    error: str = ""
    message: str = ""


class _Asked(Struct, frozen=True):
    """One request: a form, a JSON body, or neither. `departure` knows of a change whether it has left."""

    method: str
    path: str
    query: Pairs = ()
    body: bytes | None = None
    content_type: str = FORM
    departure: Departure | None = None


def called(kind: str, name: str) -> str:
    """Return what a server is called in sentences: "prometheus main", but no "prometheus prometheus-1"."""
    return name if name.lower().startswith(kind) else f"{kind} {name}"


class Endpoint:
    """One server that is asked over HTTP. `name` is what the operator calls it: "prometheus main".

    `cluster` gives the API server where the settings name a service; None while no cluster is connected. Every method
    raises Problem and nothing else. A server that fails again and again is left alone for a while (`Circuit`); queries
    are judged apart, since one that is too slow says nothing of whether the server tells its alerts. Credentials are
    read again after a refusal: tokens and certificates are renewed while a console runs.
    """

    def __init__(
        self,
        name: str,
        settings: EndpointSettings,
        clock: Clock,
        cluster: Callable[[], Transport | None] = lambda: None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self.settings = settings
        self.circuit, self.queries = Circuit(clock, jitter), Circuit(clock, jitter)
        self._cluster = cluster
        self._client: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()
        self._asking = 0
        self._outdated = False

    @property
    def url(self) -> str:
        """Where it is, for the operator: no credential is in it."""
        return self.settings.url or f"{SERVICE}{self.settings.service}"

    @property
    def timeout(self) -> float:
        """Seconds an answer may take."""
        return float(self.settings.timeout)

    async def get(self, path: str, query: Pairs = ()) -> bytes:
        """Return the body of a 2xx answer to GET `path`, below the prefix."""
        return await self._ask(_Asked("GET", path, query))

    async def post(self, path: str, form: Pairs) -> bytes:
        """Return the body of a 2xx answer to a POST of a form: for queries that are too long for a URL."""
        return await self._ask(_Asked("POST", path, body=_encoded(form)))

    async def change(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Send a change once, with JSON, and return the body of its 2xx answer; no change is ever repeated by itself.

        Raises Problem, with the status where the server refused. Where no answer came it is an `Unreached`, whose
        `sent` says if the server may have got the request all the same.
        """
        from services.kubernetes.problems import Unreached

        departure = Departure()
        try:
            return await self._ask(_Asked(method, path, (), body, JSON, departure))
        except Unreached:
            raise
        except Problem as problem:
            if problem.status:
                raise
            unreached = Unreached(problem.sentence)
            unreached.sent = departure.sent
            raise unreached from None

    async def close(self) -> None:
        """Drop the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _ask(self, asked: _Asked) -> bytes:
        circuit = self.queries if asked.path.startswith(QUERY) else self.circuit
        if not circuit.may_ask():
            wait = f"{circuit.reopens_in:.0f} s"
            raise Problem(safe_text(f"{self.name} failed again and again and is left alone for {wait}; see doctor."))
        try:
            async with asyncio.timeout(self.settings.timeout):
                if self.settings.service:
                    body = await self._through_cluster(asked)
                else:
                    body = await self._directly(asked)
        except TimeoutError:
            circuit.failed()
            raise self._problem(f"did not answer within {self.settings.timeout} s") from None
        except Problem as problem:
            self._note(problem, circuit)
            raise
        except asyncio.CancelledError:
            circuit.left()
            raise
        circuit.answered()
        return body

    def _note(self, problem: Problem, circuit: Circuit) -> None:
        """A refusal is an answer; silence and a broken server are not."""
        if problem.status in (0, 401):
            self._outdated = True
        if problem.status and problem.status < 500:
            circuit.answered()
        else:
            circuit.failed()

    def _problem(self, why: str, status: int = 0) -> Problem:
        return Problem(safe_text(f"{self.name} {why}."), status)

    async def _through_cluster(self, asked: _Asked) -> bytes:
        cluster = self._cluster()
        if cluster is None:
            raise self._problem("is reached through the cluster, which is not connected")
        if asked.departure is not None:
            asked.departure.sent = True  # what the transport knows better, it says itself
        from services.kubernetes.problems import ApiProblem

        try:
            answer = await self._asked_at(cluster, asked)
        except ApiProblem as problem:
            if problem.reason:
                raise
            raise self._problem(_refused(problem.status, problem.words.encode(), asked.path), problem.status) from None
        return answer.body

    async def _asked_at(self, cluster: Transport, asked: _Asked) -> Response:
        """Send it to the API server; what the server behind the Service refuses, bears no reason of the cluster's."""
        return await cluster.request(
            asked.method,
            f"{proxied(self.settings.service)}{asked.path}",
            params=_query(asked.query),
            body=asked.body or None,
            content_type=asked.content_type,
            deadline=float(self.settings.timeout),
            what=f"ask {self.name} through the cluster",
        )

    async def _directly(self, asked: _Asked) -> bytes:
        client = await self._open()
        self._asking += 1
        try:
            return await self._sent(client, asked)
        finally:
            self._asking -= 1

    async def _sent(self, client: httpx.AsyncClient, asked: _Asked) -> bytes:
        import httpx

        target = f"{self.settings.url.rstrip('/')}{asked.path}"
        try:
            async with client.stream(
                asked.method,
                target,
                params=list(asked.query) or None,
                content=asked.body or None,
                headers={"Content-Type": asked.content_type} if asked.body else {},
                extensions={"trace": asked.departure.note} if asked.departure is not None else None,
            ) as answer:
                body = bytearray()
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > LARGEST:
                        raise self._problem("answered more than 64 MiB; ask for less")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            raise self._problem(why(error)) from None
        if answer.status_code >= 300:
            raise self._problem(_refused(answer.status_code, bytes(body), asked.path), answer.status_code)
        if body[:1] == b"<":
            raise self._problem("answered with a web page; check the URL, its path prefix and who is to be logged in")
        return bytes(body)

    async def _open(self) -> httpx.AsyncClient:
        """Return the connections: new ones once the credentials were refused, as soon as nobody uses the old."""
        async with self._opening:
            if self._outdated and not self._asking:
                await self.close()
            if self._client is None:
                self._client, self._outdated = await self._connected(), False
            return self._client

    async def _connected(self) -> httpx.AsyncClient:
        headers = await self._headers()
        import httpx

        settings = self.settings
        password = await settings.password.resolve() if settings.password is not None else Secret("")
        return httpx.AsyncClient(
            headers=headers,
            auth=httpx.BasicAuth(settings.username, password.reveal()) if settings.username else None,
            verify=await asyncio.to_thread(self._tls),
            proxy=settings.proxy or None,
            trust_env=not settings.proxy,
            follow_redirects=False,
            timeout=httpx.Timeout(float(settings.timeout), connect=min(5.0, float(settings.timeout))),
            limits=httpx.Limits(max_connections=8, max_keepalive_connections=4, keepalive_expiry=90.0),
        )

    async def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": "quarterdeck", "Accept": "application/json"}
        for name, value in self.settings.headers.items():
            referred = value.startswith(("env:", "file:", "cmd:"))
            headers[name] = (await SecretRef(value).resolve()).reveal() if referred else value
        if self.settings.bearer is not None:
            headers["Authorization"] = f"Bearer {(await self.settings.bearer.resolve()).reveal()}"
        return headers

    def _tls(self) -> ssl.SSLContext | bool:
        if not self.settings.url.startswith("https:"):
            return True
        from services.kubernetes import tls

        ca = self._file(self.settings.ca_file)
        certificate, key = self._file(self.settings.client_cert), self._file(self.settings.client_key)
        try:
            return tls.context(
                ca, verify=True, certificate=certificate, key=Secret(key.decode("ascii", "ignore")) if key else None
            )
        except Problem:
            raise self._problem(
                "cannot be asked: its ca_file, client_cert and client_key must be PEM and fit"
            ) from None

    def _file(self, path: str) -> bytes:
        if not path:
            return b""
        try:
            return Path(path).expanduser().read_bytes()
        except OSError as error:
            raise self._problem(f"cannot be asked: {path} cannot be read ({error.strerror})") from None


def proxied(service: str) -> str:
    """Return the path at an API server that leads to "namespace/service:port", or below a prefix of its paths."""
    namespace, _, rest = service.partition("/")
    name, slash, prefix = rest.partition("/")
    return f"/api/v1/namespaces/{namespace}/services/{name}/proxy{slash}{prefix}".rstrip("/")


def _query(pairs: Pairs) -> dict[str, list[str]]:
    """Return each name with all its values: `match[]` may come more than once."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _encoded(form: Pairs) -> bytes:
    from urllib.parse import urlencode

    return urlencode(form).encode()


_STATUS = {
    401: "does not accept the credentials; check bearer, username and password",
    403: "refuses this user; check the tenant header and the rights",
    404: "knows no such path; check the URL's path prefix",
    407: "is behind a proxy that wants to know who asks; check proxy",
    429: "asks to wait: too many requests",
}


def _refused(status: int, body: bytes, path: str) -> str:
    """Return the end of a sentence for an answer of status 300 and above."""
    said = ""
    try:
        refusal = msgspec.json.decode(body, type=_Refusal | str)
        said = refusal if isinstance(refusal, str) else refusal.error or refusal.message
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = "" if body.lstrip()[:1] == b"<" else body[:200].decode("utf-8", "replace").strip()
    words = f" ({safe_text(said, 300)})" if said else ""
    if status < 400:
        return f"sends elsewhere ({status}) for {path}; use the address it ends at"
    if status in _STATUS:
        return _STATUS[status] + words
    return f"{'failed' if status >= 500 else 'refused the request'} with {status}{words}"


def why(error: BaseException) -> str:
    """Return the end of a sentence for a request that got no answer: "refused the connection"."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        seen.append(cause)
        match cause:
            case ssl.SSLCertVerificationError():
                return f"shows a certificate that is not trusted ({cause.verify_message}); check ca_file"
            case socket.gaierror():
                return "has a name that could not be resolved; check the URL, DNS or the VPN"
            case ConnectionRefusedError():
                return "refused the connection; see that it runs"
            case ssl.SSLError() if cause.reason:
                return f"could not agree on TLS ({cause.reason}); check client_cert and ca_file"
        cause = cause.__cause__ or cause.__context__
    names = {type(one).__name__ for one in seen}
    if names & {"ProxyError", "SOCKSError"}:
        return "cannot be reached through the proxy; check proxy"
    if names & {"ConnectTimeout", "ConnectError"}:
        return "cannot be reached; check the URL, the network or the VPN"
    if names & {"ReadTimeout", "WriteTimeout", "PoolTimeout", "TimeoutError"}:
        return "did not answer in time"
    return "broke the connection off"
