"""Reads a ConfigMap as its keys and a hash of each value: no value is ever held, nor can one be read from a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from sys import intern

from msgspec import Raw, Struct

from services.kubernetes.wire import WireMeta, epoch, ref_of, writer_of
from services.model.cluster import ConfigDigest
from services.model.ref import CONFIGMAPS

MOST_KEYS = 200
"""Keys of one ConfigMap that are told apart; what is beyond them is one hash under the name ""."""


class _Meta(WireMeta, frozen=True, gc=False):
    managed_fields: Raw = Raw()


class WireConfigMap(Struct, frozen=True, gc=False, rename="camel"):
    """A ConfigMap as the API server sends it; values are slices of the answer, hashed and let go."""

    metadata: _Meta
    data: dict[str, Raw] | None = None
    binary_data: dict[str, Raw] | None = None


def digest_of(wire: WireConfigMap, cluster: str) -> ConfigDigest:
    """Return a ConfigMap's keys and hashes; raises ValueError or msgspec's errors where the object makes no sense.

    The hash is a keyed BLAKE2b of 48 bits over the JSON of the value; its key is the object's uid, so that equal values
    of two objects, or of two clusters, cannot be told to be equal.
    """
    ref = ref_of(wire.metadata, CONFIGMAPS, cluster)
    values: Mapping[str, Raw] = {**(wire.data or {}), **(wire.binary_data or {})}
    names = sorted(values)
    keys = [(intern(name), _hash(ref.uid, bytes(values[name]))) for name in names[:MOST_KEYS]]
    if len(names) > MOST_KEYS:
        rest = b"\x00".join(name.encode("utf-8", "replace") + bytes(values[name]) for name in names[MOST_KEYS:])
        keys.append(("", _hash(ref.uid, rest)))
    writer, at = writer_of(wire.metadata.managed_fields, b'"f:data"', b'"f:binaryData"')
    return ConfigDigest(ref, tuple(keys), epoch(wire.metadata.creation_timestamp), writer, at)


def _hash(uid: str, value: bytes) -> str:
    return hashlib.blake2b(value, digest_size=6, key=uid.encode()[:64]).hexdigest()
