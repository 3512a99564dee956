"""Every request that changes something, led to what answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.wire import errors
from services.rehearsal.wire.deleting import Deleter, read_delete_options
from services.rehearsal.wire.evicting import Evictor
from services.rehearsal.wire.scaling import write_scale
from services.rehearsal.wire.writing import Writer

if TYPE_CHECKING:
    from services.rehearsal.resources import Resource
    from services.rehearsal.simulation.engine import Engine
    from services.rehearsal.wire.access import Access, Account
    from services.rehearsal.wire.http1 import Reply, Request
    from services.rehearsal.wire.paths import Target

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Mutations:
    """The write side of the API."""

    def __init__(self, engine: Engine, access: Access) -> None:
        self._engine = engine
        self._access = access
        self.writer = Writer(engine)
        self.deleter = Deleter(engine)
        self._evictor = Evictor(engine, self.deleter)

    def handle(self, request: Request, account: Account, resource: Resource, target: Target) -> Reply | None:
        """Answer a write; None for DELETE on a collection, which the list is answered to after `clear`.

        Raises ApiError 403 before it looks at anything, 405 for a method that the resource does not have.
        """
        verb = _VERBS.get(request.method, "")
        if verb == "delete" and not target.name:
            verb = "deletecollection"
        self._access.demand(account, target.attributes(verb))
        if not self._allowed(verb, resource, target):
            raise errors.method_not_allowed()
        self._engine.keep_up()
        if target.subresource == "eviction":
            return self._evictor.evict(request, target)
        if target.subresource == "scale":
            return write_scale(self.writer, request, resource, target)
        if verb == "create":
            return self.writer.create(request, resource, target)
        if verb == "update":
            return self.writer.update(request, resource, target)
        if verb == "patch":
            return self.writer.patch(request, resource, target)
        return self.deleter.delete(request, resource, target) if target.name else None

    def clear(self, request: Request, resource: Resource, found: list[tuple[str, str]]) -> None:
        """Delete what a DELETE on a collection has found, as (namespace, name)."""
        options = read_delete_options(request)
        for namespace, name in found:
            self.deleter.delete_all(resource, namespace, [name], options)

    def _allowed(self, verb: str, resource: Resource, target: Target) -> bool:
        named, below = bool(target.name), target.subresource
        if verb not in resource.verbs:
            return False
        if below == "eviction":
            return resource is resources.PODS and verb == "create" and named
        if below in {"scale", "status"}:
            return verb in {"update", "patch"} and below in dict(resource.subresources)
        if below:
            return False
        if resource.namespaced and not target.namespace:
            return False
        return named == (verb in {"update", "patch", "delete"})
