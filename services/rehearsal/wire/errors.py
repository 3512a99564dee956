"""Refusals in the words of the API server: metav1.Status."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json
    from services.rehearsal.resources import Resource


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


class ApiError(Exception):
    """An answer other than success; `code` is the HTTP status, `reason` a metav1.StatusReason."""

    def __init__(self, code: int, reason: str, message: str, details: Json | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.continuation = ""
        self.retry_after = 0
        self.plain = False

    def status(self) -> Json:
        """Return the Status object that is sent."""
        metadata: Json = {"continue": self.continuation} if self.continuation else {}
        body: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata,
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        body["code"] = self.code
        return body


def bad_request(message: str) -> ApiError:
    """Return 400."""
    return ApiError(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def unauthorized() -> ApiError:
    """Return 401."""
    return ApiError(HTTPStatus.UNAUTHORIZED, "Unauthorized", "Unauthorized")


def qualified(resource: Resource) -> str:
    """Return `plural.group`, or the plural alone for the core group."""
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def _details(resource: Resource, name: str, kind: str = "") -> Json:
    details: Json = {"name": name, "kind": kind or resource.plural}
    if resource.group:
        details["group"] = resource.group
    return details


def not_found(resource: Resource, name: str) -> ApiError:
    """Return 404 for an object."""
    message = f'{qualified(resource)} "{name}" not found'
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", message, _details(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    """Return 409 for a name that is taken."""
    message = f'{qualified(resource)} "{name}" already exists'
    return ApiError(HTTPStatus.CONFLICT, "AlreadyExists", message, _details(resource, name))


def conflict(resource: Resource, name: str, why: str) -> ApiError:
    """Return 409 for a write that was made with another version in mind."""
    message = f'Operation cannot be fulfilled on {qualified(resource)} "{name}": {why}'
    return ApiError(HTTPStatus.CONFLICT, "Conflict", message, _details(resource, name))


def precondition(resource: Resource, name: str, why: str) -> ApiError:
    """Return 409 for a precondition of a deletion; it speaks of the kind where others speak of the resource."""
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    message = f'Operation cannot be fulfilled on {kind} "{name}": {why}'
    return ApiError(HTTPStatus.CONFLICT, "Conflict", message, _details(resource, name, resource.kind))


def too_many_requests(message: str, cause: str, retry_after: int = 0) -> ApiError:
    """Return 429 for an eviction that a disruption budget does not allow."""
    details: Json = {"causes": [{"reason": "DisruptionBudget", "message": cause}]}
    if retry_after:
        details["retryAfterSeconds"] = retry_after
    error = ApiError(HTTPStatus.TOO_MANY_REQUESTS, "TooManyRequests", message, details)
    error.retry_after = retry_after
    return error


def no_such_path() -> ApiError:
    """Return 404 for a path that names no resource."""
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", "the server could not find the requested resource", {})


def no_such_page() -> ApiError:
    """Return 404 for a path outside every API group: plain text, no Status."""
    error = ApiError(HTTPStatus.NOT_FOUND, "", "404 page not found\n")
    error.plain = True
    return error


def method_not_allowed() -> ApiError:
    """Return 405."""
    return ApiError(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
        {},
    )


def not_acceptable(offered: str) -> ApiError:
    """Return 406 with the media types that would do."""
    return ApiError(
        HTTPStatus.NOT_ACCEPTABLE, "NotAcceptable", f"only the following media types are accepted: {offered}"
    )


def forbidden(resource: str, group: str, name: str, message: str) -> ApiError:
    """Return 403 with the server's own sentence."""
    details: Json = {"kind": resource} if resource else {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    return ApiError(HTTPStatus.FORBIDDEN, "Forbidden", message, details)


def expired(message: str) -> ApiError:
    """Return 410 Expired."""
    return ApiError(HTTPStatus.GONE, "Expired", message)


def version_too_large(asked: int, current: int) -> ApiError:
    """Return 504: a resourceVersion of the future."""
    error = ApiError(
        HTTPStatus.GATEWAY_TIMEOUT,
        "Timeout",
        f"Timeout: Too large resource version: {asked}, current: {current}",
        {
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        },
    )
    error.retry_after = 1
    return error


def unavailable(message: str) -> ApiError:
    """Return 503."""
    return ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable", message)


def invalid(kind: str, message: str, causes: list[Json]) -> ApiError:
    """Return 422 with its causes."""
    return ApiError(
        HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message, {"group": "meta.k8s.io", "kind": kind, "causes": causes}
    )
