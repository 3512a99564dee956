"""The pieces every Kubernetes wire struct shares: metadata, conditions, times, and values kept once however often sent.

Wire structs hold only the fields that are shown or acted upon; unknown fields are skipped, and null stands for absent.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from math import inf
from sys import intern

from msgspec import Raw, Struct, field
from msgspec.json import Decoder

from services.model.ref import Ref, Resource
from services.model.workload import Condition, Owner

_SHARED_ENTRIES = 4096
_NOTHING = (b"", b"null")


class WireMeta(Struct, frozen=True, gc=False, rename="camel"):
    """`metadata` of any object. Labels and owners stay raw: equal ones of many objects are decoded once."""

    name: str = ""
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    generation: int | None = None
    labels: Raw = Raw()
    owner_references: Raw = Raw()


class WireOwner(Struct, frozen=True, gc=False):
    """One owner reference."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None


class WireCondition(Struct, frozen=True, gc=False, rename="camel"):
    """One entry of `status.conditions` of any kind."""

    type: str = ""
    status: str = ""
    reason: str | None = None
    message: str | None = None
    last_transition_time: str | None = None
    last_update_time: str | None = None


class WireImage(Struct, frozen=True, gc=False):
    """A container of a pod template, of which only the image is kept."""

    image: str | None = None


class WireTemplateSpec(Struct, frozen=True, gc=False):
    """The pod spec inside a template."""

    containers: list[WireImage] | None = None


class WireTemplate(Struct, frozen=True, gc=False):
    """A pod template."""

    spec: WireTemplateSpec | None = None


class _Named(Struct, frozen=True, gc=False):
    name: str | None = None


class _Source(Struct, frozen=True, gc=False, rename="camel"):
    config_map: _Named | None = None


class _Projected(Struct, frozen=True, gc=False):
    sources: list[_Source] | None = None


class _Volume(Struct, frozen=True, gc=False, rename="camel"):
    config_map: _Named | None = None
    projected: _Projected | None = None


class _EnvFrom(Struct, frozen=True, gc=False, rename="camel"):
    config_map_ref: _Named | None = None


class _ValueFrom(Struct, frozen=True, gc=False, rename="camel"):
    config_map_key_ref: _Named | None = None


class _Env(Struct, frozen=True, gc=False, rename="camel"):
    value_from: _ValueFrom | None = None


class _Configured(Struct, frozen=True, gc=False, rename="camel"):
    image: str | None = None
    env: list[_Env] | None = None
    env_from: list[_EnvFrom] | None = None


class _ConfiguredSpec(Struct, frozen=True, gc=False, rename="camel"):
    containers: list[_Configured] | None = None
    init_containers: list[_Configured] | None = None
    volumes: list[_Volume] | None = None


class WireConfiguredTemplate(Struct, frozen=True, gc=False):
    """A workload's pod template, with what it reads of ConfigMaps."""

    spec: _ConfiguredSpec | None = None


class WireManagedFields(Struct, frozen=True, gc=False, rename="camel"):
    """One manager's entry in `metadata.managedFields`; the field set stays raw."""

    manager: str | None = None
    subresource: str | None = None
    time: str | None = None
    fields: Raw = field(default=Raw(), name="fieldsV1")


_labels_decoder: Decoder[dict[str, str]] = Decoder(dict[str, str])
_owners_decoder: Decoder[list[WireOwner]] = Decoder(list[WireOwner])
_managed_decoder: Decoder[list[WireManagedFields]] = Decoder(list[WireManagedFields])


@lru_cache(maxsize=8192)
def epoch(text: str | None) -> float:
    """Return an RFC 3339 time as epoch seconds; 0 where there is none or it cannot be read."""
    if not text:
        return 0.0
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0.0


@lru_cache(maxsize=_SHARED_ENTRIES)
def _labels(raw: bytes) -> tuple[str, ...]:
    return tuple(sorted(intern(f"{key}={value}") for key, value in _labels_decoder.decode(raw).items()))


@lru_cache(maxsize=_SHARED_ENTRIES)
def _controller(raw: bytes) -> Owner | None:
    owners = _owners_decoder.decode(raw)
    chosen = next((owner for owner in owners if owner.controller), None)
    return Owner(intern(chosen.kind), chosen.name, chosen.uid) if chosen else None


@lru_cache(maxsize=_SHARED_ENTRIES)
def _shared(values: tuple[str, ...]) -> tuple[str, ...]:
    return values


def labels_of(raw: Raw) -> tuple[str, ...]:
    """Return labels as sorted "key=value" strings; equal label sets are one object. Raises msgspec's errors."""
    data = bytes(raw)
    return () if data in _NOTHING else _labels(data)


def owner_of(raw: Raw) -> Owner | None:
    """Return the controlling owner of `metadata.ownerReferences`, one object for all its children."""
    data = bytes(raw)
    return None if data in _NOTHING else _controller(data)


def label(labels: tuple[str, ...], key: str) -> str:
    """Return the value of one label of `labels_of`'s form, "" where it is not set."""
    prefix = f"{key}="
    return next((entry[len(prefix) :] for entry in labels if entry.startswith(prefix)), "")


def share(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return a tuple equal to `values`, the same object for equal ones."""
    return _shared(values) if values else ()


def config_maps_of(template: WireConfiguredTemplate | None) -> tuple[str, ...]:
    """Return the names of the ConfigMaps that a template's volumes, env and envFrom read, sorted, kept once."""
    if template is None or template.spec is None:
        return ()
    spec, found = template.spec, list[_Named | None]()
    for volume in spec.volumes or ():
        found.append(volume.config_map)
        found += [one.config_map for one in (volume.projected.sources if volume.projected else None) or ()]
    for container in (*(spec.containers or ()), *(spec.init_containers or ())):
        found += [one.config_map_ref for one in container.env_from or ()]
        found += [one.value_from.config_map_key_ref for one in container.env or () if one.value_from]
    return share(tuple(sorted({intern(one.name) for one in found if one is not None and one.name})))


def images_of(template: WireTemplate | WireConfiguredTemplate | None) -> tuple[str, ...]:
    """Return the images of a template's containers, in order, kept once."""
    if template is None or template.spec is None:
        return ()
    return share(tuple(intern(each.image) for each in template.spec.containers or () if each.image))


def conditions_of(wire: list[WireCondition] | None) -> tuple[Condition, ...]:
    """Return conditions in the order the server sent them."""
    return tuple(
        Condition(
            intern(each.type),
            intern(each.status),
            intern(each.reason or ""),
            each.message or "",
            epoch(each.last_transition_time),
            epoch(each.last_update_time),
        )
        for each in wire or ()
    )


Writer = tuple[str, float]
"""A field manager and the time of its last write of any field it owns; ("", 0.0) where that is unsaid."""

NOBODY: Writer = ("", 0.0)


def writer_of(raw: Raw, *marks: bytes) -> Writer:
    """Return the manager that last wrote a field, from `metadata.managedFields`; `marks` as in b'"f:template"'.

    The time is that of the manager's last write of any field it owns, so at the earliest that field's.
    """
    return _writers(raw, marks)[0]


def template_and_scale(raw: Raw) -> tuple[Writer, str]:
    """Return who last wrote `spec.template`, and who owns `spec.replicas`.

    A use of the scale subresource takes that field from all others, and leaves no time of its own
    (k8s.io/apimachinery/pkg/util/managedfields/scalehandler.go, ToParent).
    """
    return _writers(raw, (b'"f:template"',))


def _writers(raw: Raw, marks: tuple[bytes, ...]) -> tuple[Writer, str]:
    data = bytes(raw)
    if data in _NOTHING:
        return NOBODY, ""
    writer, scaler, since = NOBODY, "", 0.0
    for entry in _managed_decoder.decode(data):
        at, fields = epoch(entry.time), bytes(entry.fields)
        if not entry.subresource and at >= writer[1] and any(mark in fields for mark in marks):
            writer = (intern(entry.manager or ""), at)
        if entry.subresource == "scale":
            scaler, since = intern(entry.manager or ""), inf
        elif not entry.subresource and at >= since and b'"f:replicas"' in fields:
            scaler, since = intern(entry.manager or ""), at
    return writer, scaler


def ref_of(meta: WireMeta, resource: Resource, cluster: str) -> Ref:
    """Return the identity of an object; raises ValueError where it has no name."""
    if not meta.name:
        raise ValueError("metadata.name is missing")
    return Ref(
        cluster,
        resource.group,
        resource.kind,
        intern(meta.namespace) if meta.namespace else "",
        meta.name,
        meta.uid or "",
    )
