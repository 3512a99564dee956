"""Create, update and patch: what the API server does with an object that somebody wants otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.rehearsal import resources
from services.rehearsal.clock import stamp
from services.rehearsal.estate.templates import suffix
from services.rehearsal.jsonic import Json, clone, encode
from services.rehearsal.simulation import images
from services.rehearsal.store import ConflictError
from services.rehearsal.wire import errors, ownership
from services.rehearsal.wire.bodies import WriteOptions, checked, read_object, read_write_options
from services.rehearsal.wire.defaulting import fill
from services.rehearsal.wire.http1 import Reply
from services.rehearsal.wire.patches import apply_patch
from services.rehearsal.wire.schema import root
from services.rehearsal.wire.validating import refusal, validate

if TYPE_CHECKING:
    from services.rehearsal.resources import Resource
    from services.rehearsal.simulation.engine import Engine
    from services.rehearsal.wire.http1 import Request
    from services.rehearsal.wire.paths import Target

COUNTED = {
    one.key
    for one in (
        *(resources.DEPLOYMENTS, resources.STATEFUL_SETS, resources.DAEMON_SETS, resources.REPLICA_SETS),
        *(resources.JOBS, resources.CRON_JOBS, resources.PODS, resources.BUDGETS, resources.INGRESSES),
    )
}
"""The built-in resources whose objects count the generations of their spec."""
_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "generateName")
_JOB_LABELS = ("batch.kubernetes.io/controller-uid", "controller-uid"), ("batch.kubernetes.io/job-name", "job-name")


@dataclass(slots=True)
class Written:
    """An answered write: the object as it is now, and what the server warns of."""

    obj: Json
    status: int = 200
    warnings: list[str] = field(default_factory=list)


class Writer:
    """Writes objects of every resource; nothing of a dry run is kept."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._world = engine.world

    def create(self, request: Request, resource: Resource, target: Target) -> Reply:
        """Answer POST on a collection."""
        options = read_write_options(request, "CreateOptions")
        obj = read_object(request, resource)
        warnings = checked(obj, resource, options.validation)
        metadata = _metadata(obj)
        _same_namespace(metadata, resource, target)
        self._admit(resource, target.namespace, metadata)
        if metadata.get("resourceVersion"):
            raise errors.ApiError(500, "", "resourceVersion should not be set on objects to be created")
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + suffix(self._world.rng)
        self._begin(resource, obj)
        validate(resource, obj, None)
        ownership.note(None, obj, root(resource), self._writer(resource, options))
        if not options.dry:
            try:
                self._world.store.create(resource, obj)
            except ConflictError:
                raise errors.already_exists(resource, metadata["name"]) from None
            images.admit(self._world, resource, obj, None)
        elif (metadata.get("namespace", ""), metadata["name"]) in self._world.store.collection(resource).entries:
            raise errors.already_exists(resource, metadata["name"])
        return reply(resource, Written(obj, 201, warnings))

    def _begin(self, resource: Resource, obj: Json) -> None:
        """Give a new object what only the server gives."""
        metadata = obj["metadata"]
        for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "generation"):
            metadata.pop(key, None)
        metadata["uid"] = self._world.new_uid()
        metadata["creationTimestamp"] = stamp(self._world.now)
        if "status" in dict(resource.subresources):
            obj.pop("status", None)
        if resource.key in COUNTED or resource.custom:
            metadata["generation"] = 1
        fill(resource, obj)
        if resource is resources.JOBS:
            _own_labels(obj)
        for key in ("kind", "apiVersion"):
            obj.pop(key, None)

    def _admit(self, resource: Resource, namespace: str, metadata: Json) -> None:
        """Refuse what would come into a namespace that is not there or is going."""
        if not resource.namespaced:
            return
        metadata["namespace"] = namespace
        found = self._world.store.get(resources.NAMESPACES, "", namespace)
        if found is None:
            raise errors.not_found(resources.NAMESPACES, namespace)
        if found["status"].get("phase") == "Terminating":
            name = metadata.get("name", "")
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            message = f'{errors.qualified(resource)} "{name}" is forbidden: {why}'
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {namespace} is being terminated",
                "field": "metadata.namespace",
            }
            refused = errors.forbidden(resource.plural, resource.group, name, message)
            refused.details = {**(refused.details or {}), "causes": [cause]}
            raise refused

    def update(self, request: Request, resource: Resource, target: Target) -> Reply:
        """Answer PUT on an object or its status."""
        options = read_write_options(request, "UpdateOptions")
        obj = read_object(request, resource)
        warnings = checked(obj, resource, options.validation)
        metadata = _metadata(obj)
        _same_name(metadata, target)
        _same_namespace(metadata, resource, target)
        before = self.stored(resource, target)
        uid = metadata.get("uid")
        if uid and uid != before["metadata"]["uid"]:
            key = f"/registry/{resource.plural}/{target.namespace}/{target.name}".replace("//", "/")
            why = f"UID in precondition: {uid}, UID in object meta: {before['metadata']['uid']}"
            raise errors.conflict(
                resource,
                target.name,
                f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, "
                f"AdditionalErrorMsg: Precondition failed: {why}",
            )
        metadata["uid"] = before["metadata"]["uid"]
        return reply(resource, Written(self.replace(resource, before, obj, options, target.subresource), 200, warnings))

    def patch(self, request: Request, resource: Resource, target: Target) -> Reply:
        """Answer PATCH on an object or its status."""
        options = read_write_options(request, "PatchOptions")
        before = self.stored(resource, target)
        shown = {"kind": resource.kind, "apiVersion": resource.api_version, **before}
        obj, warnings = apply_patch(request, shown, root(resource), options)
        metadata = _metadata(obj)
        _same_name(metadata, target)
        _same_namespace(metadata, resource, target)
        return reply(resource, Written(self.replace(resource, before, obj, options, target.subresource), 200, warnings))

    def stored(self, resource: Resource, target: Target) -> Json:
        """Return a copy of the object that is written; raise ApiError 404."""
        found = self._world.store.get(resource, target.namespace if resource.namespaced else "", target.name)
        if found is None:
            raise errors.not_found(resource, target.name)
        return found

    def replace(self, resource: Resource, before: Json, obj: Json, options: WriteOptions, subresource: str) -> Json:
        """Store `obj` in the place of `before` and return it; raise ApiError 409 or 422."""
        obj.pop("kind", None)
        obj.pop("apiVersion", None)
        metadata, old = obj["metadata"], before["metadata"]
        if metadata.get("resourceVersion") not in {None, "", "0", old["resourceVersion"]}:
            raise errors.conflict(resource, old["name"], errors.MODIFIED)
        metadata["resourceVersion"] = old["resourceVersion"]
        if subresource == "status":
            obj = {**clone(before), "status": obj.get("status", {})}
            metadata = obj["metadata"]
        else:
            _carry(resource, obj, before)
            fill(resource, obj)
            validate(resource, obj, before)
        if "generation" in old or resource.key in COUNTED:
            changed = any(obj.get(key) != before.get(key) for key in _specified(obj, before))
            if resource is resources.DEPLOYMENTS and subresource != "status":
                changed = changed or metadata.get("annotations") != old.get("annotations")
            metadata["generation"] = old.get("generation", 1) + changed
        ownership.note(before, obj, root(resource), self._writer(resource, options, subresource))
        if not options.dry:
            self._world.store.update(resource, obj)
            images.admit(self._world, resource, obj, before)
            self._finish(resource, obj)
        return obj

    def _finish(self, resource: Resource, obj: Json) -> None:
        """Let an object go whose last finalizer was taken away."""
        metadata = obj["metadata"]
        if "deletionTimestamp" in metadata and not metadata.get("finalizers") and resource is not resources.PODS:
            self._world.store.delete(resource, metadata.get("namespace", ""), metadata["name"])

    def _writer(self, resource: Resource, options: WriteOptions, subresource: str = "") -> Json:
        made: Json = {
            "manager": options.manager,
            "operation": "Update",
            "apiVersion": resource.api_version,
            "time": stamp(self._world.now),
            "fieldsType": "FieldsV1",
        }
        if subresource:
            made["subresource"] = subresource
        if subresource == "scale":
            # The server takes the time from the object's own entry of that name, and there is none.
            del made["time"]
        return made


def _carry(resource: Resource, obj: Json, before: Json) -> None:
    """Keep what a writer may not change."""
    metadata, old = obj["metadata"], before["metadata"]
    if metadata.get("uid") not in {None, old["uid"]}:
        words = f"{encode(metadata['uid']).decode()}: field is immutable"
        raise refusal(resource, old["name"], [("metadata.uid", "Invalid", words)] * 2)
    for key in _KEPT:
        if key in old:
            metadata[key] = old[key]
        else:
            metadata.pop(key, None)
    metadata["name"] = old["name"]
    if resource.namespaced:
        metadata["namespace"] = old["namespace"]
    if "status" in dict(resource.subresources):
        if "status" in before:
            obj["status"] = before["status"]
        else:
            obj.pop("status", None)
    for key in [key for key, value in metadata.items() if value in (None, {}, [])]:
        del metadata[key]


def _specified(obj: Json, before: Json) -> set[str]:
    return (set(obj) | set(before)) - {"metadata", "status"}


def _own_labels(job: Json) -> None:
    """Give a Job the selector and the labels by which it knows its pods (kubernetes pkg/registry/batch/job)."""
    metadata, spec = job["metadata"], job["spec"]
    labels = spec["template"]["metadata"].setdefault("labels", {})
    for names, value in zip(_JOB_LABELS, (metadata["uid"], metadata["name"]), strict=True):
        for name in names:
            labels[name] = value
    if not spec.get("manualSelector"):
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": metadata["uid"]}}
    metadata.setdefault("labels", dict(labels))


def _metadata(obj: Json) -> Json:
    metadata: Any = obj.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise errors.bad_request("the object's metadata is no object")
    return metadata


def _same_name(metadata: Json, target: Target) -> None:
    given = metadata.setdefault("name", target.name)
    if given != target.name:
        raise errors.bad_request(f"the name of the object ({given}) does not match the name on the URL ({target.name})")


def _same_namespace(metadata: Json, resource: Resource, target: Target) -> None:
    if resource.namespaced and metadata.get("namespace", target.namespace) != target.namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def reply(resource: Resource, written: Written) -> Reply:
    """Return the answer to a write."""
    shown = {"kind": resource.kind, "apiVersion": resource.api_version, **written.obj}
    return warned(Reply(written.status, encode(shown), {"Content-Type": "application/json"}), written.warnings)


def warned(answer: Reply, warnings: list[str]) -> Reply:
    """Put warnings into an answer's header (RFC 7234 section 5.5, code 299)."""
    if warnings:
        quoted = (one.replace("\\", "\\\\").replace('"', '\\"') for one in warnings)
        answer.headers["Warning"] = ", ".join(f'299 - "{one}"' for one in quoted)
    return answer
