"""Gives label sets the fingerprint Alertmanager gives them, so that what others know of an alert can be joined."""

from __future__ import annotations

from collections.abc import Iterable

_OFFSET = 14695981039346656037
_PRIME = 1099511628211
_MASK = 0xFFFFFFFFFFFFFFFF


def fingerprint(labels: Iterable[tuple[str, str]]) -> str:
    """Return the 16 hex digits of a label set; `labels` sorted by name, raw.

    FNV-1a 64 over `name 0xff value 0xff` of each label: prometheus/common, model/signature.go.
    """
    data = b"".join(
        b"%s\xff%s\xff" % (name.encode(errors="surrogatepass"), value.encode(errors="surrogatepass"))
        for name, value in labels
    )
    result = _OFFSET
    for byte in data:
        result = ((result ^ byte) * _PRIME) & _MASK
    return f"{result:016x}"
