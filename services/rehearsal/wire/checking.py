"""Whether a body fits its kind: unknown fields and wrong types, named as the server's decoder names them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.rehearsal.wire.schema import Struct, Type

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json

_QUANTITY = re.compile(r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$")
_QUANTITY_WORDS = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_MICRO = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?")
_ZONED = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
_META = {"kind", "apiVersion"}
_GO = {"string": "string", "bool": "bool", "int": "int32", "float": "float64", "bytes": "string"}


class MisfitError(Exception):
    """A value has another type than its field; the message is the decoder's."""


@dataclass(slots=True)
class Findings:
    """What was found in one body: the paths of its unknown fields, in order."""

    unknown: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """Return the strict decoder's complaint."""
        return "strict decoding error: " + ", ".join(f'unknown field "{one}"' for one in self.unknown)


def fit(obj: Json, struct: Struct) -> Findings:
    """Take unknown fields out of a body, in place, and return their paths; raise MisfitError on a wrong type."""
    findings = Findings()
    _struct(obj, struct, "", findings)
    findings.unknown.sort()
    return findings


def _struct(value: Json, struct: Struct, path: str, findings: Findings) -> None:
    for name in list(value):
        inner = f"{path}.{name}" if path else name
        known = struct.fields.get(name)
        if known is None and name in _META and "metadata" in struct.fields:
            continue
        if known is None:
            findings.unknown.append(inner)
            del value[name]
        elif value[name] is None:
            del value[name]
        else:
            _value(value[name], known.type, inner, struct.name.partition(".")[2], findings)


def _value(value: Any, kind: Type, path: str, where: str, findings: Findings) -> None:  # noqa: ANN401 (any JSON value)
    if kind.shape == "[]":
        if not isinstance(value, list):
            raise _mismatch(value, f"{where}.{path}", f"[]{kind.name}")
        for index, one in enumerate(value):
            _value(one, kind.item, f"{path}[{index}]", where, findings)
    elif kind.shape == "{}":
        if not isinstance(value, dict):
            raise _mismatch(value, f"{where}.{path}", "map[string]string")
        for one in value.values():
            _value(one, kind.item, path, where, findings)
    elif (struct := kind.struct) is not None:
        if not isinstance(value, dict):
            raise _mismatch(value, f"{where}.{path}", struct.name.replace("core.", "v1."))
        _struct(value, struct, path, findings)
    else:
        _leaf(value, kind.name, path, where)


def _leaf(value: Any, kind: str, path: str, where: str) -> None:  # noqa: ANN401 (any JSON value)
    if kind in _GO:
        wanted: Any = {"string": str, "bool": bool, "int": int, "float": (int, float), "bytes": str}[kind]
        if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "bool"):
            raise _mismatch(value, f"{where}.{path}", _GO[kind])
    elif kind == "quantity":
        if isinstance(value, bool) or not isinstance(value, str | int | float) or not _QUANTITY.match(str(value)):
            raise MisfitError(_QUANTITY_WORDS)
    elif kind == "intorstring":
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise _mismatch(value, f"{where}.{path}", "intstr.IntOrString")
    elif kind in {"time", "microtime"}:
        _time(value, kind, f"{where}.{path}")


def _time(value: Any, kind: str, where: str) -> None:  # noqa: ANN401 (any JSON value)
    if not isinstance(value, str):
        raise _mismatch(value, where, "string")
    layout = "2006-01-02T15:04:05.000000Z07:00" if kind == "microtime" else "2006-01-02T15:04:05Z07:00"
    if kind == "microtime" and _ZONED.match(value):
        found = _MICRO.match(value)
        if found and found[1] is None:
            raise MisfitError(f'parsing time "{value}" as "{layout}": cannot parse "{value[19:]}" as ".000000"')
    elif not _ZONED.match(value):
        raise MisfitError(f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"')


def _mismatch(value: Any, where: str, wanted: str) -> MisfitError:  # noqa: ANN401 (any JSON value)
    place = re.sub(r"\[\d+\]", "", where)
    return MisfitError(f"json: cannot unmarshal {_word(value)} into Go struct field {place} of type {wanted}")


def _word(value: Any) -> str:  # noqa: ANN401 (any JSON value)
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"
