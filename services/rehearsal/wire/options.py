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
        raise errors.bad_request(f'unrecognized includeObject value: "{text}"')
    return cast("Include", text)


def _check(options: ListOptions) -> None:
    if options.initial_events is not None:
        if not options.watch:
            raise _forbidden_field("sendInitialEvents", "sendInitialEvents is forbidden for list")
        if options.match != "NotOlderThan":
            raise _forbidden_field(
                "resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            )
        if options.initial_events and not options.bookmarks:
            raise _forbidden_field("sendInitialEvents", "sendInitialEvents requires allowWatchBookmarks to be true")
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
        raise _forbidden_field("resourceVersionMatch", f'Unsupported value: "{options.match}"')


def _forbidden_field(field: str, why: str) -> errors.ApiError:
    cause = {"reason": "FieldValueForbidden", "message": f"Forbidden: {why}", "field": field}
    return errors.invalid("ListOptions", f'ListOptions.meta.k8s.io "" is invalid: {field}: Forbidden: {why}', [cause])


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
        raise errors.bad_request(f'Invalid value: "{text}": resourceVersion: must be a non-negative integer')
    return int(text)
