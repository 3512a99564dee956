"""EndpointSlices that follow the pods behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import fields, resources
from services.rehearsal.simulation import pods

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json
    from services.rehearsal.simulation.world import World
    from services.rehearsal.store import Change, Entry

NAME_LABEL = "app.kubernetes.io/name"
_DELAY = 0.4
_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"


class EndpointController:
    """Keeps one slice for each Service that selects by app name."""

    def __init__(self, world: World) -> None:
        self._world = world
        world.pod_listeners.append(self._pod_changed)

    def _pod_changed(self, change: Change) -> None:
        name = change.entry.labels.get(NAME_LABEL)
        if name:
            self._world.enqueue("Endpoints", change.entry.namespace, name, _DELAY)

    def sync(self, namespace: str, name: str) -> None:
        """Bring the slice of one app up to date."""
        service = self._world.store.get(resources.SERVICES, namespace, name)
        if service is not None:
            self._slice(service, self._members(namespace, name))

    def at_rest(self, namespace: str, name: str) -> None:
        """Make the slice of an app whose pods are all ready, without looking at each."""
        service = self._world.store.get(resources.SERVICES, namespace, name)
        if service is not None:
            endpoints = [_endpoint(one, ready=True, leaving=False) for one in self._members(namespace, name)]
            self._world.store.create(resources.ENDPOINT_SLICES, _new_slice(service, endpoints))

    def _members(self, namespace: str, name: str) -> list[Entry]:
        """Return the app's pods by way of their owners, so that a big estate is not searched."""
        store = self._world.store
        owners = [
            store.collection(kind).entries.get((namespace, name))
            for kind in (resources.STATEFUL_SETS, resources.DEPLOYMENTS)
        ]
        uids = [one.uid for one in owners if one is not None]
        sets = store.collection(resources.REPLICA_SETS)
        uids += [sets.entries[key].uid for uid in uids for key in sets.children.get(uid, ())]
        collection = store.collection(resources.PODS)
        return [collection.entries[key] for uid in uids for key in collection.children.get(uid, ())]

    def _slice(self, service: Json, members: list[Entry]) -> None:
        store = self._world.store
        endpoints = []
        for one in members:
            if one.fields["status.podIP"]:
                leaving = bool(one.fields[fields.LEAVING])
                endpoints.append(_endpoint(one, ready=bool(pods.ready_since(one)), leaving=leaving))
        made = _new_slice(service, endpoints)
        found = store.get(resources.ENDPOINT_SLICES, made["metadata"]["namespace"], made["metadata"]["name"])
        if found is None:
            store.create(resources.ENDPOINT_SLICES, made)
        else:
            found["endpoints"] = endpoints
            store.update(resources.ENDPOINT_SLICES, found)


def _new_slice(service: Json, endpoints: list[Json]) -> Json:
    metadata = service["metadata"]
    labels = {"kubernetes.io/service-name": metadata["name"], _MANAGED_BY: "endpointslice-controller.k8s.io"}
    ports = [
        {"name": one["name"], "port": one["targetPort"], "protocol": one["protocol"]}
        for one in service["spec"]["ports"]
    ]
    return {
        "metadata": {
            "name": f"{metadata['name']}-{metadata['uid'][:5]}",
            "generateName": f"{metadata['name']}-",
            "namespace": metadata["namespace"],
            "creationTimestamp": metadata["creationTimestamp"],
            "labels": {**metadata.get("labels", {}), **labels},
            "ownerReferences": [pods.owner_reference("v1", "Service", service)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": ports,
    }


def _endpoint(entry: Entry, *, ready: bool, leaving: bool) -> Json:
    return {
        "addresses": [entry.fields["status.podIP"]],
        "conditions": {"ready": ready and not leaving, "serving": ready, "terminating": leaving},
        "nodeName": entry.fields["spec.nodeName"],
        "targetRef": {"kind": "Pod", "name": entry.name, "namespace": entry.namespace, "uid": entry.uid},
    }
