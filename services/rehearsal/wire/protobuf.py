"""Just enough protobuf to read the reviews that kubectl posts (kubernetes.io runtime.Unknown envelope)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.rehearsal.jsonic import Json

MAGIC = b"k8s\x00"
_RAW = 2
_SPEC = 2
_RESOURCE_ATTRIBUTES = {1: "namespace", 2: "verb", 3: "group", 4: "version", 5: "resource", 6: "subresource", 7: "name"}
_PATH_ATTRIBUTES = {1: "path", 2: "verb"}


def _review_spec(body: bytes) -> dict[str, bytes]:
    """Return the spec of a SelfSubjectAccessReview or SelfSubjectRulesReview; raise ValueError when malformed.

    Its fields are keyed by number (staging/src/k8s.io/api/authorization/v1/generated.proto).
    """
    if not body.startswith(MAGIC):
        raise ValueError("the body is not Kubernetes protobuf")
    raw = next((value for number, value in _fields(body[len(MAGIC) :]) if number == _RAW), b"")
    spec = next((value for number, value in _fields(raw) if number == _SPEC), b"")
    return {str(number): value for number, value in _fields(spec)}


def access_spec(body: bytes) -> Json:
    """Return the spec of an access review in its JSON form; raise ValueError when malformed."""
    found = _review_spec(body)
    spec: Json = {}
    if "1" in found:
        spec["resourceAttributes"] = _strings(found["1"], _RESOURCE_ATTRIBUTES)
    if "2" in found:
        spec["nonResourceAttributes"] = _strings(found["2"], _PATH_ATTRIBUTES)
    return spec


def rules_spec(body: bytes) -> Json:
    """Return the spec of a rules review in its JSON form; raise ValueError when malformed."""
    return {"namespace": _review_spec(body).get("1", b"").decode()}


def _strings(message: bytes, names: dict[int, str]) -> Json:
    return {names[number]: value.decode() for number, value in _fields(message) if number in names and value}


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the length-delimited fields of a message; others are skipped (protobuf encoding, wire types)."""
    position = 0
    while position < len(message):
        key, position = varint(message, position)
        wire = key & 7
        if wire == 0:
            _, position = varint(message, position)
        elif wire == 2:
            size, position = varint(message, position)
            if position + size > len(message):
                raise ValueError("the message is cut short")
            yield key >> 3, message[position : position + size]
            position += size
        elif wire in {1, 5}:
            position += 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire} is not known")


def varint(message: bytes, position: int) -> tuple[int, int]:
    """Return the number that begins at a position, and the position behind it (base 128 varints). Raises ValueError."""
    value = shift = 0
    while True:
        if position >= len(message) or shift > 63:
            raise ValueError("the message is cut short")
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if not byte & 0x80:
            return value, position
