"""Nodes, namespaces, events, configuration and network as the server prints them."""

from __future__ import annotations

from services.rehearsal.columns.base import (
    AGE,
    Cell,
    Column,
    Printer,
    Row,
    Since,
    age,
    dig,
    moment,
    name,
    named,
    pairs_text,
    wide,
)
from services.rehearsal.jsonic import Json

_ROLE = "node-role.kubernetes.io/"


def _namespace(obj: Json) -> Row:
    return [name(obj), dig(obj, "status", "phase", default=""), age(obj)]


def _node(obj: Json) -> Row:
    ready = next((c for c in dig(obj, "status", "conditions", default=[]) if c["type"] == "Ready"), None)
    status = "Unknown"
    if ready is not None:
        status = "Ready" if ready["status"] == "True" else "NotReady"
    if dig(obj, "spec", "unschedulable", default=False):
        status += ",SchedulingDisabled"
    roles = sorted(
        label.removeprefix(_ROLE) for label in (obj["metadata"].get("labels") or {}) if label.startswith(_ROLE)
    )
    addresses = {one["type"]: one["address"] for one in dig(obj, "status", "addresses", default=[])}
    info = dig(obj, "status", "nodeInfo", default={})
    return [
        name(obj),
        status,
        ",".join(roles) or "<none>",
        age(obj),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", "<none>"),
        addresses.get("ExternalIP", "<none>"),
        info.get("osImage") or "<unknown>",
        _kernel(info),
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


def _kernel(info: Json) -> str:
    kernel, architecture = info.get("kernelVersion") or "<unknown>", info.get("architecture")
    return f"{kernel} ({architecture})" if architecture else kernel


def _event(obj: Json) -> Row:
    first = moment(obj.get("firstTimestamp") or obj.get("eventTime"))
    last = moment(obj.get("lastTimestamp")) or first
    involved = obj.get("involvedObject", {})
    target = f"{involved.get('kind', '').lower()}/{involved.get('name', '')}"
    source = obj.get("source", {})
    component = source.get("component") or obj.get("reportingComponent", "")
    host = source.get("host", "")
    return [
        Since(last),
        obj.get("type", ""),
        obj.get("reason", ""),
        target,
        involved.get("fieldPath", ""),
        f"{component}, {host}" if host else component,
        (obj.get("message") or "").strip(),
        Since(first),
        obj.get("count") or dig(obj, "series", "count", default=1),
        name(obj),
    ]


def _service(obj: Json) -> Row:
    spec = obj.get("spec", {})
    kind = spec.get("type", "")
    external = ",".join(spec.get("externalIPs", ())) or "<none>"
    if kind == "LoadBalancer":
        ingress = dig(obj, "status", "loadBalancer", "ingress", default=[])
        external = ",".join(one.get("ip") or one.get("hostname", "") for one in ingress) or "<pending>"
    elif kind == "ExternalName":
        external = spec.get("externalName", "")
    ports = ",".join(
        f"{one['port']}:{one['nodePort']}/{one['protocol']}"
        if one.get("nodePort")
        else f"{one['port']}/{one['protocol']}"
        for one in spec.get("ports", ())
    )
    return [
        name(obj),
        kind,
        spec.get("clusterIP") or "<none>",
        external,
        ports or "<none>",
        age(obj),
        pairs_text(spec.get("selector")),
    ]


def _limited(values: list[str], most: int) -> str:
    if not values:
        return "<unset>"
    shown = ",".join(values[:most])
    return f"{shown} + {len(values) - most} more..." if len(values) > most else shown


def _slice(obj: Json) -> Row:
    ports = [str(one["port"]) for one in obj.get("ports") or ()]
    addresses = [address for one in obj.get("endpoints") or () for address in one["addresses"]]
    return [name(obj), obj.get("addressType", ""), _limited(ports, 3), _limited(addresses, 3), age(obj)]


def _ingress(obj: Json) -> Row:
    hosts = [rule.get("host", "*") for rule in dig(obj, "spec", "rules", default=[])] or ["*"]
    shown = ",".join(hosts[:3]) + (f" + {len(hosts) - 3} more..." if len(hosts) > 3 else "")
    address = dig(obj, "status", "loadBalancer", "ingress", default=[])
    return [
        name(obj),
        dig(obj, "spec", "ingressClassName", default="<none>"),
        shown,
        ",".join(one.get("hostname") or one.get("ip", "") for one in address),
        "80, 443" if dig(obj, "spec", "tls") else "80",
        age(obj),
    ]


def _config_map(obj: Json) -> Row:
    return [name(obj), len(obj.get("data") or {}) + len(obj.get("binaryData") or {}), age(obj)]


def _secret(obj: Json) -> Row:
    return [name(obj), obj.get("type", ""), len(obj.get("data") or {}), age(obj)]


def _service_account(obj: Json) -> Row:
    return [name(obj), age(obj)]


_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _claim(obj: Json) -> Row:
    phase = dig(obj, "status", "phase", default="")
    if obj["metadata"].get("deletionTimestamp"):
        phase = "Terminating"
    modes = ",".join(_MODES.get(one, one) for one in dig(obj, "status", "accessModes", default=[]))
    return [
        name(obj),
        phase,
        dig(obj, "spec", "volumeName", default=""),
        dig(obj, "status", "capacity", "storage", default=""),
        modes,
        dig(obj, "spec", "storageClassName", default=""),
        dig(obj, "spec", "volumeAttributesClassName", default="<unset>"),
        age(obj),
        dig(obj, "spec", "volumeMode", default="<unset>"),
    ]


def _budget(obj: Json) -> Row:
    return [
        name(obj),
        str(dig(obj, "spec", "minAvailable", default="N/A")),
        str(dig(obj, "spec", "maxUnavailable", default="N/A")),
        dig(obj, "status", "disruptionsAllowed", default=0),
        age(obj),
    ]


def _quota(obj: Json) -> Row:
    hard = dig(obj, "status", "hard", default={})
    used = dig(obj, "status", "used", default={})
    parts = {key: f"{key}: {used.get(key, '0')}/{value}" for key, value in sorted(hard.items())}
    requests = ", ".join(text for key, text in parts.items() if not key.startswith("limits."))
    limits = ", ".join(text for key, text in parts.items() if key.startswith("limits."))
    return [name(obj), requests, limits, age(obj)]


def _lease(obj: Json) -> Row:
    return [name(obj), dig(obj, "spec", "holderIdentity", default=""), age(obj)]


def _definition(obj: Json) -> Row:
    created: Cell = obj["metadata"].get("creationTimestamp", "")
    return [name(obj), created]


_INTEGER = "integer"

NAMESPACES = Printer(named(Column("Status"), AGE), _namespace)
NODES = Printer(
    named(
        Column("Status"),
        Column("Roles"),
        AGE,
        Column("Version"),
        *wide("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime"),
    ),
    _node,
)
EVENTS = Printer(
    (
        Column("Last Seen"),
        Column("Type"),
        Column("Reason"),
        Column("Object"),
        *wide("Subobject", "Source"),
        Column("Message"),
        *wide("First Seen"),
        Column("Count", "string", 1),
        Column("Name", "string", 1, "name"),
    ),
    _event,
)
SERVICES = Printer(
    named(Column("Type"), Column("Cluster-IP"), Column("External-IP"), Column("Port(s)"), AGE, *wide("Selector")),
    _service,
)
ENDPOINT_SLICES = Printer(named(Column("AddressType"), Column("Ports"), Column("Endpoints"), AGE), _slice)
INGRESSES = Printer(
    named(Column("Class"), Column("Hosts"), Column("Address"), Column("Ports"), AGE),
    _ingress,
)
CONFIG_MAPS = Printer(named(Column("Data"), AGE), _config_map)
SECRETS = Printer(named(Column("Type"), Column("Data"), AGE), _secret)
SERVICE_ACCOUNTS = Printer(named(AGE), _service_account)
CLAIMS = Printer(
    named(
        *(
            Column(one)
            for one in ("Status", "Volume", "Capacity", "Access Modes", "StorageClass", "VolumeAttributesClass")
        ),
        AGE,
        *wide("VolumeMode"),
    ),
    _claim,
)
BUDGETS = Printer(
    named(Column("Min Available"), Column("Max Unavailable"), Column("Allowed Disruptions", _INTEGER), AGE), _budget
)
QUOTAS = Printer(named(Column("Request"), Column("Limit"), AGE), _quota)
LEASES = Printer(named(Column("Holder"), AGE), _lease)
DEFINITIONS = Printer(named(Column("Created At", "date")), _definition)
