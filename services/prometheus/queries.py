"""The PromQL a console asks of a workload: which metrics may tell of it, and how its series are selected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from services.prometheus.expression import quoted

Matcher = tuple[str, str, str]
"""Label, operator, value."""

PERCENTILES = ("p50", "p95", "p99")


class Family(Struct, frozen=True, gc=False):
    """Metrics of one instrumentation: a counter of requests, where failures show, and a histogram of durations.

    `outcomes` are labels that may hold the outcome, `failed` is the pattern of a bad one, `scale` turns the histogram's
    unit into seconds, `only` says which series count.
    """

    counter: str
    histogram: str
    outcomes: tuple[str, ...]
    failed: str = "5.."
    scale: float = 1.0
    only: tuple[Matcher, ...] = ()


_CODES = ("code", "status", "status_code")
_GRPC = "Unknown|DeadlineExceeded|Unimplemented|Internal|Unavailable|DataLoss"

FAMILIES = (
    # Istio: both sides of a request are counted, each by its own proxy.
    Family(
        "istio_requests_total",
        "istio_request_duration_milliseconds_bucket",
        ("response_code",),
        scale=0.001,
        only=(("reporter", "=~", "destination|waypoint"),),
    ),
    # Linkerd.
    Family(
        "response_total",
        "response_latency_ms_bucket",
        ("classification",),
        failed="failure",
        scale=0.001,
        only=(("direction", "=", "inbound"),),
    ),
    # OpenTelemetry, semantic conventions since 1.23 and before.
    Family(
        "http_server_request_duration_seconds_count",
        "http_server_request_duration_seconds_bucket",
        ("http_response_status_code",),
    ),
    Family(
        "http_server_duration_milliseconds_count",
        "http_server_duration_milliseconds_bucket",
        ("http_status_code",),
        scale=0.001,
    ),
    # Micrometer.
    Family("http_server_requests_seconds_count", "http_server_requests_seconds_bucket", ("status",)),
    # The convention of Prometheus' own libraries, and what exporters that only have the histogram make of it.
    Family("http_requests_total", "http_request_duration_seconds_bucket", _CODES),
    Family("http_request_duration_seconds_count", "http_request_duration_seconds_bucket", _CODES),
    Family("http_requests_received_total", "http_request_duration_seconds_bucket", ("code",)),
    # gRPC: go-grpc-prometheus, and OpenTelemetry (codes are numbers there).
    Family("grpc_server_handled_total", "grpc_server_handling_seconds_bucket", ("grpc_code",), failed=_GRPC),
    Family(
        "rpc_server_duration_milliseconds_count",
        "rpc_server_duration_milliseconds_bucket",
        ("rpc_grpc_status_code",),
        failed="2|4|12|13|14|15",
        scale=0.001,
    ),
    # ingress-nginx: what clients saw, where the workload itself tells nothing.
    Family(
        "nginx_ingress_controller_requests", "nginx_ingress_controller_request_duration_seconds_bucket", ("status",)
    ),
)
"""Looked for in this order."""


class Naming(Struct, frozen=True, gc=False):
    """Labels by which series name what they are of: a namespace, and a pod (`pods`) or the workload."""

    namespace: str
    label: str
    pods: bool = False


NAMINGS = (
    Naming("namespace", "pod", pods=True),
    Naming("kubernetes_namespace", "kubernetes_pod_name", pods=True),
    Naming("k8s_namespace_name", "k8s_pod_name", pods=True),
    Naming("destination_workload_namespace", "destination_workload"),
    Naming("namespace", "workload"),
    Naming("namespace", "deployment"),
    Naming("namespace", "service"),
    Naming("namespace", "app"),
    Naming("namespace", "job"),
    Naming("exported_namespace", "exported_service"),
)
"""The most exact first: relabelling as the operator and the Helm chart do it, then names of the workload itself."""

# The endings of generated names: apimachinery/pkg/util/rand SafeEncodeString and names/generate.go.
_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"
_ENDINGS: Mapping[str, str] = {
    "Deployment": f"-{_SAFE}{{1,10}}-{_SAFE}{{5}}",
    "ReplicaSet": f"-{_SAFE}{{5}}",
    "StatefulSet": "-[0-9]+",
    "DaemonSet": f"-{_SAFE}{{5}}",
    "Job": f"(-[0-9]+)?-{_SAFE}{{5}}",
    "CronJob": f"-[0-9]+(-[0-9]+)?-{_SAFE}{{5}}",
}


def exactly(text: str) -> str:
    """Return an RE2 pattern of this text alone."""
    return re.sub(r"([.+*?()|\[\]{}^$\\])", r"\\\1", text)


def pods_of(kind: str, name: str, pods: Sequence[str] = ()) -> str:
    """Return the pattern of the names of a workload's pods, those that are gone included.

    `pods` are those it has: of a long name they have less than the whole.
    """
    ending = _ENDINGS.get(kind)
    if ending is None:
        return "|".join(exactly(pod) for pod in pods) or exactly(name)
    pattern = exactly(name) + ending
    strays = [pod for pod in pods if not re.fullmatch(pattern, pod)]
    return "|".join([pattern, *map(exactly, strays)])


def selector(pairs: Iterable[Matcher]) -> str:
    """Return matchers in braces."""
    return "{" + ",".join(f"{label}{operator}{quoted(value)}" for label, operator, value in pairs) + "}"


def found_by(naming: Naming, namespace: str, workload: str, pods: str) -> tuple[Matcher, Matcher]:
    """Return the matchers of a workload's series as a naming has them; `pods` is the pattern of its pods."""
    own = (naming.label, "=~", pods) if naming.pods else (naming.label, "=", workload)
    return (naming.namespace, "=", namespace), own


def traffic(family: Family, ours: Sequence[Matcher], rate: str) -> dict[str, str]:
    """Return the queries of requests and failures a second and of durations in seconds; `rate` is a range selector.

    Percentiles are never averaged: the buckets of all pods are summed first.
    """
    ours = (*ours, *family.only)
    failed = [
        f"sum(rate({family.counter}{selector([*ours, (outcome, '=~', family.failed)])}{rate}))"
        for outcome in family.outcomes
    ]
    buckets = f"sum by (le) (rate({family.histogram}{selector(ours)}{rate}))"
    scale = "" if family.scale == 1.0 else f" * {family.scale:g}"
    return {
        "rate": f"sum(rate({family.counter}{selector(ours)}{rate}))",
        "errors": " or ".join(failed),
        **{name: f"histogram_quantile(0.{name[1:]}, {buckets}){scale}" for name in PERCENTILES},
    }


def usage(namespace: str, pods: str, rate: str, bucket: str) -> dict[str, str]:
    """Return the queries of cores and bytes by pod; pods' sums and pause containers would count twice.

    Memory is the highest of each bucket: a short peak is what kills.
    """
    ours = selector([("namespace", "=", namespace), ("pod", "=~", pods), ("container", "!~", "|POD")])
    return {
        "cpu": f"sum by (pod) (rate(container_cpu_usage_seconds_total{ours}{rate}))",
        "memory": f"sum by (pod) (max_over_time(container_memory_working_set_bytes{ours}{bucket}))",
    }


def asked_for(which: str, namespace: str, pods: Sequence[str]) -> str:
    """Return the query of "requests" or "limits" of these pods, by resource: kube-state-metrics has them."""
    pattern = "|".join(map(exactly, pods))
    ours = [("namespace", "=", namespace), ("pod", "=~", pattern), ("resource", "=~", "cpu|memory")]
    return f"sum by (resource) (kube_pod_container_resource_{which}{selector(ours)})"


def filled(template: str, namespace: str, workload: str, pods: str) -> str:
    """Return a query of the configuration with what is looked at in its places.

    A name alone is that of a recording rule with the labels namespace and workload.
    """
    if re.fullmatch(r"[A-Za-z_:][\w:]*", template.strip()):
        return template.strip() + selector([("namespace", "=", namespace), ("workload", "=", workload)])
    for place, value in (("namespace", namespace), ("workload", workload), ("pods", pods)):
        template = template.replace("{" + place + "}", quoted(value)[1:-1])
    return template


def firing(name: str, labels: Mapping[str, str], bucket: str) -> str:
    """Return the query of when an alert was pending or firing; `labels` are those it was sent with.

    What was added on the way (external labels) is not on the series: each label may be missing, none may differ.
    """
    own = [(key, "=~", exactly(value) + "|") for key, value in sorted(labels.items()) if _usable(key, value)]
    matchers = selector([("alertname", "=", name), *own[:MOST_LABELS]])
    return f"max by (alertstate) (max_over_time(ALERTS{matchers}{bucket}))"


MOST_LABELS = 20
LONGEST_VALUE = 256


def _usable(label: str, value: str) -> bool:
    known = label not in ("alertname", "alertstate", "__name__") and len(value) <= LONGEST_VALUE
    return known and re.fullmatch(r"[A-Za-z_]\w*", label) is not None
