"""What a writing request brings: its options, checked as the server checks them, and its body, decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from services.rehearsal.jsonic import Json, decode, encode
from services.rehearsal.wire import errors, unpacking
from services.rehearsal.wire.checking import MisfitError, fit
from services.rehearsal.wire.schema import Struct, root

if TYPE_CHECKING:
    from services.rehearsal.resources import Resource
    from services.rehearsal.wire.http1 import Request

_LEVELS = ("", "Ignore", "Strict", "Warn")
_YAML = "application/yaml"
_ACCEPTED = f"application/json, {_YAML}, {unpacking.CONTENT_TYPE}"


@dataclass(slots=True)
class WriteOptions:
    """The query of a write (metav1.CreateOptions, UpdateOptions, PatchOptions)."""

    manager: str
    dry: bool = False
    validation: str = "Warn"


def read_write_options(request: Request, kind: str) -> WriteOptions:
    """Read the query of a write; raise ApiError 422 for what the server would refuse."""
    dry = read_dry_run(request.query.get("dryRun", []), kind)
    level = request.first("fieldValidation")
    if level not in _LEVELS:
        known = ", ".join(f'"{one}"' for one in _LEVELS)
        raise _refused(kind, "fieldValidation", f'Unsupported value: "{level}": supported values: {known}')
    agent = request.headers.get("user-agent", "").split("/", 1)[0]
    manager = request.first("fieldManager") or agent or "unknown"
    return WriteOptions(manager[:128], dry, level or "Warn")


def read_dry_run(values: list[Any], kind: str) -> bool:
    """Tell whether a dry run is asked for; raise ApiError 422 for any word but `All`."""
    given = [one for one in values if one != ""]
    if any(one != "All" for one in given):
        raise _refused(kind, "dryRun", f'Unsupported value: {encode(given).decode()}: supported values: "All"')
    return bool(given)


def _refused(kind: str, field: str, message: str) -> errors.ApiError:
    cause = {"reason": "FieldValueNotSupported", "message": message, "field": field}
    return errors.invalid(kind, f'{kind}.meta.k8s.io "" is invalid: {field}: {message}', [cause])


def read_object(request: Request, resource: Resource, struct: Struct | None = None) -> Json:
    """Decode an object of this resource; raise ApiError 400 or 415.

    The kind may be left out; another kind than the resource's is refused. `struct` is needed for subresources, whose
    kind is not the resource's.
    """
    kind = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    shape = struct or root(resource)
    if kind == unpacking.CONTENT_TYPE and shape is not None:
        try:
            obj = unpacking.unpack(request.body, shape)
        except (ValueError, RecursionError) as error:
            raise errors.bad_request(f"the body of the request was in an unknown format: {error}") from None
    elif kind in {"application/json", ""}:
        obj = _json_object(request.body, resource.kind)
    else:
        message = f"the body of the request was in an unknown format - accepted media types include: {_ACCEPTED}"
        raise errors.ApiError(415, "UnsupportedMediaType", message)
    if struct is None:
        _check_kind(obj, resource)
    return obj


def _json_object(body: bytes, kind: str) -> Json:
    try:
        found = decode(body)
    except (msgspec.DecodeError, RecursionError):
        why = f"couldn't get version/kind; json parse error: {go_complaint(body)} ({_shown(body)})"
        raise errors.bad_request(f"the object provided is unrecognized (must be of type {kind}): {why}") from None
    if not isinstance(found, dict):
        raise errors.bad_request(f"the object provided is unrecognized (must be of type {kind})")
    return found


def _shown(body: bytes) -> str:
    return body[:1024].decode(errors="replace") if body else "<empty>"


def _check_kind(obj: Json, resource: Resource) -> None:
    kind, version = obj.get("kind") or resource.kind, obj.get("apiVersion") or resource.api_version
    if (kind, version) != (resource.kind, resource.api_version):
        short = str(version).rsplit("/", 1)[-1]
        unknown = (
            f'no kind "{kind}" is registered for version "{resource.api_version}" in scheme "pkg/runtime/scheme.go:111"'
        )
        message = f'{kind} in version "{short}" cannot be handled as a {resource.kind}: {unknown}'
        raise errors.bad_request(message)


def go_complaint(body: bytes) -> str:
    """Return what Go's decoder says of the first thing that is wrong with a JSON text; an approximation."""
    text = body.decode(errors="replace").strip()
    if not text:
        return "unexpected end of JSON input"
    if text[0] == "{":
        rest = text[1:].lstrip()
        if rest and rest[0] not in '"}':
            return f"invalid character '{rest[0]}' looking for beginning of object key string"
    elif text[0] not in '["-0123456789tfn':
        return f"invalid character '{text[0]}' looking for beginning of value"
    return "unexpected end of JSON input"


def checked(obj: Json, resource: Resource, level: str) -> list[str]:
    """Take unknown fields out of a body and return the warnings about them; raise ApiError 400 for a misfit."""
    struct = root(resource)
    if struct is None:
        return []
    head = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
    try:
        findings = fit(obj, struct)
    except MisfitError as error:
        raise errors.bad_request(f"{head}: {error}") from None
    if findings.unknown and level == "Strict":
        raise errors.bad_request(f"{head}: {findings.sentence()}")
    return [] if level == "Ignore" else [f'unknown field "{one}"' for one in findings.unknown]
