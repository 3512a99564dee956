"""Resource paths of the Kubernetes API."""

from __future__ import annotations

from dataclasses import dataclass

from services.rehearsal.wire.access import Attributes

_NAMESPACE_SUBRESOURCES = {"status", "finalize"}


@dataclass(frozen=True, slots=True)
class Target:
    """What a path points at; empty strings where it names nothing."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    def attributes(self, verb: str) -> Attributes:
        """Return what authorisation asks about; a namespace object counts as inside itself."""
        namespace = self.name if self.plural == "namespaces" and not self.group else self.namespace
        return Attributes(verb, self.plural, self.group, namespace, self.name, self.subresource)


def parse(path: str) -> Target | None:
    """Read a path; None when it is no resource path (discovery, health, version)."""
    steps = path.strip("/").split("/")
    if steps[0] == "api" and len(steps) > 2:
        return _rest("", steps[1], steps[2:])
    if steps[0] == "apis" and len(steps) > 3:
        return _rest(steps[1], steps[2], steps[3:])
    return None


def _rest(group: str, version: str, steps: list[str]) -> Target | None:
    in_namespace = steps[0] == "namespaces" and len(steps) > 2 and steps[2] not in _NAMESPACE_SUBRESOURCES
    namespace = ""
    if in_namespace:
        namespace, steps = steps[1], steps[2:]
    if len(steps) > 3 or not all(steps):
        return None
    padded = [*steps, "", ""]
    return Target(group, version, padded[0], namespace, padded[1], padded[2])
