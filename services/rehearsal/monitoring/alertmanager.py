"""The Alertmanagers' API, version 2: two peers that share silences, each with the alerts that it was sent itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import DecodeError

from services.rehearsal.clock import parse_stamp
from services.rehearsal.jsonic import Json, decode, encode
from services.rehearsal.monitoring import routing
from services.rehearsal.monitoring.promql.tree import QueryError, anchored
from services.rehearsal.monitoring.silences import RefusedError, Silences, read_filter
from services.rehearsal.monitoring.values import milli_text
from services.rehearsal.wire.http1 import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Sequence

SETTLING = 10.0
"""Seconds from its start until a peer's cluster status is ready."""
RESEND = 60.0
_LIVES = 240.0
_RESOLVE = 300.0
VERSION = "0.28.1"


@dataclass(slots=True)
class Sent:
    """One alert as it was sent; moments in seconds."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: float
    ends_at: float
    updated_at: float
    generator: str = ""
    fingerprint: str = ""
    silenced_by: list[str] = field(default_factory=list)
    inhibited_by: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Work the fingerprint out."""
        self.fingerprint = self.fingerprint or fingerprint(self.labels)

    def describe(self) -> Json:
        """Return the alert as the API shows it."""
        suppressed = bool(self.silenced_by or self.inhibited_by)
        return {
            "annotations": self.annotations,
            "endsAt": milli_text(self.ends_at),
            "fingerprint": self.fingerprint,
            "receivers": [{"name": routing.receiver_of(self.labels)}],
            "startsAt": milli_text(self.starts_at),
            "status": {
                "inhibitedBy": self.inhibited_by,
                "mutedBy": [],
                "silencedBy": self.silenced_by,
                "state": "suppressed" if suppressed else "active",
            },
            "updatedAt": milli_text(self.updated_at),
            "generatorURL": self.generator,
            "labels": self.labels,
        }


class Peer:
    """One Alertmanager. `sent` returns what Prometheus sends it, newest state first asked for."""

    def __init__(
        self, number: int, name: str, silences: Silences, now: Callable[[], float], sent: Callable[[], list[Sent]]
    ) -> None:
        self.number = number
        self.name = name
        self._silences = silences
        self._now = now
        self._sent = sent
        self._posted: dict[str, Sent] = {}
        self.started = now()
        self.settled_before = False
        self.cluster: Callable[[], list[Json]] = list
        """Returns name and address of each peer that it sees."""

    def begin(self, started: float) -> None:
        """Start anew: alerts are forgotten, silences stay."""
        self.started = started
        self._posted.clear()

    async def handle(self, request: Request) -> Reply:
        """Answer one request."""
        path = request.path.rstrip("/")
        if path in {"/-/ready", "/-/healthy"}:
            return Reply(200, b"OK", {"Content-Type": "text/plain; charset=utf-8"})
        if path == "/-/reload" and request.method == "POST":
            return Reply(200)
        try:
            return self._answer(request, path)
        except RefusedError as error:
            if error.code == 404 and not error.message:
                return Reply(404)
            refusal: Any = {"code": 601, "message": error.message} if error.code == 422 else error.message
            return _json(refusal, error.code)

    def _answer(self, request: Request, path: str) -> Reply:
        kind = "read" if request.method in {"GET", "HEAD"} else request.method
        if kind == "POST" and request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
            message = 'unsupported media type "", only [application/json] are allowed'
            return _json({"code": 415, "message": message}, 415)
        answers: dict[tuple[str, str], Callable[[Request], Reply]] = {
            ("read", "/api/v2/status"): self._status,
            ("read", "/api/v2/receivers"): lambda _: _json([{"name": name} for name in routing.RECEIVERS]),
            ("read", "/api/v2/alerts"): lambda one: _json([sent.describe() for sent in self._filtered(one)]),
            ("POST", "/api/v2/alerts"): self._take,
            ("read", "/api/v2/alerts/groups"): self._groups,
            ("read", "/api/v2/silences"): self._list_silences,
            ("POST", "/api/v2/silences"): self._put_silence,
        }
        answer = answers.get((kind, path))
        if answer is not None:
            return answer(request)
        if path.startswith("/api/v2/silence/"):
            return self._silence(request, path.rsplit("/", 1)[1])
        if any(known == path for _, known in answers):
            return _json({"code": 405, "message": f"method {request.method} is not allowed"}, 405)
        return _json({"code": 404, "message": f"path {path} was not found"}, 404)

    def _status(self, _: Request) -> Reply:
        ready = self.settled_before or self._now() - self.started >= SETTLING
        self.settled_before = False if self._now() < self.started else self.settled_before
        return _json(
            {
                "cluster": {"name": self.name, "status": "ready" if ready else "settling", "peers": self.cluster()},
                "config": {"original": routing.original()},
                "uptime": milli_text(self.started),
                "versionInfo": {
                    "branch": "HEAD",
                    "buildDate": "20250307-15:05:18",
                    "buildUser": "root@rehearsal",
                    "goVersion": "go1.23.7",
                    "revision": "b2099eaa2c9ebc25edb26517cb9c732738e93910",
                    "version": VERSION,
                },
            }
        )

    def alerts(self) -> list[Sent]:
        """Return the alerts that it holds, by fingerprint, with what hides each."""
        now = self._now()
        held = {one.fingerprint: one for one in self._posted.values() if one.ends_at > now}
        held.update({one.fingerprint: one for one in self._sent() if one.updated_at >= self.started})
        found = [held[key] for key in sorted(held)]
        active = [one for one in self._silences.seen_by(self.number, now) if one.state(now) == "active"]
        sources = [_sources(rule, found) for rule in routing.INHIBITIONS]
        for one in found:
            one.silenced_by = [silence.id for silence in active if silence.matches(one.labels)]
            one.inhibited_by = _inhibitors(one, sources)
        return found

    def _filtered(self, request: Request) -> list[Sent]:
        matchers = [read_filter(text) for text in request.query.get("filter", [])]
        wanted = {name: request.first(name, "true").lower() != "false" for name in ("active", "silenced", "inhibited")}
        try:
            receiver = anchored(request.first("receiver") or ".*")
        except QueryError as error:
            raise RefusedError(400, f"failed to parse receiver param: {error.message}") from None
        found = []
        for one in self.alerts():
            if not routing.matches(tuple(matchers), one.labels) or not receiver.fullmatch(
                routing.receiver_of(one.labels)
            ):
                continue
            hidden = bool(one.silenced_by or one.inhibited_by)
            if not wanted["active"] and not hidden:
                continue
            if (not wanted["silenced"] and one.silenced_by) or (not wanted["inhibited"] and one.inhibited_by):
                continue
            found.append(one)
        return found

    def _groups(self, request: Request) -> Reply:
        groups: dict[tuple[str, tuple[tuple[str, str], ...]], list[Sent]] = {}
        for one in self._filtered(request):
            key = tuple((name, one.labels[name]) for name in routing.GROUP_BY if name in one.labels)
            groups.setdefault((routing.receiver_of(one.labels), key), []).append(one)
        return _json(
            [
                {"labels": dict(key), "receiver": {"name": receiver}, "alerts": [one.describe() for one in members]}
                for (receiver, key), members in sorted(groups.items(), key=lambda group: group[0])
            ]
        )

    def _take(self, request: Request) -> Reply:
        now = self._now()
        body = _body(request)
        if not isinstance(body, list):
            raise RefusedError(400, "parsing alerts body failed: expected an array")
        for one in body:
            labels = {str(name): str(value) for name, value in (one.get("labels") or {}).items() if value}
            if not labels:
                raise RefusedError(400, "at least one label pair required")
            starts, ends = _moment(one, "startsAt") or now, _moment(one, "endsAt") or now + _RESOLVE
            sent = Sent(labels, one.get("annotations") or {}, starts, ends, now, one.get("generatorURL", ""))
            self._posted[sent.fingerprint] = sent
        return Reply(200)

    def _list_silences(self, request: Request) -> Reply:
        now = self._now()
        matchers = [read_filter(text) for text in request.query.get("filter", [])]
        found = [
            one.describe(now)
            for one in self._silences.seen_by(self.number, now)
            if all(
                any(own.name == wanted.name and wanted.matches(own.value) for own in one.matchers)
                for wanted in matchers
            )
        ]
        return _json(found)

    def _put_silence(self, request: Request) -> Reply:
        body = _body(request)
        if not isinstance(body, dict):
            raise RefusedError(400, "parsing silence body failed: expected an object")
        return _json({"silenceID": self._silences.put(body, self.number, self._now())})

    def _silence(self, request: Request, identity: str) -> Reply:
        if request.method == "DELETE":
            self._silences.expire(identity, self.number, self._now())
            return Reply(200)
        if request.method not in {"GET", "HEAD"}:
            return _json({"code": 405, "message": f"method {request.method} is not allowed"}, 405)
        return _json(self._silences.get(identity, self.number, self._now()).describe(self._now()))


def _sources(rule: routing.Inhibition, alerts: Sequence[Sent]) -> dict[tuple[str, ...], str]:
    """Return the fingerprints of a rule's sources by their equal labels."""
    return {
        tuple(one.labels.get(name, "") for name in rule.equal): one.fingerprint
        for one in reversed(alerts)
        if routing.matches(rule.source, one.labels)
    }


def _inhibitors(one: Sent, sources: list[dict[tuple[str, ...], str]]) -> list[str]:
    found = []
    for rule, known in zip(routing.INHIBITIONS, sources, strict=True):
        if routing.matches(rule.target, one.labels):
            source = known.get(tuple(one.labels.get(name, "") for name in rule.equal))
            if source is not None and source != one.fingerprint:
                found.append(source)
    return found


def fingerprint(labels: dict[str, str]) -> str:
    """Return FNV-1a 64 over the sorted labels, each name and value followed by 0xff (model/fingerprint.go)."""
    value = 0xCBF29CE484222325
    for name in sorted(labels):
        for byte in b"%b\xff%b\xff" % (name.encode(), labels[name].encode()):
            value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def lives_until(updated: float) -> float:
    """Return the end that Prometheus gives a firing alert: four resends ahead."""
    return updated + _LIVES


def resent(fired_at: float, until: float) -> float:
    """Return when an alert that fired at one moment was last sent before another."""
    return fired_at + math.floor(max(0.0, until - fired_at) / RESEND) * RESEND


def _moment(given: Json, name: str) -> float:
    """Return a time in seconds, 0 for one that is not given or that Go calls zero."""
    try:
        return max(0.0, parse_stamp(given[name])) if given.get(name) else 0.0
    except ValueError:
        raise RefusedError(400, f"{name} in body must be of type date-time") from None


def _body(request: Request) -> Any:  # noqa: ANN401 (JSON of any shape)
    try:
        return decode(request.body)
    except DecodeError as error:
        raise RefusedError(400, f'parsing body body from "" failed, because {error}') from None


def _json(body: Any, status: int = 200) -> Reply:  # noqa: ANN401 (JSON of any shape)
    return Reply(status, encode(body), {"Content-Type": "application/json"})
