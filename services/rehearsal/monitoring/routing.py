"""The Alertmanagers' configuration: who is told what, what hides what, and how that reads as YAML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.rehearsal.monitoring.promql.tree import Matcher

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Route:
    """One branch: alerts that match go to a receiver."""

    receiver: str
    matchers: tuple[Matcher, ...]


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert that matches `source` fires, those that match `target` with equal labels are hidden."""

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...]


DEFAULT = "team-chat"
RECEIVERS = (DEFAULT, "on-call-pager", "dead-mans-switch")
ROUTES = (
    Route("dead-mans-switch", (Matcher("alertname", "=", "Watchdog"),)),
    Route("on-call-pager", (Matcher("severity", "=", "critical"),)),
)
GROUP_BY = ("alertname", "namespace")
INHIBITIONS = (
    Inhibition(
        (Matcher("alertname", "=~", ".+Down"), Matcher("severity", "=", "critical")),
        (Matcher("alertname", "=", "KubeDeploymentReplicasMismatch"),),
        ("namespace", "deployment"),
    ),
    Inhibition(
        (Matcher("alertname", "=", "NodeNotReady"),),
        (Matcher("alertname", "=", "TargetDown"),),
        ("node",),
    ),
)


def matches(matchers: tuple[Matcher, ...], labels: Mapping[str, str]) -> bool:
    """Tell whether all matchers hold."""
    return all(one.matches(labels.get(one.name, "")) for one in matchers)


def receiver_of(labels: Mapping[str, str]) -> str:
    """Return who is told of an alert: the first route that matches, else the default."""
    return next((one.receiver for one in ROUTES if matches(one.matchers, labels)), DEFAULT)


def original() -> str:
    """Return the configuration as Alertmanager shows it, secrets masked."""
    lines = [
        "global:",
        "  resolve_timeout: 5m",
        "route:",
        f"  receiver: {DEFAULT}",
        "  group_by:",
        *(f"  - {name}" for name in GROUP_BY),
        "  continue: false",
        "  routes:",
    ]
    for route in ROUTES:
        lines += [f"  - receiver: {route.receiver}", "    matchers:", *(f"    - {one}" for one in route.matchers)]
    lines += ["  group_wait: 30s", "  group_interval: 5m", "  repeat_interval: 4h", "inhibit_rules:"]
    for rule in INHIBITIONS:
        lines += ["- source_matchers:", *(f"  - {one}" for one in rule.source)]
        lines += ["  target_matchers:", *(f"  - {one}" for one in rule.target)]
        lines += ["  equal:", *(f"  - {name}" for name in rule.equal)]
    lines.append("receivers:")
    for name in RECEIVERS:
        lines += [f"- name: {name}", "  slack_configs:", "  - send_resolved: true"]
        lines += [f"    api_url_file: /etc/alertmanager/{name}", f"    channel: '#{name}'"]
    return "\n".join([*lines, "templates: []", ""])
