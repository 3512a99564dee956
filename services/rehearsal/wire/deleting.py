"""DELETE: preconditions, grace, propagation, and what is answered (apiserver registry/generic/registry/store.go)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from services.rehearsal import resources
from services.rehearsal.clock import stamp
from services.rehearsal.jsonic import Json, decode, encode
from services.rehearsal.wire import errors, unpacking
from services.rehearsal.wire.bodies import go_complaint, read_dry_run
from services.rehearsal.wire.http1 import Reply
from services.rehearsal.wire.protobuf import MAGIC
from services.rehearsal.wire.schema import structs
from services.rehearsal.wire.writing import Written, reply, warned

if TYPE_CHECKING:
    from services.rehearsal.resources import Resource
    from services.rehearsal.simulation.engine import Engine
    from services.rehearsal.wire.http1 import Request
    from services.rehearsal.wire.paths import Target

_POLICIES = ("Foreground", "Background", "Orphan")
_JOB_WARNING = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
    "propagationPolicy=Orphan to suppress this warning"
)


@dataclass(slots=True)
class DeleteOptions:
    """metav1.DeleteOptions: from the body, else from the query."""

    dry: bool = False
    grace: int | None = None
    policy: str = ""
    orphan: bool | None = None
    uid: str = ""
    version: str = ""


def read_delete_options(request: Request) -> DeleteOptions:
    """Read the options of a DELETE; raise ApiError 400 or 422 for what the server would refuse."""
    return delete_options(_given(request))


def _given(request: Request) -> Json:
    if request.body:
        try:
            if request.body.startswith(MAGIC):
                return unpacking.unpack(request.body, structs()["meta.DeleteOptions"])
            found = decode(request.body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise errors.bad_request(
                f"couldn't get version/kind; json parse error: {go_complaint(request.body)}"
            ) from None
        given: Json = found if isinstance(found, dict) else {}
        return given if not request.query.get("dryRun") else {"dryRun": request.query["dryRun"], **given}
    given = {"dryRun": request.query.get("dryRun", [])}
    if request.first("gracePeriodSeconds").lstrip("-").isdecimal():
        given["gracePeriodSeconds"] = int(request.first("gracePeriodSeconds"))
    if request.first("propagationPolicy"):
        given["propagationPolicy"] = request.first("propagationPolicy")
    return given


def delete_options(given: Json) -> DeleteOptions:
    """Check DeleteOptions; raise ApiError 422."""
    conditions = given.get("preconditions") or {}
    options = DeleteOptions(
        dry=read_dry_run(given.get("dryRun") or [], "DeleteOptions"),
        grace=given.get("gracePeriodSeconds"),
        policy=given.get("propagationPolicy") or "",
        orphan=given.get("orphanDependents"),
        uid=conditions.get("uid") or "",
        version=conditions.get("resourceVersion") or "",
    )
    if options.policy and options.orphan is not None:
        why = f'"{options.policy}": orphanDependents and deletionPropagation cannot be both set'
        raise _refused("FieldValueInvalid", f"Invalid value: {why}")
    if options.policy and options.policy not in _POLICIES:
        known = ", ".join(f'"{one}"' for one in (*_POLICIES, "nil"))
        raise _refused("FieldValueNotSupported", f'Unsupported value: "{options.policy}": supported values: {known}')
    if options.orphan is not None:
        options.policy = "Orphan" if options.orphan else "Background"
    if options.grace is not None and options.grace < 0:
        options.grace = 1
    return options


def _refused(reason: str, message: str) -> errors.ApiError:
    text = f'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: {message}'
    return errors.invalid("DeleteOptions", text, [{"reason": reason, "message": message, "field": "propagationPolicy"}])


class Deleter:
    """Deletes objects, at once or by and by."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._world = engine.world

    def delete(self, request: Request, resource: Resource, target: Target) -> Reply:
        """Answer DELETE on an object."""
        options = read_delete_options(request)
        namespace = target.namespace if resource.namespaced else ""
        entry = self._world.store.collection(resource).entries.get((namespace, target.name))
        if entry is None:
            raise errors.not_found(resource, target.name)
        warnings = []
        if resource is resources.JOBS and not options.policy:
            options.policy, warnings = "Orphan", [_JOB_WARNING]
        obj = entry.read()
        demand(resource, obj, options)
        shown = self.remove(resource, obj, options)
        if shown is not None:
            return reply(resource, Written(shown, 200, warnings))
        return warned(_success(resource, obj), warnings)

    def delete_all(self, resource: Resource, namespace: str, names: list[str], options: DeleteOptions) -> None:
        """Delete these objects of a collection."""
        for name in names:
            obj = self._world.store.get(resource, namespace if resource.namespaced else "", name)
            if obj is not None:
                self.remove(resource, obj, options)

    def remove(self, resource: Resource, obj: Json, options: DeleteOptions) -> Json | None:
        """Delete one object; return it as it is answered, None where the answer is a mere success."""
        if resource is resources.PODS:
            return self._pod(obj, options)
        if resource is resources.NAMESPACES:
            return self._namespace(obj, options)
        metadata = obj["metadata"]
        finalizers = [*metadata.get("finalizers", ())]
        if options.policy == "Foreground":
            finalizers.append("foregroundDeletion")
        elif options.policy == "Orphan":
            finalizers.append("orphan")
        if not finalizers:
            if not options.dry:
                self._world.store.delete(resource, metadata.get("namespace", ""), metadata["name"])
            return None
        if "deletionTimestamp" not in metadata:
            metadata["deletionTimestamp"], metadata["deletionGracePeriodSeconds"] = stamp(self._world.now), 0
            metadata["finalizers"] = finalizers
            if "generation" in metadata:
                metadata["generation"] += 1
            if not options.dry:
                self._world.store.update(resource, obj)
                self._engine.garbage.leaving(resource, metadata.get("namespace", ""), metadata["name"])
        return obj

    def _pod(self, pod: Json, options: DeleteOptions) -> Json:
        world, metadata = self._world, pod["metadata"]
        own = pod["spec"].get("terminationGracePeriodSeconds", 30)
        grace = own if options.grace is None else options.grace
        if not pod["spec"].get("nodeName") or pod["status"].get("phase") in {"Succeeded", "Failed"}:
            grace = 0
        if "deletionTimestamp" not in metadata or grace < metadata.get("deletionGracePeriodSeconds", 0):
            metadata["generation"] = metadata.get("generation", 1) + ("deletionTimestamp" not in metadata)
            metadata["deletionTimestamp"] = stamp(world.now + grace)
            metadata["deletionGracePeriodSeconds"] = grace
        if not options.dry:
            if grace == 0:
                world.store.delete(resources.PODS, metadata["namespace"], metadata["name"])
            else:
                self._engine.kubelet.stop(metadata["namespace"], metadata["name"], grace)
            kept = world.store.get(resources.PODS, metadata["namespace"], metadata["name"])
            return kept or pod
        return pod

    def _namespace(self, obj: Json, options: DeleteOptions) -> Json:
        if obj["status"].get("phase") != "Terminating":
            obj["metadata"]["deletionTimestamp"] = stamp(self._world.now)
            obj["status"]["phase"] = "Terminating"
            if not options.dry:
                self._world.store.update(resources.NAMESPACES, obj)
                self._engine.garbage.empty(obj["metadata"]["name"])
        return obj


def demand(resource: Resource, obj: Json, options: DeleteOptions) -> None:
    """Raise ApiError 409 unless an object is the one that is meant."""
    metadata = obj["metadata"]
    if options.uid and options.uid != metadata["uid"]:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({metadata['uid']}). "
            "The object might have been deleted and then recreated"
        )
        raise errors.precondition(resource, metadata["name"], why)
    if options.version and options.version != metadata["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({options.version}) does not match the ResourceVersion in record "
            f"({metadata['resourceVersion']}). The object might have been modified"
        )
        raise errors.precondition(resource, metadata["name"], why)


def _success(resource: Resource, obj: Json) -> Reply:
    details: Json = {"name": obj["metadata"]["name"], "kind": resource.plural, "uid": obj["metadata"]["uid"]}
    if resource.group:
        details["group"] = resource.group
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
    return Reply(200, encode(status), {"Content-Type": "application/json"})
