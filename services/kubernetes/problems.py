"""Says what went wrong between this console and an API server, in a sentence; the server's own words sanitised."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from services.errors import Problem
from services.redact import redact
from services.sanitize import safe_text


class _Details(Struct, rename="camel"):
    retry_after_seconds: int = 0
    causes: list[dict[str, Any]] | None = None


class _Status(Struct, rename="camel"):
    message: str = ""
    reason: str = ""
    code: int = 0
    details: _Details | None = None


class ApiProblem(Problem):
    """The server answered, and refused. `reason` and `words` are as the server sent them (raw), `retry_after` seconds.

    `causes` are the entries of `details.causes`, raw.
    """

    reason: str = ""
    words: str = ""
    retry_after: float = 0.0
    causes: tuple[Mapping[str, Any], ...] = ()


class Unreached(Problem):
    """No answer came: name lookup, connection, TLS, proxy or deadline.

    `sent` says if the request may have reached the server all the same.
    """

    sent: bool = True


def host_of(url: str) -> str:
    """Return host and port of a URL, without any user or password."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    return f"{host}:{parts.port}" if parts.port else host


def refused(status: int, headers: Mapping[str, str], body: bytes, what: str) -> ApiProblem:
    """Return the problem that an answer of status 400 and above stands for. `what` names the request: "list pods"."""
    answer = _Status()
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        answer = msgspec.json.decode(body, type=_Status)
    words = redact(answer.message or body[:300].decode("utf-8", "replace").strip())
    details = answer.details or _Details()
    retry_after = _retry_after(headers) or float(details.retry_after_seconds)
    why = STRANGER if status < 500 and foreign_answer(body) else _explain(status, words, retry_after)
    problem = ApiProblem(safe_text(f"Could not {what}: {why}"), status)
    problem.reason = answer.reason
    problem.words = words
    problem.retry_after = retry_after
    problem.causes = tuple(details.causes or ())
    return problem


STRANGER = "what answers there is no Kubernetes API server; check the server's address in the kubeconfig."


def foreign_answer(body: bytes) -> bool:
    """Tell whether a body is a page for a browser: a proxy's, a portal's, or that of another kind of server."""
    return body[:64].lstrip()[:1] == b"<"


_WORDS = {
    401: "the server does not accept these credentials{said}; log in again.",
    403: "forbidden{said}; ask for a role that allows it.",
    404: "not found{said}.",
    410: "the server no longer has that version{said}.",
    429: "the server asks to wait{wait}{said}.",
}


def _explain(status: int, words: str, retry_after: float) -> str:
    said = f" ({safe_text(words, 300)})" if words else ""
    wait = f" for {retry_after:.0f} s" if retry_after else ""
    other = "the server failed with {status}{said}." if status >= 500 else "the server answered {status}{said}."
    return _WORDS.get(status, other).format(status=status, said=said, wait=wait)


def _retry_after(headers: Mapping[str, str]) -> float:
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(min(int(value), 3600))
    if not value.endswith("GMT") or len(value) >= 40:
        return 0.0
    from email.utils import parsedate_to_datetime

    return max(0.0, min(parsedate_to_datetime(value).timestamp() - time.time(), 3600.0))


def unreached(error: BaseException, server: str, what: str, proxy: str = "") -> Unreached:
    """Return the problem behind a request that got no answer. `proxy` is the proxy's URL, "" for none."""
    through = f" through the proxy {host_of(proxy)}" if proxy else ""
    where = f"{host_of(server)}{through}"
    return Unreached(safe_text(f"Could not {what}: {_why(error, where)}"))


_BY_NAME = (
    ({"ProxyError", "SOCKSError"}, "the proxy did not connect to {where}."),
    ({"ConnectTimeout"}, "{where} did not accept a connection in time; check the network or the VPN."),
    ({"TimeoutError", "ReadTimeout", "WriteTimeout", "PoolTimeout"}, "{where} did not answer in time."),
    ({"ConnectError"}, "{where} cannot be reached; check the network or the VPN."),
)


def _why(error: BaseException, where: str) -> str:
    for cause in _chain(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return f"the certificate of {where} is not trusted ({cause.verify_message}); check the kubeconfig's CA."
            case socket.gaierror():
                return f"the name of {where} could not be resolved; check DNS or the VPN."
            case ConnectionRefusedError():
                return f"{where} refused the connection; is the API server running?"
            case ssl.SSLWantReadError() | ssl.SSLWantWriteError() | ssl.SSLEOFError():
                continue  # the handshake was waiting, or cut off: what ended it is further on
            case ssl.SSLError():
                return f"TLS with {where} failed ({cause.reason or 'handshake'}); is that the API server's port?"
            case _:
                continue
    names = {type(cause).__name__ for cause in _chain(error)}
    for known, sentence in _BY_NAME:
        if names & known:
            return sentence.format(where=where)
    return f"the connection to {where} was lost."


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        cause = waiting.pop(0)
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__]
        if isinstance(cause, BaseExceptionGroup):
            waiting += list(cause.exceptions)
