"""The scale subresource: how many replicas a workload is to have, and nothing else of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal.jsonic import Json, encode
from services.rehearsal.wire import errors
from services.rehearsal.wire.bodies import WriteOptions, read_object, read_write_options
from services.rehearsal.wire.checking import MisfitError, fit
from services.rehearsal.wire.http1 import Reply
from services.rehearsal.wire.patches import apply_patch
from services.rehearsal.wire.schema import structs

if TYPE_CHECKING:
    from services.rehearsal.resources import Resource
    from services.rehearsal.wire.http1 import Request
    from services.rehearsal.wire.paths import Target
    from services.rehearsal.wire.writing import Writer

_SCALE = "autoscaling.Scale"
_SHOWN = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(obj: Json) -> Json:
    """Return the Scale (autoscaling/v1) of a workload."""
    labels, replicas = obj["spec"].get("selector", {}).get("matchLabels", {}), obj["spec"].get("replicas", 0)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: obj["metadata"][key] for key in _SHOWN},
        "spec": {"replicas": replicas} if replicas else {},
        "status": {
            "replicas": obj.get("status", {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        },
    }


def write_scale(writer: Writer, request: Request, resource: Resource, target: Target) -> Reply:
    """Answer PUT or PATCH on a scale; raise ApiError 400, 404, 409 or 422."""
    struct = structs()[_SCALE]
    before = writer.stored(resource, target)
    if request.method == "PATCH":
        options = read_write_options(request, "PatchOptions")
        scale, _ = apply_patch(request, scale_of(before), struct, options)
    else:
        options = read_write_options(request, "UpdateOptions")
        scale = read_object(request, resource, struct)
        try:
            fit(scale, struct)
        except MisfitError as error:
            raise errors.bad_request(f'Scale in version "v1" cannot be handled as a Scale: {error}') from None
    return _apply(writer, resource, before, scale, options)


def _apply(writer: Writer, resource: Resource, before: Json, scale: Json, options: WriteOptions) -> Reply:
    name, replicas = before["metadata"]["name"], int(scale.get("spec", {}).get("replicas", 0))
    if replicas < 0:
        message = f"Invalid value: {replicas}: must be greater than or equal to 0"
        cause = {"reason": "FieldValueInvalid", "message": message, "field": "spec.replicas"}
        details = {"name": name, "group": "autoscaling", "kind": "Scale", "causes": [cause]}
        said = f'Scale.autoscaling "{name}" is invalid: spec.replicas: {message}'
        raise errors.ApiError(422, "Invalid", said, details)
    given = scale.get("metadata", {})
    if given.get("uid") not in {None, "", before["metadata"]["uid"]}:
        why = (
            f"Precondition failed: UID in precondition: {given['uid']}, UID in object meta: {before['metadata']['uid']}"
        )
        raise errors.conflict(resource, name, why)
    wanted = {**before, "spec": {**before["spec"], "replicas": replicas}, "metadata": {**before["metadata"]}}
    if given.get("resourceVersion"):
        wanted["metadata"]["resourceVersion"] = given["resourceVersion"]
    after = writer.replace(resource, before, wanted, options, "scale")
    return Reply(200, encode(scale_of(after)), {"Content-Type": "application/json"})
