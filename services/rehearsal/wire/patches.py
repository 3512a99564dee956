"""PATCH bodies by their media type, refused in the words of kubernetes apiserver, endpoints/handlers/patch.go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from services.rehearsal.jsonic import Json, clone, decode, encode
from services.rehearsal.wire import errors
from services.rehearsal.wire.bodies import WriteOptions, go_complaint
from services.rehearsal.wire.checking import MisfitError, fit
from services.rehearsal.wire.patching import MergeKeyError, PatchError, go_map, json_patch, merge_patch, strategic

if TYPE_CHECKING:
    from services.rehearsal.wire.http1 import Request
    from services.rehearsal.wire.schema import Struct

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
_MOST = 10_000


def apply_patch(request: Request, shown: Json, struct: Struct | None, options: WriteOptions) -> tuple[Json, list[str]]:
    """Return the patched object and what to warn of; raise ApiError 400, 415, 422 or 500.

    `shown` is the object as it is sent, with its kind; `struct` is None for custom resources, which have no strategic
    merge.
    """
    media = request.headers.get("content-type", "").split(";")[0].strip().lower()
    known = {JSON_PATCH, MERGE_PATCH} | ({STRATEGIC} if struct else set())
    if media not in known:
        raise errors.ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    patch = _decoded(request.body, media)
    try:
        if media == JSON_PATCH:
            obj = json_patch(shown, patch)
        else:
            obj = merge_patch(clone(shown), patch) if media == MERGE_PATCH else strategic(clone(shown), patch, struct)
    except (PatchError, RecursionError):
        message = "the server rejected our request due to an error in our request"
        raise errors.ApiError(422, "Invalid", message, {}) from None
    except MergeKeyError as error:
        raise errors.ApiError(500, "", str(error)) from None
    if struct is None:
        return obj, []
    return obj, _checked(obj, struct, options, go_map(patch) if media == STRATEGIC else encode(obj).decode())


def _decoded(body: bytes, media: str) -> Any:  # noqa: ANN401 (a list or an object, by the media type)
    prefix = "" if media == STRATEGIC else "error decoding patch: "
    try:
        patch = decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise errors.bad_request(prefix + go_complaint(body)) from None
    if media == JSON_PATCH:
        if not isinstance(patch, list):
            word = "object" if isinstance(patch, dict) else "string"
            wanted = "[]handlers.jsonPatchOp"
            raise errors.bad_request(f"{prefix}json: cannot unmarshal {word} into Go value of type {wanted}")
        if len(patch) > _MOST:
            message = f"The allowed maximum operations in a JSON patch is {_MOST}, got {len(patch)}"
            raise errors.ApiError(413, "RequestEntityTooLarge", message)
    elif not isinstance(patch, dict):
        word = "array" if isinstance(patch, list) else "string"
        raise errors.bad_request(
            f"{prefix}json: cannot unmarshal {word} into Go value of type map[string]interface {{}}"
        )
    return patch


def _checked(obj: Json, struct: Struct, options: WriteOptions, said: str) -> list[str]:
    """Take unknown fields out and return the warnings about them; raise ApiError 422 as for an invalid patch."""
    try:
        findings = fit(obj, struct)
    except MisfitError as error:
        raise _invalid(said, str(error)) from None
    if findings.unknown and options.validation == "Strict":
        raise _invalid(said, findings.sentence())
    return [] if options.validation == "Ignore" else [f'unknown field "{one}"' for one in findings.unknown]


def _invalid(said: str, why: str) -> errors.ApiError:
    message = f"Invalid value: {encode(said).decode()}: {why}"
    cause = {"reason": "FieldValueInvalid", "message": message, "field": "patch"}
    return errors.ApiError(422, "Invalid", f' "" is invalid: patch: {message}', {"causes": [cause]})
