"""Label and field selectors, read as apimachinery reads them (pkg/labels/selector.go, pkg/fields/selector.go)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.rehearsal import fields
from services.rehearsal.wire import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.rehearsal.resources import Resource
    from services.rehearsal.store import Entry

_KEY = r"(?:[A-Za-z0-9.-]+/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?"
_VALUE = r"[A-Za-z0-9_.-]*"
_SET = re.compile(rf"\s*({_KEY})\s+(in|notin)\s*\(([^()]*)\)\s*")
_COMPARE = re.compile(rf"\s*({_KEY})\s*(==|!=|=|>|<)\s*({_VALUE})\s*")
_EXISTS = re.compile(rf"\s*(!?)\s*({_KEY})\s*")
_FIELD = re.compile(r"([^=!,]+)(==|!=|=)(.*)")

Requirement = tuple[str, str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a resource a request wants."""

    namespace: str
    labels: tuple[Requirement, ...] = ()
    fields: tuple[tuple[str, str, str], ...] = ()

    @property
    def narrow(self) -> bool:
        """Tell whether labels or fields choose among the objects."""
        return bool(self.labels or self.fields)

    def matches(self, entry: Entry) -> bool:
        """Tell whether an object is wanted."""
        if self.namespace and entry.namespace != self.namespace:
            return False
        return all(_holds(entry.labels, one) for one in self.labels) and all(
            _field_holds(entry, one) for one in self.fields
        )

    @property
    def predicate(self) -> Callable[[Entry], bool] | None:
        """Return `matches`, or None when everything is wanted."""
        return self.matches if self.namespace or self.narrow else None


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Read a label selector; raise ApiError 400 when it is malformed."""
    found: list[Requirement] = []
    position = 0
    while position < len(text):
        requirement, position = _requirement(text, position)
        found.append(requirement)
        if position < len(text):
            if text[position] != ",":
                found_text = text[position:].split(maxsplit=1)[0]
                raise errors.bad_request(f"found '{found_text}', expected: ',' or 'end of string'")
            position += 1
    return tuple(found)


def _requirement(text: str, position: int) -> tuple[Requirement, int]:
    if match := _SET.match(text, position):
        values = frozenset(value.strip() for value in match[3].split(","))
        return (match[1], match[2], values), match.end()
    if match := _COMPARE.match(text, position):
        operator = "=" if match[2] == "==" else match[2]
        return (match[1], operator, frozenset((match[3],))), match.end()
    if match := _EXISTS.match(text, position):
        return (match[2], "absent" if match[1] else "exists", frozenset()), match.end()
    raise errors.bad_request(f"unable to parse requirement: found '{text[position:]}', expected: identifier")


def _holds(labels: dict[str, str], requirement: Requirement) -> bool:
    key, operator, values = requirement
    if operator == "exists":
        return key in labels
    if operator == "absent":
        return key not in labels
    if operator in {"!=", "notin"}:
        return labels.get(key) not in values if key in labels else True
    if key not in labels:
        return False
    if operator in {"=", "in"}:
        return labels[key] in values
    return _compares(labels[key], operator, next(iter(values)))


def _compares(have: str, operator: str, want: str) -> bool:
    try:
        return int(have) > int(want) if operator == ">" else int(have) < int(want)
    except ValueError:
        return False


def parse_fields(resource: Resource, text: str) -> tuple[tuple[str, str, str], ...]:
    """Read a field selector; raise ApiError 400 for a malformed one or a field the resource does not offer."""
    known = fields.supported(resource)
    found = []
    for part in text.split(",") if text else ():
        match = _FIELD.fullmatch(part)
        if match is None:
            raise errors.bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        label = match[1].strip()
        if label not in known:
            raise errors.bad_request(_unsupported(resource, label))
        found.append((fields.stored_label(resource, label), "!=" if match[2] == "!=" else "=", match[3]))
    return tuple(found)


def _unsupported(resource: Resource, label: str) -> str:
    if fields.has_own(resource):
        return f"field label not supported: {label}"
    return f'"{label}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def _field_holds(entry: Entry, requirement: tuple[str, str, str]) -> bool:
    label, operator, want = requirement
    if label == "metadata.name":
        have = entry.name
    elif label == "metadata.namespace":
        have = entry.namespace
    else:
        have = entry.fields.get(label, "")
    return (have == want) is (operator == "=")
