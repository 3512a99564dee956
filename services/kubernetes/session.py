"""Answers what a screen asks about one pinned cluster: one object, its history, its events, its logs, its rights."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from services.clock import Clock
from services.errors import Problem
from services.kubernetes.decode import FAILURES, Undecodable, decode_list
from services.kubernetes.decode_tables import decode_table
from services.kubernetes.describe import describe
from services.kubernetes.discovery import Discovery
from services.kubernetes.history import HELD_BY_REPLICASETS, revisions
from services.kubernetes.logs import LogStreams
from services.kubernetes.transport import TABLE, Transport
from services.kubernetes.yamltext import masked, to_yaml
from services.model.cluster import ApiResource, KubeEvent, TableInfo, TableRow
from services.model.ref import CONTROLLERREVISIONS, EVENTS, PODS, REPLICASETS, WORKLOAD_KINDS, Ref, Resource
from services.model.workload import Revision
from services.ports import AccessAnswer, LogLine, LogOptions
from services.sanitize import safe_text

if TYPE_CHECKING:
    from services.kubernetes.source import KubernetesSource

_Made = TypeVar("_Made")

RIGHTS_KEPT = 60.0
ASKED_ONE_BY_ONE = 6
MOST_EVENTS = 5000
CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class KubernetesSession:
    """Implements `services.ports.ClusterSession` over a source's transport; lives as long as the source."""

    def __init__(self, source: KubernetesSource, clock: Clock) -> None:
        self._source = source
        self._transport: Transport = source.transport
        self._clock = clock
        self._discovery = Discovery(self._transport, clock)
        self._rights: dict[tuple[str, ...], tuple[float, AccessAnswer]] = {}

    async def resources(self) -> Sequence[ApiResource]:
        """Every kind the server knows, kept for five minutes."""
        return await self._discovery.resources()

    async def get_raw(self, resource: Resource, namespace: str, name: str) -> bytes:
        """One object, whole and unmasked, as JSON bytes: for a diff or a change, never for a screen."""
        what = f"read {resource.kind} {name}"
        answer = await self._transport.request("GET", resource.path(namespace, name), what=what)
        return answer.body

    async def yaml(self, resource: Resource, namespace: str, name: str) -> str:
        """The object as YAML, managedFields hidden, secret values masked."""
        return await self._off_loop(to_yaml, await self._document(resource, namespace, name))

    async def describe(self, ref: Ref, resource: Resource) -> Sequence[str]:
        """Lines that describe the object as `kubectl describe` would; its events last, where they may be read."""
        document = await self._document(resource, ref.namespace, ref.name)
        with _reading(f"{resource.kind} {ref.name}"):
            uid = str((document.get("metadata") or {}).get("uid", ""))
        events: Sequence[KubeEvent] = ()
        said = ""
        try:
            events = await self.events([Ref(ref.cluster, ref.group, ref.kind, ref.namespace, ref.name, uid)])
        except Problem as problem:
            said = problem.sentence
        return await self._off_loop(lambda whole: describe(masked(whole), events, self._clock.now(), said), document)

    async def history(self, ref: Ref) -> Sequence[Revision]:
        """A workload's revisions, newest first; a kind without revisions is a Problem."""
        resource = next((kind for kind in WORKLOAD_KINDS if (kind.group, kind.kind) == (ref.group, ref.kind)), None)
        if resource is None:
            raise Problem(safe_text(f"A {ref.kind} keeps no revisions."))
        raw = await self.get_raw(resource, ref.namespace, ref.name)
        holders = REPLICASETS if ref.kind in HELD_BY_REPLICASETS else CONTROLLERREVISIONS
        with _reading(f"the history of {ref.name}"):
            selector = _selector(msgspec.json.decode(raw))
        params = {"labelSelector": selector} if selector else {}
        held = await self._transport.bulk(holders.path(ref.namespace), params, what=f"list {holders.plural}")
        with _reading(f"the history of {ref.name}"):
            return revisions(raw, held, ref.kind)

    async def events(self, refs: Sequence[Ref]) -> Sequence[KubeEvent]:
        """Events about these objects, newest first."""
        if len(refs) <= ASKED_ONE_BY_ONE:
            found = await asyncio.gather(*(self._events(ref.namespace, _about(ref)) for ref in refs))
        else:
            namespaces = sorted({ref.namespace for ref in refs})
            found = await asyncio.gather(*(self._events(namespace, "") for namespace in namespaces))
        wanted = {(ref.kind, ref.namespace, ref.name): ref.uid for ref in refs}
        unique: dict[str, KubeEvent] = {}
        for event in (event for events in found for event in events):
            about = event.about
            uid = wanted.get((about.kind, about.namespace, about.name))
            if uid is None and not about.namespace:
                uid = wanted.get((about.kind, "", about.name))
            if uid is not None and _same(uid, about):
                unique[event.ref.key] = event
        return sorted(unique.values(), key=lambda event: event.at, reverse=True)

    async def logs(
        self, namespace: str, pods: Mapping[str, Sequence[str]], options: LogOptions
    ) -> AsyncIterator[list[LogLine]]:
        """Batches of log lines of these pods (name -> containers, none: all of them), merged as they come."""
        chosen = dict(
            zip(pods, await asyncio.gather(*(self._chosen(namespace, *each) for each in pods.items())), strict=True)
        )
        refused = {pod: problem for pod, problem in chosen.items() if isinstance(problem, Problem)}
        if refused and len(refused) == len(pods):
            raise next(iter(refused.values()))
        if refused:
            now = self._clock.now()
            yield [LogLine(pod, "", now, f"[{problem.sentence}]") for pod, problem in refused.items()]
        readable = {pod: names for pod, names in chosen.items() if not isinstance(names, Problem)}
        streams = LogStreams(self._transport, self._clock, namespace, readable, options)
        async with contextlib.aclosing(streams.batches()) as batches:
            async for lines in batches:
                yield lines

    async def table(self, resource: Resource, namespace: str) -> tuple[TableInfo, Mapping[str, TableRow]]:
        """A kind through the Table API, once; every page of it."""
        info = TableInfo(resource, ())
        rows: dict[str, TableRow] = {}
        what = f"list {resource.plural}"
        params = {"includeObject": "Metadata"}
        pages = self._transport.pages(resource.path(namespace), params, accept=TABLE, what=what)
        async with contextlib.aclosing(pages) as bodies:
            async for body in bodies:
                with _reading(f"the list of {resource.plural}"):
                    page = decode_table(resource, body, self._cluster)
                info = info if info.columns else page.info
                rows.update(page.rows)
        return info, rows

    async def can(self, verb: str, resource: Resource, namespace: str = "", subresource: str = "") -> AccessAnswer:
        """Whether this user may, as the server says; kept for 60 s."""
        asked = (verb, resource.group, resource.plural, namespace, subresource)
        kept = self._rights.get(asked)
        if kept is not None and self._clock.monotonic() - kept[0] < RIGHTS_KEPT:
            return kept[1]
        attributes = {"verb": verb, "group": resource.group, "version": resource.version, "resource": resource.plural}
        attributes |= {"namespace": namespace} if namespace else {}
        attributes |= {"subresource": subresource} if subresource else {}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = await self._transport.request(
            "POST", REVIEWS, body=msgspec.json.encode(review), what=f"ask for the right to {verb} {resource.plural}"
        )
        with _reading("the server's answer about rights"):
            status = msgspec.json.decode(answer.body, type=_Review).status
        said = AccessAnswer(status.allowed and not status.denied, status.reason or status.evaluation_error)
        self._rights[asked] = (self._clock.monotonic(), said)
        return said

    @property
    def _cluster(self) -> str:
        return self._source.cluster or self._source.identity.cluster_key

    async def _document(self, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
        raw = await self.get_raw(resource, namespace, name)
        with _reading(f"{resource.kind} {name}"):
            document: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
            return document

    async def _events(self, namespace: str, about: str) -> list[KubeEvent]:
        params = {"fieldSelector": about} if about else {}
        found: list[KubeEvent] = []
        pages = self._transport.pages(EVENTS.path(namespace), params, what="list events")
        async with contextlib.aclosing(pages) as bodies:
            async for body in bodies:
                with _reading("the list of events"):
                    found += decode_list(EVENTS.table, body, self._cluster).rows.values()
                if len(found) >= MOST_EVENTS:
                    break
        return found

    async def _chosen(self, namespace: str, pod: str, names: Sequence[str]) -> Sequence[str] | Problem:
        """Return the containers to read: those asked for, else all the pod has; or why that cannot be known."""
        if names:
            return names
        try:
            document = await self._document(PODS, namespace, pod)
            with _reading(f"the containers of {pod}"):
                found = [each for key in CONTAINERS for each in document["spec"].get(key) or ()]
                return [str(each["name"]) for each in found]
        except Problem as problem:
            return problem

    async def _off_loop(self, make: Callable[[dict[str, Any]], _Made], document: dict[str, Any]) -> _Made:
        with _reading("the object"):
            return await asyncio.to_thread(make, document)


class _ReviewStatus(msgspec.Struct, rename="camel"):
    allowed: bool = False
    denied: bool = False
    reason: str = ""
    evaluation_error: str = ""


class _Review(msgspec.Struct):
    status: _ReviewStatus


@contextlib.contextmanager
def _reading(what: str) -> Iterator[None]:
    try:
        yield
    except Undecodable as error:
        raise Problem(safe_text(f"Could not read {what}: {error.reason}")) from None
    except (*FAILURES, KeyError, AttributeError) as error:
        raise Problem(safe_text(f"Could not read {what}: the server sent something unexpected ({error}).")) from None


def _selector(document: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return the label selector of a workload in the API's string form."""
    selector = (document.get("spec") or {}).get("selector") or {}
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or ():
        key, operator, values = each.get("key"), each.get("operator"), ",".join(each.get("values") or ())
        words = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": f"{key}",
            "DoesNotExist": f"!{key}",
        }
        parts.append(words[operator])
    return ",".join(parts)


def _about(ref: Ref) -> str:
    parts = [f"involvedObject.kind={ref.kind}", f"involvedObject.name={ref.name}"]
    if ref.namespace:
        parts.append(f"involvedObject.namespace={ref.namespace}")
    return ",".join(parts)


def _same(uid: str, about: Ref) -> bool:
    """Say whether an event's object is the one meant; kubelets put a node's name where its uid belongs."""
    return not uid or not about.uid or about.uid in {uid, about.name}
