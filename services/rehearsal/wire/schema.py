"""Which fields the built-in kinds have: what writes are checked, merged, owned and unpacked by."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.rehearsal.resources import Resource

_FILE = Path(__file__).with_name("schema.txt")
_PACKAGES = {
    "": "core",
    "apps": "apps",
    "batch": "batch",
    "coordination.k8s.io": "coordination",
    "policy": "policy",
    "autoscaling": "hpa",
    "networking.k8s.io": "networking",
}


@dataclass(frozen=True, slots=True)
class Type:
    """What a field holds: a leaf word (`string`, `int`, `quantity`...), a struct by name, a list or a map of it."""

    name: str
    shape: str = ""
    """`[]` for a list, `{}` for a map from strings, empty for one value."""

    @property
    def item(self) -> Type:
        """Return the type of one element."""
        return _type(self.name)

    @property
    def struct(self) -> Struct | None:
        """Return the struct behind one value or element, or None for a leaf."""
        return structs().get(self.name)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a struct."""

    name: str
    number: int
    type: Type
    merge: str | None = None
    """The merge key of a strategic merge patch; empty for lists of plain values; None where lists are replaced."""
    keys: tuple[str, ...] = ()
    """The keys by which a list is a map to those who manage fields."""
    flags: frozenset[str] = frozenset()


@dataclass(slots=True)
class Struct:
    """One struct: its fields by JSON name, and as they are numbered in protobuf."""

    name: str
    atomic: bool = False
    fields: dict[str, Field] = field(default_factory=dict)
    numbered: dict[int, Field] = field(default_factory=dict)
    """Inlined structs are here only, named `-`; their fields are among `fields`."""


def root(resource: Resource) -> Struct | None:
    """Return the struct of a resource's objects; None for custom resources, which may hold anything."""
    package = _PACKAGES.get(resource.group)
    return None if package is None else structs().get(f"{package}.{resource.kind}")


@lru_cache(maxsize=1)
def structs() -> dict[str, Struct]:
    """Return every struct by its name, `package.Kind`; reads the file once."""
    found: dict[str, Struct] = {}
    current = Struct("")
    for line in _FILE.read_text(encoding="ascii").splitlines():
        words = line.split()
        if line[0] != " ":
            current = found[words[0]] = Struct(words[0], atomic="atomic" in words[1:])
        else:
            one = _field(words)
            current.numbered[one.number] = one
            if one.name != "-":
                current.fields[one.name] = one
    for struct in found.values():
        _inline(struct, found)
    return found


def _inline(struct: Struct, found: dict[str, Struct]) -> None:
    for one in struct.numbered.values():
        if one.name == "-":
            inner = found[one.type.name]
            _inline(inner, found)
            struct.fields.update(inner.fields)


def _field(words: list[str]) -> Field:
    name, number, kind, *marks = words
    valued = dict(mark.split("=", 1) for mark in marks if "=" in mark)
    return Field(
        name,
        int(number),
        _type(kind),
        valued.get("merge"),
        tuple(valued["map"].split(",")) if "map" in valued else (),
        frozenset(mark for mark in marks if "=" not in mark),
    )


def _type(kind: str) -> Type:
    return Type(kind[2:], kind[:2]) if kind[:2] in {"[]", "{}"} else Type(kind)
