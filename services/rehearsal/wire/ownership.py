"""managedFields after a write: the writer owns what it changed, others lose it (structured-merge-diff, Update)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.rehearsal.jsonic import Json, encode

if TYPE_CHECKING:
    from services.rehearsal.wire.schema import Field, Struct, Type

Path = tuple[str, ...]
_UNOWNED = {"kind", "apiVersion", "status"}
_IDENTITY = {
    *("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"),
    *("deletionTimestamp", "deletionGracePeriodSeconds", "generateName"),
}
_SELF = "."


def note(before: Json | None, after: Json, struct: Struct | None, writer: Json) -> None:
    """Bring `after.metadata.managedFields` up to date; `writer` is an entry without its fieldsV1.

    An entry counts as the writer's own when manager, operation, version and subresource are the same. When nothing
    changed, nothing is noted.
    """
    old = {} if before is None else _owned(before, struct)
    new = _owned(after, struct)
    changed = {path for path, value in new.items() if path not in old or old[path] != value}
    gone = {path for path in old if path not in new}
    if not changed and not gone:
        return
    entries: list[Json] = list((before or {}).get("metadata", {}).get("managedFields", ()))
    kept: list[Json] = []
    mine = set(changed)
    for one in entries:
        paths = set(_paths(one.get("fieldsV1") or {}))
        if _identity(one) == _identity(writer):
            mine |= paths - gone
            continue
        left = {path for path in paths if path not in gone and (path not in changed or path[-1] == _SELF)}
        if left == paths:
            kept.append(one)
        elif left:
            kept.append({**one, "fieldsV1": _tree(left)})
    if mine:
        kept.append({**writer, "fieldsV1": _tree(mine)})
    kept.sort(key=lambda one: (one["operation"] != "Apply", one.get("time", ""), one["manager"]))
    after["metadata"]["managedFields"] = kept


def _identity(one: Json) -> tuple[str, ...]:
    return one["manager"], one["operation"], one["apiVersion"], one.get("subresource", "")


def _owned(obj: Json, struct: Struct | None) -> dict[Path, bytes]:
    """Return the leaves of an object that a manager may own, and what they hold."""
    found: dict[Path, bytes] = {}
    for key, value in obj.items():
        if key in _UNOWNED:
            continue
        known = struct.fields.get(key) if struct else None
        if key == "metadata":
            _members(
                {k: v for k, v in value.items() if k not in _IDENTITY},
                known.type if known else None,
                ("f:metadata",),
                found,
            )
        else:
            _walk(value, known, (f"f:{key}",), found)
    return found


def _walk(value: Any, known: Field | None, path: Path, found: dict[Path, bytes]) -> None:  # noqa: ANN401 (any JSON value)
    struct = known.type.struct if known else None
    atomic = known is not None and ("atomic" in known.flags or (struct is not None and struct.atomic))
    if isinstance(value, dict) and value and not atomic:
        _members(value, known.type if known else None, path, found)
    elif (
        isinstance(value, list)
        and value
        and known
        and not atomic
        and ("set" in known.flags or known.keys or known.merge)
    ):
        found[*path, _SELF] = b""
        for one in value:
            _element(one, known, path, found)
    else:
        found[path] = encode(value)


def _members(value: Json, kind: Type | None, path: Path, found: dict[Path, bytes]) -> None:
    struct = kind.struct if kind and not kind.shape else None
    if kind and kind.shape == "{}":
        found[*path, _SELF] = b""
    for key, one in value.items():
        _walk(one, struct.fields.get(key) if struct else None, (*path, f"f:{key}"), found)


def _element(one: Any, known: Field, path: Path, found: dict[Path, bytes]) -> None:  # noqa: ANN401 (any JSON value)
    if not isinstance(one, dict):
        found[*path, f"v:{encode(one).decode()}"] = b""
        return
    keys = known.keys or (known.merge or "name",)
    inner = (*path, f"k:{encode({key: one[key] for key in sorted(keys) if key in one}).decode()}")
    found[*inner, _SELF] = b""
    _members(one, known.type.item, inner, found)


def _paths(tree: Json, path: Path = ()) -> list[Path]:
    found: list[Path] = []
    for key, inner in tree.items():
        found += _paths(inner, (*path, key)) if inner else [(*path, key)]
    return found


def _tree(paths: set[Path]) -> Json:
    tree: Json = {}
    for path in sorted(paths):
        below = tree
        for step in path:
            below = below.setdefault(step, {})
    return tree
