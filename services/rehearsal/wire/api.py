"""The Kubernetes API over the store: from a request to its answer."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import sleep_until
from services.rehearsal.jsonic import Json, encode
from services.rehearsal.wire import errors
from services.rehearsal.wire.access import Access, Account, Attributes
from services.rehearsal.wire.discovery import versions
from services.rehearsal.wire.encoding import Encoder, event_as_v1
from services.rehearsal.wire.http1 import Reply, Request, Stream
from services.rehearsal.wire.listing import Pager
from services.rehearsal.wire.negotiation import negotiate
from services.rehearsal.wire.options import ListOptions, read_include, read_options
from services.rehearsal.wire.paths import Target, parse
from services.rehearsal.wire.scaling import scale_of
from services.rehearsal.wire.watching import Watch, gone, only

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.rehearsal.clock import Clock
    from services.rehearsal.faults import Faults
    from services.rehearsal.resources import Resource
    from services.rehearsal.store import Collection, Entry, Store
    from services.rehearsal.wire.discovery import Catalogue
    from services.rehearsal.wire.mutations import Mutations
    from services.rehearsal.wire.serviceproxy import ServiceProxy

_JSON_TYPE = "application/json"
_HEALTH = {"/healthz", "/livez", "/readyz"}
_VERSION: Json = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.3",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitCommit": "0f0b3c1d7a6e5f4b8c9d0e1f2a3b4c5d6e7f8091",
    "gitTreeState": "clean",
    "buildDate": "2026-09-09T12:00:00Z",
    "goVersion": "go1.26.2",
    "compiler": "gc",
    "platform": "linux/amd64",
}


Extension = Callable[[Request, Account, Target], Reply | Stream | None]


@dataclass(slots=True)
class Api:
    """Answers requests. `extensions` are asked first: each returns None for what is not its own."""

    store: Store
    catalogue: Catalogue
    access: Access
    faults: Faults
    clock: Clock
    pager: Pager
    mutations: Mutations
    extensions: list[Extension]
    address: str = ""
    services: ServiceProxy | None = None

    async def handle(self, request: Request) -> Reply | Stream:
        """Answer one request; refusals become Status objects."""
        if self.faults.slow:
            await sleep_until(self.clock, self.clock.now() + self.faults.slow)
        try:
            if self.services is not None and self.services.takes(request):
                account = self.access.identify(request.headers.get("authorization", ""))
                answer: Reply | Stream = await self.services.handle(request, account)
            else:
                answer = self._answer(request)
        except errors.ApiError as error:
            answer = _refusal(error)
        answer.headers.setdefault("Cache-Control", "no-cache, private")
        answer.headers["Audit-Id"] = str(uuid.uuid4())
        return answer

    def _answer(self, request: Request) -> Reply | Stream:
        account = self.access.identify(request.headers.get("authorization", ""))
        target = parse(request.path)
        if target is None:
            return self._pathwise(request, account)
        for extension in self.extensions:
            answer = extension(request, account, target)
            if answer is not None:
                return answer
        return self._resource(request, account, target)

    def _pathwise(self, request: Request, account: Account) -> Reply:
        path = request.path.rstrip("/") or "/"
        if request.method not in {"GET", "HEAD"}:
            raise errors.method_not_allowed()
        open_to_all = path.split("/")[1] in {"healthz", "livez", "readyz", "version"}
        if not open_to_all:
            self.access.demand(account, Attributes("get", path=path))
        if path in _HEALTH:
            return Reply(200, b"ok", {"Content-Type": "text/plain; charset=utf-8"})
        if path == "/version":
            return json_reply(_VERSION)
        if path == "/openapi/v3":
            return json_reply({"paths": {}})
        return self._discover(request, path)

    def _discover(self, request: Request, path: str) -> Reply:
        accepted = negotiate(request.headers.get("accept", ""))
        steps = path.strip("/").split("/")
        if path in {"/api", "/apis"}:
            core = path == "/api"
            if accepted.shape == "discovery":
                body = self.catalogue.aggregated(core=core, version=accepted.version)
                return json_reply(body, content_type=accepted.content_type)
            return json_reply(versions(self.address) if core else self.catalogue.group_list())
        if steps[0] == "apis" and len(steps) == 2:
            group = self.catalogue.group(steps[1])
            if group is not None:
                return json_reply(group)
        if steps[0] == "api" and len(steps) == 2 and self.catalogue.has_version("", steps[1]):
            return json_reply(self.catalogue.resource_list("", steps[1]))
        if steps[0] == "apis" and len(steps) == 3 and self.catalogue.has_version(steps[1], steps[2]):
            return json_reply(self.catalogue.resource_list(steps[1], steps[2]))
        known = steps[0] in {"api", "apis"} and (len(steps) < 2 or steps[0] == "api" or self.catalogue.group(steps[1]))
        raise errors.no_such_path() if known else errors.no_such_page()

    def _resource(self, request: Request, account: Account, target: Target) -> Reply | Stream:
        resource = self.catalogue.find(target.group, target.version, target.plural)
        if target.group and self.catalogue.group(target.group) is None:
            raise errors.no_such_page()
        if resource is None or (target.namespace and not resource.namespaced):
            raise errors.no_such_path()
        if request.method != "GET":
            return self._write(request, account, resource, target)
        if target.name:
            self.access.demand(account, target.attributes("get"))
            return self._get(request, resource, target)
        options = read_options(request, resource, target.namespace)
        verb = "watch" if options.watch else "list"
        self.access.demand(account, target.attributes(verb))
        encoder = self._encoder(request, resource, options)
        collection = self._stored(resource)
        if options.watch:
            return self._watch(collection, options, encoder)
        page = self.pager.page(collection, options)
        foreign = self.faults.foreign.get(resource.key, ())
        return raw_reply(encoder.many(page.entries, page.metadata, foreign))

    def _write(self, request: Request, account: Account, resource: Resource, target: Target) -> Reply:
        answer = self.mutations.handle(request, account, resource, target)
        if answer is not None:
            return answer
        collection = self._stored(resource)
        options = read_options(request, resource, target.namespace)
        page = self.pager.page(collection, options)
        listed = raw_reply(self._encoder(request, resource, options).many(page.entries, page.metadata))
        self.mutations.clear(request, resource, [entry.key for entry in page.entries])
        return listed

    def _get(self, request: Request, resource: Resource, target: Target) -> Reply:
        if target.subresource not in {"", "status"}:
            if target.subresource == "scale" and dict(resource.subresources).get("scale"):
                return json_reply(scale_of(self._entry(resource, target).read()))
            if target.subresource == "eviction" and resource is resources.PODS:
                raise errors.method_not_allowed()
            raise errors.no_such_path()
        options = ListOptions(
            read_options(request, resource, target.namespace).selection, include=read_include(request)
        )
        return raw_reply(self._encoder(request, resource, options).one(self._entry(resource, target)))

    def _entry(self, resource: Resource, target: Target) -> Entry:
        namespace = target.namespace if resource.namespaced else ""
        entry = self._stored(resource).entries.get((namespace, target.name))
        if entry is None:
            raise errors.not_found(resource, target.name)
        return entry

    def _stored(self, resource: Resource) -> Collection:
        return self.store.collection(resources.EVENTS if resource is resources.EVENTS_V1 else resource)

    def _encoder(self, request: Request, resource: Resource, options: ListOptions) -> Encoder:
        accepted = negotiate(request.headers.get("accept", ""))
        convert = event_as_v1 if resource is resources.EVENTS_V1 else None
        return Encoder(resource, accepted, options.include, self.clock.now, convert)

    def _watch(self, collection: Collection, options: ListOptions, encoder: Encoder) -> Reply | Stream:
        if options.initial_events and self.faults.refuse_initial_events:
            reason = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
            message = f'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: {reason}'
            raise errors.invalid("ListOptions", message, [])
        headers = {"Content-Type": _JSON_TYPE}
        try:
            watch = Watch(self.store, collection, options, encoder, self.clock)
        except errors.ApiError as error:
            if error.reason != "Expired" or self.faults.gone_as_status:
                raise
            return Stream(only(gone(error.message)), headers)
        return Stream(self._tracked(watch), headers)

    async def _tracked(self, watch: Watch) -> AsyncIterator[bytes]:
        self.faults.watches.add(watch)
        try:
            async for chunk in watch.chunks():
                yield chunk
        finally:
            self.faults.watches.discard(watch)


def _refusal(error: errors.ApiError) -> Reply:
    if error.plain:
        return Reply(error.code, error.message.encode(), {"Content-Type": "text/plain; charset=utf-8"})
    answer = json_reply(error.status(), error.code)
    if error.retry_after:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def json_reply(body: Json, status: int = 200, content_type: str = _JSON_TYPE) -> Reply:
    """Return a JSON answer."""
    return Reply(status, encode(body), {"Content-Type": content_type})


def raw_reply(body: bytes) -> Reply:
    """Return an answer whose JSON is written already."""
    return Reply(200, body, {"Content-Type": _JSON_TYPE})
