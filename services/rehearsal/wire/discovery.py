"""Which groups, versions and resources the server has: in the plain form and aggregated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal.jsonic import Json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.rehearsal.resources import Resource

_FOREIGN = {"Scale": ("autoscaling", "v1"), "Eviction": ("policy", "v1")}
"""Kinds of subresources that belong to another group than their resource."""


class Catalogue:
    """The served resources, found by path and described to clients."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._by_path: dict[tuple[str, str, str], Resource] = {}
        self._by_group: dict[tuple[str, str], list[Resource]] = {}
        for resource in resources:
            self.add(resource)

    def add(self, resource: Resource) -> None:
        """Serve one more resource."""
        self._by_path[resource.group, resource.version, resource.plural] = resource
        self._by_group.setdefault((resource.group, resource.version), []).append(resource)

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """Return the resource at a path, or None."""
        return self._by_path.get((group, version, plural))

    def has_version(self, group: str, version: str) -> bool:
        """Tell whether a group's version is served."""
        return (group, version) in self._by_group

    def groups(self) -> dict[str, list[str]]:
        """Return the versions of each named group."""
        found: dict[str, list[str]] = {}
        for group, version in self._by_group:
            if group:
                found.setdefault(group, []).append(version)
        return found

    def group_list(self) -> Json:
        """Return the APIGroupList of /apis."""
        return {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [self._group(group, versions) for group, versions in self.groups().items()],
        }

    def group(self, group: str) -> Json | None:
        """Return the APIGroup of /apis/{group}, or None."""
        versions = self.groups().get(group)
        return None if versions is None else {"kind": "APIGroup", "apiVersion": "v1", **self._group(group, versions)}

    def resource_list(self, group: str, version: str) -> Json:
        """Return the APIResourceList of one group version."""
        listed: list[Json] = []
        for resource in self._by_group[group, version]:
            listed.append(_described(resource))
            listed.extend(_subresource(resource, name, kind) for name, kind in resource.subresources)
        head = {"kind": "APIResourceList", **({"apiVersion": "v1"} if group else {})}
        return {**head, "groupVersion": f"{group}/{version}" if group else version, "resources": listed}

    def aggregated(self, *, core: bool, version: str) -> Json:
        """Return the APIGroupDiscoveryList of /api (`core`) or /apis; `version` is that of apidiscovery.k8s.io."""
        wanted = {"": ["v1"]} if core else self.groups()
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"apidiscovery.k8s.io/{version}",
            "metadata": {},
            "items": [
                {
                    "metadata": {"name": group} if group else {},
                    "versions": [
                        {
                            "version": one,
                            "resources": [_discovered(resource) for resource in self._by_group[group, one]],
                            "freshness": "Current",
                        }
                        for one in versions
                    ],
                }
                for group, versions in wanted.items()
            ],
        }

    def _group(self, group: str, versions: list[str]) -> Json:
        listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
        return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def versions(address: str) -> Json:
    """Return the APIVersions of /api."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def _described(resource: Resource) -> Json:
    described: Json = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short:
        described["shortNames"] = list(resource.short)
    if resource.categories:
        described["categories"] = list(resource.categories)
    return described


def _subresource(resource: Resource, name: str, kind: str) -> Json:
    described: Json = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": kind or resource.kind,
        "verbs": _verbs(name),
    }
    if kind in _FOREIGN:
        group, version = _FOREIGN[kind]
        described |= {"group": group, "version": version}
    return described


def _verbs(subresource: str) -> list[str]:
    if subresource == "eviction":
        return ["create"]
    return ["get"] if subresource == "log" else ["get", "patch", "update"]


def _discovered(resource: Resource) -> Json:
    found: Json = {
        "resource": resource.plural,
        "responseKind": {"group": "", "version": "", "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short:
        found["shortNames"] = list(resource.short)
    if resource.categories:
        found["categories"] = list(resource.categories)
    if resource.subresources:
        found["subresources"] = [
            {"subresource": name, "responseKind": _response_kind(resource, kind), "verbs": _verbs(name)}
            for name, kind in resource.subresources
        ]
    return found


def _response_kind(resource: Resource, kind: str) -> Json:
    if kind in _FOREIGN:
        group, version = _FOREIGN[kind]
        return {"group": group, "version": version, "kind": kind}
    return {"group": "", "version": "", "kind": kind or resource.kind}
