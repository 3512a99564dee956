"""Objects out of the protobuf that typed clients send (runtime.Unknown in an envelope), in their JSON form."""

from __future__ import annotations

import base64
import struct as binary
from typing import TYPE_CHECKING, Any

import msgspec

from services.rehearsal.clock import micro_stamp, stamp
from services.rehearsal.jsonic import Json, decode
from services.rehearsal.wire.protobuf import MAGIC, varint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.rehearsal.wire.schema import Field, Struct, Type

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
_HEAD, _RAW = 1, 2
_KIND = {1: "apiVersion", 2: "kind"}
_ALWAYS = -62_135_596_800
"""Seconds of Go's zero time."""


def unpack(body: bytes, struct: Struct) -> Json:
    """Return the object in an envelope with its kind and apiVersion; raise ValueError when it is malformed."""
    if not body.startswith(MAGIC):
        raise ValueError("the body is not Kubernetes protobuf")
    parts = {number: value for number, value in _wires(body[len(MAGIC) :]) if isinstance(value, bytes)}
    head = {number: value for number, value in _wires(parts.get(_HEAD, b"")) if isinstance(value, bytes)}
    obj: Json = {name: head[number].decode() for number, name in _KIND.items() if head.get(number)}
    obj.update(_message(parts.get(_RAW, b""), struct))
    return obj


def _message(body: bytes, struct: Struct) -> Json:
    found: Json = {}
    for number, wire in _wires(body):
        known = struct.numbered.get(number)
        if known is None:
            continue
        if known.name == "-":
            inner = known.type.struct
            found.update(_message(_bytes(wire), inner) if inner else {})
        elif known.type.shape == "[]":
            found.setdefault(known.name, []).append(_value(wire, known.type.item))
        elif known.type.shape == "{}":
            key, value = _entry(_bytes(wire), known.type.item)
            found.setdefault(known.name, {})[key] = value
        else:
            _set(found, known, _value(wire, known.type))
    return found


def _set(found: Json, known: Field, value: Any) -> None:  # noqa: ANN401 (any JSON value)
    """Keep a value unless it is the zero that JSON leaves out."""
    if value is None or (value in ("", 0) and value is not False and "zero" not in known.flags):
        return
    if value is False and "zero" not in known.flags:
        return
    found[known.name] = value


def _entry(body: bytes, kind: Type) -> tuple[str, Any]:
    parts = dict(_wires(body))
    return _bytes(parts.get(1, b"")).decode(), _value(parts.get(2, b""), kind)


def _value(wire: int | bytes, kind: Type) -> Any:  # noqa: ANN401 (any JSON value)
    if kind.shape:
        raise ValueError("a list of lists has no protobuf form")
    struct = kind.struct
    if struct is not None:
        return _message(_bytes(wire), struct)
    if isinstance(wire, int):
        return bool(wire) if kind.name == "bool" else wire - (1 << 64) if wire >= 1 << 63 else wire
    if kind.name == "bytes":
        return base64.b64encode(wire).decode()
    if kind.name == "float":
        return binary.unpack("<d", wire)[0]
    return wire.decode() if kind.name == "string" else _special(wire, kind.name)


def _special(wire: bytes, kind: str) -> Any:  # noqa: ANN401 (any JSON value)
    parts = dict(_wires(wire))
    if kind in {"time", "microtime"}:
        seconds, nanos = parts.get(1, 0), parts.get(2, 0)
        if not isinstance(seconds, int) or not isinstance(nanos, int):
            raise ValueError("a time holds whole seconds and nanoseconds")
        seconds = seconds - (1 << 64) if seconds >= 1 << 63 else seconds
        if not parts or seconds <= _ALWAYS:
            return None
        return stamp(seconds) if kind == "time" else micro_stamp(seconds + nanos / 1e9)
    if kind == "quantity":
        return _bytes(parts.get(1, b"")).decode()
    if kind == "intorstring":
        if parts.get(1):
            return _bytes(parts.get(3, b"")).decode()
        return parts.get(2, 0)
    try:
        return decode(_bytes(parts.get(1, b"")))
    except msgspec.DecodeError as error:
        raise ValueError(f"a raw field holds no JSON: {error}") from None


def _bytes(wire: int | bytes) -> bytes:
    if isinstance(wire, int):
        raise ValueError("a number stands where a message belongs")
    return wire


def _wires(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield every field of a message: numbers as they are, everything else as bytes (protobuf encoding, wire types)."""
    position = 0
    while position < len(message):
        key, position = varint(message, position)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, position = varint(message, position)
            yield number, value
            continue
        size = {1: 8, 5: 4}.get(wire, -1)
        if wire == 2:
            size, position = varint(message, position)
        if size < 0:
            raise ValueError(f"wire type {wire} is not known")
        if position + size > len(message):
            raise ValueError("the message is cut short")
        yield number, message[position : position + size]
        position += size
