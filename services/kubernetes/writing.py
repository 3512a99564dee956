"""Sends one change to an API server so that it can hit no other object and no other spec than the one it was meant for.

Sources: kubernetes apiserver pkg/endpoints/handlers/{patch,delete}.go and pkg/registry/core/pod/storage/eviction.go;
section 5 of the API conventions ("Concurrency control and consistency").
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import structs

from services.clock import Clock
from services.errors import Problem
from services.kubernetes.backoff import Backoff
from services.kubernetes.faults import WriteFault, WriteProblem, lost_race, write_problem
from services.kubernetes.transport import Response, Transport
from services.model.action import Write
from services.model.text import SafeText
from services.sanitize import safe_text

__all__ = ["FIELD_MANAGER", "WriteFault", "WriteProblem", "request_body", "send", "spec_digest"]

FIELD_MANAGER = "quarterdeck"
JSON_PATCH = "application/json-patch+json"
EVICTION = "/eviction"
DEADLINE = 40.0
"""Seconds for one answer: more than an API server gives its webhooks and its store together (34 s)."""

TRIES = 5
"""How often a request that lost a race is sent again."""

STATUS = "/status"
ABOUT = ("currentPodHash", "stableRS")
"""The fields of a Rollout's status that say which versions its orders are about."""

_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')
_UNMEANT = frozenset({"apiVersion", "kind", "metadata", "status"})
_NODE = frozenset({"podCIDR", "podCIDRs", "providerID"})
_MARKS = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
"""The taints that controllers put on a node and take off again (k8s.io/api/core/v1/well_known_taints.go)."""

Document = dict[str, Any]
Warn = Callable[[SafeText], None]


def spec_digest(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of what an object wants: all of it but its metadata and its status, keys sorted.

    What controllers write into a node's spec is no wish of anybody: a sick node must not escape its cordon by it.
    """
    meant = {name: value for name, value in document.items() if name not in _UNMEANT}
    if document.get("kind") == "Node":
        meant["spec"] = _asked_of_node(document.get("spec") or {})
    return hashlib.sha256(msgspec.json.encode(meant, order="sorted")).hexdigest()


def _asked_of_node(spec: Mapping[str, Any]) -> Document:
    asked = {name: value for name, value in spec.items() if name not in _NODE}
    taints = [one for one in spec.get("taints") or () if not str(one.get("key")).startswith(_MARKS)]
    return {**asked, "taints": taints}


def digest_for(path: str, body: bytes, document: Mapping[str, Any]) -> str:
    """Return what an object must still want when a body is sent to a path: SHA-256 (hex).

    That is its spec; where the status is written (a Rollout's orders), also the fields that are written, as they were,
    and which versions they are about.
    """
    if not path.endswith(STATUS):
        return spec_digest(document)
    status, written = document.get("status") or {}, _object(body).get("status") or {}
    ordered = {name: status[name] for name in {*written, *ABOUT} if status.get(name) not in (None, False, [])}
    return spec_digest({**document, "ordered": ordered})


def request_body(write: Write, *, dry_run: bool = False) -> bytes:
    """Return the body as it is sent: with the preconditions of `write` put in. Raises ValueError if it is no JSON.

    A JSON Patch begins with tests, other patches and evictions name uid and version where the server compares them.
    A DELETE is its DeleteOptions, whose fields the server reads instead of the query's as soon as there is a body: so
    `dry_run` is written there too.
    """
    if write.method == "DELETE":
        return _options(write, dry_run)
    if write.method == "PATCH":
        return _patch(write)
    if write.method == "POST" and write.path.endswith(EVICTION):
        eviction = _object(write.body)
        eviction["deleteOptions"] = _conditional(write, eviction.get("deleteOptions") or {})
        return msgspec.json.encode(eviction)
    return write.body


def _patch(write: Write) -> bytes:
    wanted = {"uid": write.uid, "resourceVersion": write.resource_version}
    wanted = {name: value for name, value in wanted.items() if value}
    if not wanted:
        return write.body
    if write.content_type == JSON_PATCH:
        tests = [{"op": "test", "path": f"/metadata/{name}", "value": value} for name, value in wanted.items()]
        return msgspec.json.encode([*tests, *msgspec.json.decode(write.body, type=list[Any])])
    patch = _object(write.body)
    patch["metadata"] = {**(patch.get("metadata") or {}), **wanted}
    return msgspec.json.encode(patch)


def _options(write: Write, dry_run: bool) -> bytes:
    options = {"apiVersion": "v1", "kind": "DeleteOptions", **_object(write.body)}
    if dry_run:
        options["dryRun"] = ["All"]
    return msgspec.json.encode(_conditional(write, options))


def _conditional(write: Write, options: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {"uid": write.uid, "resourceVersion": write.resource_version}
    wanted = {name: value for name, value in wanted.items() if value}
    return {**options, "preconditions": wanted} if wanted else dict(options)


def _object(body: bytes) -> dict[str, Any]:
    return msgspec.json.decode(body, type=dict[str, Any]) if body else {}


def parameters(write: Write, *, dry_run: bool = False) -> dict[str, str]:
    """Return the query: who writes, that unknown fields are refused, and that nothing is to be done where it is not."""
    query = dict(write.params)
    if write.method != "DELETE":
        query |= {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
    return query | {"dryRun": "All"} if dry_run else query


async def send(
    transport: Transport,
    write: Write,
    *,
    dry_run: bool = False,
    clock: Clock,
    warn: Warn | None = None,
    chance: Callable[[], float] = random.random,
) -> Document:
    """Send a change with its preconditions and return the server's answer, whole; raises WriteProblem.

    A request that surely did nothing because somebody wrote in between is sent again with the newer version, five
    times at most, while the object is the same and wants the same (`write.spec`). No other request is ever repeated.
    `warn` is given what the server says in its Warning headers.
    """
    backoff = Backoff(chance)
    current = write
    for left in range(TRIES, -1, -1):
        try:
            return await _once(transport, current, dry_run, warn)
        except WriteProblem as problem:
            if not left or not lost_race(problem.kind, current):
                raise
            current = await _caught_up(transport, current, problem)
        await clock.sleep(backoff.after_failure(0.0))
    raise AssertionError(write.what)  # the last turn returns or raises


async def _once(transport: Transport, write: Write, dry_run: bool, warn: Warn | None) -> Document:
    body = request_body(write, dry_run=dry_run)
    try:
        answer = await transport.request(
            write.method,
            write.path,
            params=parameters(write, dry_run=dry_run),
            body=body,
            content_type="application/json" if write.method == "DELETE" else write.content_type,
            deadline=DEADLINE,
            what=write.what,
        )
    except Problem as problem:
        raise write_problem(problem, write, dry_run=dry_run) from None
    if warn is not None:
        for said in _warnings(answer):
            warn(said)
    return _read(answer, write)


def _read(answer: Response, write: Write) -> Document:
    try:
        return msgspec.json.decode(answer.body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        why = "what answered is no Kubernetes API server, so nobody knows if it was done; look at the object."
        raise WriteProblem(safe_text(f"Could not {write.what}: {why}"), WriteFault.UNKNOWN) from None


def _warnings(answer: Response) -> list[SafeText]:
    found = _WARNING.findall(answer.headers.get("warning", ""))
    return [safe_text(re.sub(r"\\(.)", r"\1", one)) for one in found]


async def _caught_up(transport: Transport, write: Write, refused: WriteProblem) -> Write:
    """Return the write for the object as it is now, or raise why it must not be sent again."""
    try:
        answer = await transport.request("GET", write.path, what=f"read again before: {write.what}")
        found = msgspec.json.decode(answer.body, type=dict[str, Any])
    except (Problem, msgspec.DecodeError, UnicodeDecodeError) as error:
        if isinstance(error, Problem) and error.status == 404:
            raise _gone(write, "it was deleted meanwhile") from None
        raise refused from None
    metadata = found.get("metadata") or {}
    version = str(metadata.get("resourceVersion") or "")
    if write.uid and metadata.get("uid") != write.uid:
        raise _gone(write, "it was deleted meanwhile, and another one was made with its name")
    if refused.kind is WriteFault.INVALID and write.resource_version in {"", version}:
        raise refused
    if write.spec and digest_for(write.path, write.body, found) != write.spec:
        raise WriteProblem(
            safe_text(f"Could not {write.what}: somebody changed it since you looked; read it again, then decide."),
            WriteFault.CHANGED,
            refused.status,
        )
    if write.resource_version and not write.spec:
        raise refused
    return structs.replace(write, resource_version=version) if write.resource_version else write


def _gone(write: Write, why: str) -> WriteProblem:
    return WriteProblem(safe_text(f"Could not {write.what}: {why}; nothing was changed."), WriteFault.GONE, 404)
