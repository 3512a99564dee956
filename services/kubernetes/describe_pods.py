"""Describes pods and the containers of pod templates: what runs, in which state, with what limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.kubernetes.describe_text import block, field, scalar, when

Lines = list[str]
SOURCES = ("configMap", "secret", "persistentVolumeClaim", "emptyDir", "hostPath", "projected", "csi", "downwardAPI")


def pod_summary(document: Mapping[str, Any], now: float) -> Lines:
    """Return a pod's own lines: where it runs, its containers with their states, its volumes."""
    spec, status = document.get("spec") or {}, document.get("status") or {}
    lines = [field("Status", status.get("reason") or status.get("phase"))]
    if status.get("message"):
        lines.append(field("Message", status["message"]))
    lines += [
        field("Node", f"{spec.get('nodeName') or '<none>'}/{status.get('hostIP') or ''}".rstrip("/")),
        field("Started", when(status["startTime"], now) if status.get("startTime") else None),
        field("IP", status.get("podIP")),
        field("Service Account", spec.get("serviceAccountName")),
        field("QoS Class", status.get("qosClass")),
    ]
    if spec.get("priorityClassName"):
        lines.append(field("Priority Class", spec["priorityClassName"]))
    for name, specs, states in (
        ("Init Containers", "initContainers", "initContainerStatuses"),
        ("Containers", "containers", "containerStatuses"),
        ("Ephemeral Containers", "ephemeralContainers", "ephemeralContainerStatuses"),
    ):
        if spec.get(specs):
            known = {each.get("name"): each for each in status.get(states) or ()}
            lines += [f"{name}:", *container_lines(spec[specs], known, now)]
    lines += _volumes(spec)
    lines += block("Node Selectors", spec.get("nodeSelector") or "<none>")
    return lines + block("Tolerations", [_toleration(each) for each in spec.get("tolerations") or ()] or "<none>")


def template_lines(template: Mapping[str, Any]) -> Lines:
    """Return the lines of a workload's pod template."""
    spec = template.get("spec") or {}
    lines = ["Pod Template:"]
    if spec.get("serviceAccountName"):
        lines.append(field("Service Account", spec["serviceAccountName"], 2))
    for name, key in (("Init Containers", "initContainers"), ("Containers", "containers")):
        if spec.get(key):
            lines += [f"  {name}:", *("  " + line for line in container_lines(spec[key], {}, 0.0))]
    return lines + [f"  {line}" for line in _volumes(spec)]


def container_lines(
    containers: Iterable[Mapping[str, Any]], states: Mapping[Any, Mapping[str, Any]], now: float
) -> Lines:
    """Return the lines of some containers; `states` are their statuses by name (none for a template)."""
    lines: Lines = []
    for container in containers:
        state = states.get(container.get("name"))
        lines.append(f"  {container.get('name')}:")
        lines.append(field("Image", container.get("image"), 4))
        if state is not None and state.get("imageID"):
            lines.append(field("Image ID", state["imageID"], 4))
        ports = [f"{each.get('containerPort')}/{each.get('protocol', 'TCP')}" for each in container.get("ports") or ()]
        if ports:
            lines.append(field("Ports", ", ".join(ports), 4))
        for key in ("command", "args"):
            if container.get(key):
                lines.append(field(key.capitalize(), " ".join(map(str, container[key])), 4))
        if state is not None:
            lines += _states(state, now)
        lines += _resources(container.get("resources") or {})
        for key in ("livenessProbe", "readinessProbe", "startupProbe"):
            if container.get(key):
                lines.append(field(key.removesuffix("Probe").capitalize(), _probe(container[key]), 4))
        lines += _environment(container)
        mounts = [
            f"{each.get('mountPath')} from {each.get('name')} ({'ro' if each.get('readOnly') else 'rw'})"
            for each in container.get("volumeMounts") or ()
        ]
        lines += block("Mounts", mounts, 4) if mounts else []
    return lines


def _states(status: Mapping[str, Any], now: float) -> Lines:
    lines = _state("State", status.get("state") or {}, now)
    if status.get("lastState"):
        lines += _state("Last State", status["lastState"], now)
    return [*lines, field("Ready", bool(status.get("ready")), 4), field("Restarts", status.get("restartCount", 0), 4)]


def _state(name: str, state: Mapping[str, Any], now: float) -> Lines:
    for word, details in state.items():
        lines = [field(name, word.capitalize(), 4)]
        about = details or {}
        for key in ("reason", "message"):
            if about.get(key):
                lines += block(key.capitalize(), about[key], 6)
        if about.get("exitCode") is not None:
            lines.append(field("Exit Code", about["exitCode"], 6))
        for key, label in (("startedAt", "Started"), ("finishedAt", "Finished")):
            if about.get(key):
                lines.append(field(label, when(about[key], now), 6))
        return lines
    return [field(name, "Waiting", 4)]


def _resources(resources: Mapping[str, Any]) -> Lines:
    lines: Lines = []
    for key in ("limits", "requests"):
        if resources.get(key):
            amounts = ", ".join(f"{name} {scalar(amount)}" for name, amount in resources[key].items())
            lines.append(field(key.capitalize(), amounts, 4))
    return lines


def _environment(container: Mapping[str, Any]) -> Lines:
    shown = [
        f"all of {kind.removesuffix('Ref')} {each[kind].get('name')}"
        for each in container.get("envFrom") or ()
        for kind in ("configMapRef", "secretRef")
        if each.get(kind)
    ]
    shown += [f"{each.get('name')}: {_value(each)}" for each in container.get("env") or ()]
    return block("Environment", shown, 4) if shown else []


def _value(variable: Mapping[str, Any]) -> str:
    source = variable.get("valueFrom") or {}
    for kind, word in (("secretKeyRef", "secret"), ("configMapKeyRef", "config map")):
        if source.get(kind):
            return f"<set to the key {source[kind].get('key')} of {word} {source[kind].get('name')}>"
    if source.get("fieldRef"):
        return f"<{source['fieldRef'].get('fieldPath')}>"
    if source.get("resourceFieldRef"):
        return f"<{source['resourceFieldRef'].get('resource')}>"
    return str(variable.get("value", ""))


def _probe(probe: Mapping[str, Any]) -> str:
    how = next((name for name in ("httpGet", "tcpSocket", "exec", "grpc") if probe.get(name)), "")
    about = probe.get(how) or {}
    where = " ".join(map(str, about.get("command") or ())) or f":{about.get('port', '')}{about.get('path', '')}"
    delay, timeout = probe.get("initialDelaySeconds", 0), probe.get("timeoutSeconds", 1)
    period, failures = probe.get("periodSeconds", 10), probe.get("failureThreshold", 3)
    return f"{how} {where} delay {delay}s, timeout {timeout}s, every {period}s, fails after {failures}"


def _volumes(spec: Mapping[str, Any]) -> Lines:
    shown = []
    for volume in spec.get("volumes") or ():
        kind = next((name for name in SOURCES if name in volume), next((key for key in volume if key != "name"), ""))
        about = volume.get(kind) or {}
        named = about.get("name") or about.get("secretName") or about.get("claimName") or about.get("path") or ""
        shown.append(f"{volume.get('name')}: {kind} {named}".rstrip())
    return block("Volumes", shown) if shown else []


def _toleration(toleration: Mapping[str, Any]) -> str:
    value = f"={toleration['value']}" if toleration.get("value") else ""
    seconds = toleration.get("tolerationSeconds")
    limit = f" for {seconds}s" if seconds is not None else ""
    operator = " op=Exists" if toleration.get("operator") == "Exists" else ""
    return f"{toleration.get('key', '')}{value}:{toleration.get('effect', '')}{operator}{limit}".lstrip(":")
