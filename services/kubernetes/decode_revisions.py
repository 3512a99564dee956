"""Reads a ControllerRevision as one revision of a StatefulSet or DaemonSet: its number, its images, when it was chosen.

Source: kubernetes pkg/controller/history: a template that was used before keeps its object and gets a new number.
"""

from __future__ import annotations

from msgspec import Raw, Struct

from services.kubernetes.wire import WireMeta, WireTemplate, epoch, images_of, owner_of, ref_of, writer_of
from services.model.ref import CONTROLLERREVISIONS, Ref
from services.model.workload import Owner


class Chosen(Struct, frozen=True, gc=False):
    """A revision: `number` counts up, `at` (epoch seconds) is when it got that number."""

    ref: Ref
    owner: Owner | None
    number: int
    images: tuple[str, ...]
    at: float


class _Meta(WireMeta, frozen=True, gc=False):
    managed_fields: Raw = Raw()


class _Spec(Struct, frozen=True, gc=False):
    template: WireTemplate | None = None


class _Data(Struct, frozen=True, gc=False):
    spec: _Spec | None = None


class WireControllerRevision(Struct, frozen=True, gc=False):
    """A ControllerRevision as the API server sends it; `data` is a patch of the workload's template."""

    metadata: _Meta
    revision: int | None = None
    data: _Data | None = None


def chosen_of(wire: WireControllerRevision, cluster: str) -> Chosen:
    """Return a revision; raises ValueError or msgspec's errors where the object makes no sense."""
    meta = wire.metadata
    template = wire.data.spec.template if wire.data is not None and wire.data.spec is not None else None
    _, written_at = writer_of(meta.managed_fields, b'"f:revision"')
    return Chosen(
        ref_of(meta, CONTROLLERREVISIONS, cluster),
        owner_of(meta.owner_references),
        wire.revision or 0,
        images_of(template),
        max(written_at, epoch(meta.creation_timestamp)),
    )
