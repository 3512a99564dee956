"""The three kinds of patch: JSON patch (RFC 6902), JSON merge patch (RFC 7386) and strategic merge patch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.rehearsal.jsonic import Json, decode, encode

if TYPE_CHECKING:
    from services.rehearsal.wire.schema import Field, Struct

_DIRECTIVE, _RETAIN = "$patch", "$retainKeys"
_ORDER, _DELETE_PRIMITIVES = "$setElementOrder/", "$deleteFromPrimitiveList/"


class PatchError(Exception):
    """A patch could not be applied; the message is the server's."""


class MergeKeyError(Exception):
    """An element of a merged list lacks its merge key; the message is the server's."""


def json_patch(obj: Json, operations: list[Json]) -> Json:
    """Return a patched copy; raise PatchError when an operation, a `test` among them, fails."""
    document: Any = decode(encode(obj))
    for one in operations:
        document = _operate(document, one)
    if not isinstance(document, dict):
        raise PatchError("the patch left no object")
    return document


def _operate(document: Any, one: Json) -> Any:  # noqa: ANN401 (any JSON value)
    name, path = one.get("op"), _steps(one.get("path", ""))
    if name in {"add", "replace"}:
        if "value" not in one:
            raise PatchError(f"{name} needs a value")
        return _put(document, path, decode(encode(one["value"])), insert=name == "add")
    if name == "remove":
        _take(document, path)
    elif name == "test":
        if _look(document, path, absent=None) != one.get("value"):
            raise PatchError(f"testing value {one.get('path')} failed")
    elif name == "copy":
        value = _look(document, _steps(one.get("from", "")), absent=None)
        return _put(document, path, decode(encode(value)), insert=True)
    elif name == "move":
        return _put(document, path, _take(document, _steps(one.get("from", ""))), insert=True)
    else:
        raise PatchError(f"there is no operation {name!r}")
    return document


def _steps(pointer: Any) -> list[str]:  # noqa: ANN401 (any JSON value)
    if not isinstance(pointer, str) or (pointer and pointer[0] != "/"):
        raise PatchError(f"{pointer!r} is no JSON pointer")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _index(items: list[Any], step: str, most: int) -> int:
    if not step.removeprefix("-").isdecimal():
        raise PatchError(f"{step!r} is no index")
    index = int(step)
    if index < 0 or index >= most:
        raise PatchError(f"index {index} is outside a list of {len(items)}")
    return index


def _parent(document: Any, path: list[str]) -> Any:  # noqa: ANN401 (any JSON value)
    for step in path[:-1]:
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list):
            document = document[_index(document, step, len(document))]
        else:
            raise PatchError(f"{step!r} is not there")
    return document


def _look(document: Any, path: list[str], absent: Any) -> Any:  # noqa: ANN401 (any JSON value)
    if not path:
        return document
    parent = _parent(document, path)
    if isinstance(parent, list):
        return parent[_index(parent, path[-1], len(parent))]
    if not isinstance(parent, dict):
        raise PatchError(f"{path[-1]!r} is not there")
    return parent.get(path[-1], absent)


def _put(document: Any, path: list[str], value: Any, *, insert: bool) -> Any:  # noqa: ANN401 (any JSON value)
    if not path:
        return value
    parent = _parent(document, path)
    if isinstance(parent, list):
        if insert and path[-1] == "-":
            parent.append(value)
        elif insert:
            parent.insert(_index(parent, path[-1], len(parent) + 1), value)
        else:
            parent[_index(parent, path[-1], len(parent))] = value
    elif isinstance(parent, dict):
        parent[path[-1]] = value
    else:
        raise PatchError(f"{path[-1]!r} is in no object")
    return document


def _take(document: Any, path: list[str]) -> Any:  # noqa: ANN401 (any JSON value)
    if not path:
        raise PatchError("the whole document cannot be removed")
    parent = _parent(document, path)
    if isinstance(parent, list):
        return parent.pop(_index(parent, path[-1], len(parent)))
    if not isinstance(parent, dict) or path[-1] not in parent:
        raise PatchError(f"{path[-1]!r} is not there")
    return parent.pop(path[-1])


def merge_patch(target: Any, patch: Any) -> Any:  # noqa: ANN401 (any JSON value)
    """Return `target` with a JSON merge patch applied; the target is not changed."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def strategic(target: Json, patch: Json, struct: Struct | None) -> Json:
    """Return `target` with a strategic merge patch applied (apimachinery pkg/util/strategicpatch).

    Lists with a merge key are merged by it, others replaced; `$patch`, `$retainKeys`, `$deleteFromPrimitiveList` and
    `$setElementOrder` are honoured. Raises PatchError for an unknown directive, MergeKeyError for a missing key.
    """
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != _DIRECTIVE}
    if directive == "delete":
        return {}
    if directive not in {None, "merge"}:
        raise PatchError(f"Unknown patch type found: {directive}")
    merged = dict(target)
    if _RETAIN in patch:
        merged = {key: value for key, value in merged.items() if key in patch[_RETAIN]}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif not key.startswith("$"):
            merged[key] = _merged(merged.get(key), value, struct.fields.get(key) if struct else None, patch, key)
    _arrange(merged, patch, struct)
    return merged


def _arrange(merged: Json, patch: Json, struct: Struct | None) -> None:
    """Order the lists that are only ordered, and take out of plain lists what the patch says, in place."""
    for key, value in patch.items():
        name = key.removeprefix(_ORDER)
        if key.startswith(_ORDER) and name not in patch and name in merged and struct and name in struct.fields:
            merged[name] = _merged(merged[name], [], struct.fields[name], patch, name)
        if key.startswith(_DELETE_PRIMITIVES):
            name = key.removeprefix(_DELETE_PRIMITIVES)
            merged[name] = [one for one in merged.get(name, ()) if one not in value]


def _merged(below: Any, value: Any, known: Field | None, patch: Json, key: str) -> Any:  # noqa: ANN401 (any JSON value)
    if isinstance(value, dict):
        inner = known.type.struct if known and not known.type.shape else None
        return strategic(below if isinstance(below, dict) else {}, value, inner)
    if isinstance(value, list) and known is not None and known.merge is not None:
        return _merge_list(below or [], value, known, patch.get(_ORDER + key))
    return value


def _merge_list(items: list[Any], patch: list[Any], known: Field, order: list[Any] | None) -> list[Any]:
    if not known.merge:
        merged = [*items, *(one for one in patch if one not in items)]
        return _in_order(merged, patch if order is None else order, items)
    key = known.merge
    if any(isinstance(one, dict) and one.get(_DIRECTIVE) == "replace" and len(one) == 1 for one in patch):
        return [one for one in patch if _DIRECTIVE not in one]
    merged = list(items)
    for one in patch:
        if not isinstance(one, dict) or key not in one:
            raise MergeKeyError(f"map: {go_map(one)} does not contain declared merge key: {key}")
        index = next((at for at, old in enumerate(merged) if old.get(key) == one[key]), None)
        if one.get(_DIRECTIVE) == "delete":
            merged = [old for old in merged if old.get(key) != one[key]]
        elif index is None:
            merged.append(strategic({}, one, known.type.struct))
        else:
            merged[index] = strategic(merged[index], one, known.type.struct)
    wanted = [one.get(key) for one in (patch if order is None else order)]
    by_key = {one.get(key): one for one in merged}
    return [by_key[one] for one in _in_order(list(by_key), wanted, [one.get(key) for one in items])]


def _in_order(merged: list[Any], wanted: list[Any], before: list[Any]) -> list[Any]:
    """Put what the patch names in its order, what only the server has where it stood (normalizeElementOrder)."""
    named = sorted((one for one in merged if one in wanted), key=wanted.index)
    others = [one for one in merged if one not in wanted]
    found: list[Any] = []
    while named and others:
        first = others[0] in before and named[0] in before and before.index(others[0]) < before.index(named[0])
        found.append(others.pop(0) if first else named.pop(0))
    return [*found, *named, *others]


def go_map(value: Any) -> str:  # noqa: ANN401 (any JSON value)
    """Write a JSON value as Go's `%v` does: `map[name:c ports:[80]]`, keys in order."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{go_map(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(go_map, value))}]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)
