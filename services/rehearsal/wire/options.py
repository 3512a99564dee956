"""The query of list, watch and get (metav1.ListOptions), checked as the server checks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast, get_args

from services.rehearsal.wire import errors
from services.rehearsal.wire.selectors import Selection, parse_fields, parse_labels
from services.rehearsal.wire.table import Include

if TYPE_CHECKING:
    from services.rehearsal.resources import Resource
    from services.rehearsal.wire.http1 import Request

_TRUE = {"true", "1", "t", "T", "TRUE", "True"}


@dataclass(frozen=True, slots=True)
class ListOptions:
    """A list or watch request. `version` is None when the client named none."""

    selection: Selection
    watch: bool = False
    version: int | None = None
    match: str = ""
    limit: int = 0
    token: str = ""
    timeout: float = 0.0
    bookmarks: bool = False
    initial_events: bool | None = None
    include: Include = "Metadata"


def read_options(request: Request, resource: Resource, namespace: str, name: str = "") -> ListOptions:
    """Read the query of a request; raise ApiError 400 or 422 for what the server would refuse."""
    fields = parse_fields(resource, request.first("fieldSelector"))
    if name:
        fields = (*fields, ("metadata.name", "=", name))
    initial = request.first("sendInitialEvents")
    options = ListOptions(
        selection=Selection(namespace, parse_labels(request.first("labelSelector")), fields),
        watch=_flag(request, "watch"),
        version=_version(request),
        match=request.first("resourceVersionMatch"),
        limit=_whole(request, "limit"),
        token=request.first("continue"),
        timeout=float(_whole(request, "timeoutSeconds")),
        bookmarks=_flag(request, "allowWatchBookmarks"),
        initial_events=initial in _TRUE if initial else None,
        include=read_include(request),
    )
    _check(options)
    return options


def read_include(request: Request) -> Include:
    """Read includeObject of a Table request; raise ApiError 400 when it is unknown."""
    text = request.first("includeObject") or "Metadata"
    if text not in get_args(Include):
        raise errors.bad_request(
            f'Unable to convert to Table as requested: includeObject: Invalid value: "{text}": '
            "must be 'Metadata', 'Object', 'None', or empty"
        )
    return cast("Include", text)


def _check(options: ListOptions) -> None:
    if options.initial_events is not None:
        if not options.watch:
            raise _forbidden_field("sendInitialEvents", "sendInitialEvents is forbidden for list")
        if options.match != "NotOlderThan":
            raise _forbidden_field(
                "resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            )
        return
    if not options.match:
        return
    if options.watch:
        raise _forbidden_field(
            "resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        )
    if options.version is None:
        raise _forbidden_field(
            "resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"
        )
    if options.match not in {"Exact", "NotOlderThan"}:
        supported = '"Exact", "NotOlderThan", ""'
        why = f'Unsupported value: "{options.match}": supported values: {supported}'
        raise _refused_field("resourceVersionMatch", "FieldValueNotSupported", why)


def _forbidden_field(field: str, why: str) -> errors.ApiError:
    return _refused_field(field, "FieldValueForbidden", f"Forbidden: {why}")


def _refused_field(field: str, reason: str, message: str) -> errors.ApiError:
    cause = {"reason": reason, "message": message, "field": field}
    return errors.invalid("ListOptions", f'ListOptions.meta.k8s.io "" is invalid: {field}: {message}', [cause])


def _flag(request: Request, name: str) -> bool:
    return request.first(name) in _TRUE


def _whole(request: Request, name: str) -> int:
    text = request.first(name)
    if not text:
        return 0
    try:
        value = int(text)
    except ValueError:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
    return max(value, 0)


def _version(request: Request) -> int | None:
    text = request.first("resourceVersion")
    if not text:
        return None
    if not text.isdigit():
        raise errors.bad_request(
            f'invalid resource version: resourceVersion: Invalid value: "{text}": '
            f'strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    return int(text)
