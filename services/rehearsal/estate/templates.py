"""Pod templates and the hashes that name what comes of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from services.rehearsal.jsonic import Json, encode

if TYPE_CHECKING:
    import random

    from services.rehearsal.estate.blueprint import App

SAFE = "bcdfghjklmnpqrstvwxz2456789"
"""The letters of generated names (apimachinery pkg/util/rand): no vowels, nothing easily misread."""


def selector(app: App) -> dict[str, str]:
    """Return the labels that choose the pods of an app."""
    return {"app.kubernetes.io/name": app.name, "app.kubernetes.io/instance": app.name}


def labels(app: App) -> dict[str, str]:
    """Return the labels of an app and all that belongs to it."""
    return {**selector(app), "app.kubernetes.io/part-of": app.namespace, "team": app.team}


def template(app: App, image: str) -> Json:
    """Return the pod template of an app with this image, defaults filled in as the server does."""
    containers = [_container(app, image)]
    if app.sidecar:
        containers.append(_sidecar(app.sidecar))
    spec: Json = {
        "containers": containers,
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Never" if app.kind in {"Job", "CronJob"} else "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "serviceAccount": app.name,
        "serviceAccountName": app.name,
        "terminationGracePeriodSeconds": 30,
    }
    if app.host_network:
        spec["hostNetwork"] = True
    if app.kind == "DaemonSet":
        spec["tolerations"] = [{"operator": "Exists"}]
    annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": str(app.port)}
    return {"metadata": {"labels": labels(app), "annotations": annotations}, "spec": spec}


def _container(app: App, image: str) -> Json:
    container: Json = {
        "name": app.name if app.kind != "CronJob" else "job",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": name, "value": value} for name, value in app.env.items()],
        "resources": {
            "requests": {"cpu": f"{app.cpu}m", "memory": f"{app.memory}Mi"},
            "limits": {"memory": f"{app.memory * 2}Mi"},
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "FallbackToLogsOnError" if app.last_words_policy else "File",
    }
    if app.kind not in {"Job", "CronJob"}:
        container["ports"] = [{"name": "http", "containerPort": app.port, "protocol": "TCP"}]
        container["readinessProbe"] = _probe(app.port, "/ready", 5)
        container["livenessProbe"] = _probe(app.port, "/live", 10)
    if app.kind in {"Deployment", "StatefulSet"}:
        container["envFrom"] = [{"configMapRef": {"name": f"{app.name}-settings"}}]
    if app.volume:
        container["volumeMounts"] = [{"name": "data", "mountPath": "/var/lib/data"}]
    return container


def _probe(port: int, path: str, period: int) -> Json:
    return {
        "httpGet": {"path": path, "port": port, "scheme": "HTTP"},
        "failureThreshold": 3,
        "periodSeconds": period,
        "successThreshold": 1,
        "timeoutSeconds": 1,
    }


def _sidecar(image: str) -> Json:
    return {
        "name": image.rsplit("/", 1)[-1].split(":", maxsplit=1)[0],
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }


def template_hash(pod_template: Json, length: int = 10) -> str:
    """Return the hash that names a template's ReplicaSet or ControllerRevision; equal templates have equal hashes."""
    digest = hashlib.sha256(encode(pod_template)).digest()
    return "".join(SAFE[byte % len(SAFE)] for byte in digest[:length])


def suffix(rng: random.Random, length: int = 5) -> str:
    """Return the random end of a generated name."""
    return "".join(rng.choices(SAFE, k=length))
