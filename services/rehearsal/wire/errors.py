"""Refusals in the words of the API server: metav1.Status."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json
    from services.rehearsal.resources import Resource


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
            "reason": self.reason,
        }
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


def not_found(resource: Resource, name: str) -> ApiError:
    """Return 404 for an object."""
    qualified = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
    details: Json = {"name": name, "kind": resource.plural}
    if resource.group:
        details["group"] = resource.group
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", f'{qualified} "{name}" not found', details)


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
