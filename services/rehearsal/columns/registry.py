"""Which printer each resource has; custom resources bring their own columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.columns import cluster, pods, workloads
from services.rehearsal.columns.base import AGE, Cell, Column, Conditions, Printer, Row, Since, age, moment, name, named

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json

_PRINTERS: dict[str, Printer] = {
    resources.NAMESPACES.key: cluster.NAMESPACES,
    resources.NODES.key: cluster.NODES,
    resources.PODS.key: pods.PODS,
    resources.EVENTS.key: cluster.EVENTS,
    resources.EVENTS_V1.key: cluster.EVENTS,
    resources.SERVICES.key: cluster.SERVICES,
    resources.CONFIG_MAPS.key: cluster.CONFIG_MAPS,
    resources.SECRETS.key: cluster.SECRETS,
    resources.SERVICE_ACCOUNTS.key: cluster.SERVICE_ACCOUNTS,
    resources.CLAIMS.key: cluster.CLAIMS,
    resources.QUOTAS.key: cluster.QUOTAS,
    resources.DEPLOYMENTS.key: workloads.DEPLOYMENTS,
    resources.REPLICA_SETS.key: workloads.REPLICA_SETS,
    resources.STATEFUL_SETS.key: workloads.STATEFUL_SETS,
    resources.DAEMON_SETS.key: workloads.DAEMON_SETS,
    resources.CONTROLLER_REVISIONS.key: workloads.CONTROLLER_REVISIONS,
    resources.JOBS.key: workloads.JOBS,
    resources.CRON_JOBS.key: workloads.CRON_JOBS,
    resources.ENDPOINT_SLICES.key: cluster.ENDPOINT_SLICES,
    resources.INGRESSES.key: cluster.INGRESSES,
    resources.AUTOSCALERS.key: workloads.AUTOSCALERS,
    resources.BUDGETS.key: cluster.BUDGETS,
    resources.LEASES.key: cluster.LEASES,
    resources.DEFINITIONS.key: cluster.DEFINITIONS,
}


def _plain(obj: Json) -> Row:
    return [name(obj), age(obj)]


PLAIN = Printer(named(AGE), _plain)


def printer(resource: resources.Resource) -> Printer:
    """Return how a resource is printed; name and age when nothing better is known."""
    return _PRINTERS.get(resource.key, PLAIN)


def print_row(resource: resources.Resource, obj: Json) -> tuple[Row, Conditions]:
    """Return the cells of an object's row and the conditions beside them."""
    how = printer(resource)
    return how.cells(obj), how.conditions(obj) if how.conditions else []


def register_custom(resource: resources.Resource, definition: Json) -> None:
    """Take the additionalPrinterColumns of a custom resource definition."""
    version = next(one for one in definition["spec"]["versions"] if one["name"] == resource.version)
    columns = version.get("additionalPrinterColumns") or []
    paths = [(one["jsonPath"].lstrip(".").split("."), one["type"]) for one in columns]

    def cells(obj: Json) -> Row:
        return [name(obj), *(_at(obj, path, kind) for path, kind in paths)]

    defined = tuple(
        Column(one["name"], one["type"], one.get("priority", 0), one.get("format", ""), one.get("description", ""))
        for one in columns
    )
    _PRINTERS[resource.key] = Printer(named(*defined), cells)


def _at(obj: Json, path: list[str], kind: str) -> Cell:
    value: object = obj
    for step in path:
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    if kind == "date":
        return Since(moment(str(value)))
    return value if isinstance(value, str | int | bool) else str(value)
