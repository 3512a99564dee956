"""The PromQL a console asks: which metrics tell of a workload, how to select its series, what an alert compares."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

LEAST_WINDOW = 120.0
"""Seconds over which a rate is taken at least: four scrapes of half a minute."""


class Family(Struct, frozen=True, gc=False):
    """Metrics of one instrumentation: a counter of requests, the label and pattern of those that failed, a histogram.

    `scale` turns the histogram's unit into seconds.
    """

    counter: str
    code: str
    failed: str
    histogram: str
    scale: float = 1.0


FAMILIES = (
    Family("http_requests_total", "code|status|status_code", "5..", "http_request_duration_seconds_bucket"),
    Family("http_server_requests_seconds_count", "status", "5..", "http_server_requests_seconds_bucket"),
    Family(
        "http_server_request_duration_seconds_count",
        "http_response_status_code",
        "5..",
        "http_server_request_duration_seconds_bucket",
    ),
    Family("istio_requests_total", "response_code", "5..", "istio_request_duration_milliseconds_bucket", 0.001),
    Family("envoy_cluster_upstream_rq", "envoy_response_code", "5..", "envoy_cluster_upstream_rq_time_bucket", 0.001),
    Family(
        "grpc_server_handled_total",
        "grpc_code",
        "Unknown|DeadlineExceeded|Unimplemented|Internal|Unavailable|DataLoss",
        "grpc_server_handling_seconds_bucket",
    ),
)
"""Looked for in this order: Prometheus' own convention, Micrometer, OpenTelemetry, Istio, Envoy, go-grpc-prometheus."""

WORKLOAD_LABELS = ("pod", "deployment", "workload", "destination_workload", "app", "service", "job", "container")
"""Labels that may name a workload, the most exact first."""

_POD_ENDINGS = {
    "Deployment": "-[a-z0-9]{1,10}-[a-z0-9]{5}",
    "ReplicaSet": "-[a-z0-9]{5}",
    "StatefulSet": "-[0-9]+",
    "DaemonSet": "-[a-z0-9]{5}",
}


def quoted(text: str) -> str:
    """Return a PromQL string literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def exactly(text: str) -> str:
    """Return an RE2 pattern of this text alone."""
    return re.sub(r"([.+*?()|\[\]{}^$\\])", r"\\\1", text)


def pods_of(kind: str, name: str) -> str:
    """Return the pattern of the names of a workload's pods, those that are gone included."""
    return exactly(name) + _POD_ENDINGS.get(kind, "(-[a-z0-9]+)*")


def selector(pairs: Iterable[tuple[str, str, str]]) -> str:
    """Return matchers of (label, operator, value) in braces."""
    return "{" + ",".join(f"{label}{operator}{quoted(value)}" for label, operator, value in pairs) + "}"


def chosen(found: Sequence[Mapping[str, str]], kind: str, name: str) -> tuple[str, str, str] | None:
    """Return the matcher that selects a workload among label sets of its namespace, None where none does."""
    pods = re.compile(pods_of(kind, name))
    for label in WORKLOAD_LABELS:
        values = {labels.get(label, "") for labels in found}
        if label == "pod":
            if any(pods.fullmatch(value) for value in values):
                return label, "=~", pods_of(kind, name)
        elif name in values:
            return label, "=", name
    return None


def filled(template: str, namespace: str, workload: str, pods: str) -> str:
    """Return a query of the configuration with what is looked at in its places."""
    for place, value in (("namespace", namespace), ("workload", workload), ("pods", pods)):
        template = template.replace("{" + place + "}", quoted(value)[1:-1])
    return template


class Comparison(Struct, frozen=True, gc=False):
    """What an alert's expression compares: `left operator threshold`; `threshold` None where that cannot be told."""

    left: str
    operator: str = ""
    threshold: float | None = None


_OPERATORS = re.compile(r"(==|!=|>=|<=|>|<)(\s*bool\b)?")
_SET = re.compile(r"\b(and|or|unless)\b", re.IGNORECASE)


def comparison(expression: str) -> Comparison:
    """Cut the comparison off an alert's expression, so that its value can be drawn also while it does not fire.

    Where sets are joined at the top, or nothing is compared with a number, the expression stays whole.
    """
    flat = _flattened(expression)
    found = list(_OPERATORS.finditer(flat))
    if len(found) != 1 or _SET.search(flat):
        inner = expression.strip()
        if not found and inner.startswith("(") and flat.strip("\x00 \n\t()") == "":
            within = comparison(inner[1:-1])
            if within.threshold is not None:
                return within
        return Comparison(expression)
    left, right = expression[: found[0].start()].strip(), expression[found[0].end() :].strip()
    try:
        return Comparison(left, found[0][1], float(right))
    except ValueError:
        pass
    try:
        return Comparison(right, found[0][1].translate(str.maketrans("<>", "><")), float(left))
    except ValueError:
        return Comparison(expression)


def _flattened(expression: str) -> str:
    """Return the expression with all that stands in quotes, braces, brackets and parentheses blanked out."""
    flat, depth, quote, at = [], 0, "", 0
    while at < len(expression):
        sign = expression[at]
        if quote:
            if sign == "\\" and quote != "`":
                flat.append("\x00")
                at += 1
            elif sign == quote:
                quote = ""
            flat.append("\x00")
        elif sign in "\"'`":
            quote = sign
            flat.append("\x00")
        else:
            depth += (sign in "([{") - (sign in ")]}")
            flat.append("\x00" if depth > 0 or sign in ")]}" else sign)
        at += 1
    return "".join(flat[: len(expression)])
