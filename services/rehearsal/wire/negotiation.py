"""What shape of answer a request accepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.rehearsal.wire import errors

Shape = Literal["object", "table", "partial", "discovery"]
_JSON = {"application/json", "application/*", "*/*"}
_OFFERED = "application/json"
"""Less than the real server offers: neither YAML nor protobuf."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The chosen shape; `version` is that of its API group (`v1`, or `v2` for discovery)."""

    shape: Shape
    version: str = "v1"
    content_type: str = "application/json"


PLAIN = Accepted("object")


def negotiate(header: str) -> Accepted:
    """Choose the first shape of an Accept header that the server has; raise ApiError 406 when it has none."""
    if not header:
        return PLAIN
    for clause in _by_quality(header):
        chosen = _choose(*clause)
        if chosen is not None:
            return chosen
    raise errors.not_acceptable(_OFFERED)


def _by_quality(header: str) -> list[tuple[str, dict[str, str]]]:
    clauses: list[tuple[float, str, dict[str, str]]] = []
    for part in header.split(","):
        media, *pairs = (piece.strip() for piece in part.split(";"))
        parameters = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 0.0
        clauses.append((quality, media.lower(), parameters))
    clauses.sort(key=lambda clause: -clause[0])
    return [(media, parameters) for _, media, parameters in clauses]


def _choose(media: str, parameters: dict[str, str]) -> Accepted | None:
    if media not in _JSON:
        return None
    wanted, group, version = parameters.get("as"), parameters.get("g", ""), parameters.get("v", "")
    if wanted is None:
        return PLAIN
    if group == "meta.k8s.io" and version in {"v1", "v1beta1"}:
        if wanted == "Table":
            return Accepted("table", version)
        if wanted in {"PartialObjectMetadata", "PartialObjectMetadataList"}:
            return Accepted("partial", version)
    if group == "apidiscovery.k8s.io" and version in {"v2", "v2beta1"} and wanted == "APIGroupDiscoveryList":
        return Accepted("discovery", version, f"application/json;g={group};v={version};as={wanted}")
    return None
