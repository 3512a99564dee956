"""One JSON codec for the whole estate, so that equal objects are equal bytes."""

from __future__ import annotations

from typing import Any

import msgspec

Json = dict[str, Any]

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode


def clone(value: Json) -> Json:
    """Return a deep copy of a JSON object."""
    copy: Json = decode(encode(value))
    return copy
