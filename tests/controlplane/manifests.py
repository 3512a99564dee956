"""The objects of a realistic estate, as plain dictionaries: nodes, workloads, names a person would meet at work."""

from __future__ import annotations

import zlib
from typing import Any

Manifest = dict[str, Any]

TEAMS = (
    "shop",
    "checkout",
    "payments",
    "catalog",
    "search",
    "identity",
    "notifications",
    "logistics",
    "billing",
    "platform",
)
SERVICES = (
    "web",
    "api",
    "worker",
    "gateway",
    "cache",
    "scheduler",
    "indexer",
    "mailer",
    "pricing",
    "exporter",
    "sessions",
    "reports",
    "webhooks",
    "importer",
    "ledger",
    "images",
    "profile",
    "audit",
    "quotes",
    "tracking",
)
ZONES = ("eu-central-1a", "eu-central-1b", "eu-central-1c")


def numbered(names: tuple[str, ...], index: int) -> str:
    """Give the name at ``index``; past the end of the list they repeat with a number: web, api, ... web-2, api-2."""
    lap, place = divmod(index, len(names))
    return names[place] if lap == 0 else f"{names[place]}-{lap + 1}"


def version(name: str) -> str:
    """Choose a release number that stays the same for the same name."""
    seed = zlib.crc32(name.encode())
    return f"{1 + seed % 4}.{seed // 4 % 30}.{seed // 120 % 10}"


def node(index: int) -> Manifest:
    """Build a simulated node with room for 500 pods."""
    name = f"worker-{index + 1:02d}"
    zone = ZONES[index % len(ZONES)]
    room = {"cpu": "64", "memory": "256Gi", "ephemeral-storage": "200Gi", "pods": "500"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/os": "linux",
                "node.kubernetes.io/instance-type": "m7i.16xlarge",
                "topology.kubernetes.io/region": zone[:-1],
                "topology.kubernetes.io/zone": zone,
            },
        },
        "status": {
            "allocatable": room,
            "capacity": room,
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": "",
                "containerRuntimeVersion": "containerd://2.1.4",
                "kernelVersion": "6.12.40",
                "kubeProxyVersion": "",
                "kubeletVersion": "v1.36.3",
                "machineID": "",
                "operatingSystem": "linux",
                "osImage": "Debian GNU/Linux 13 (trixie)",
                "systemUUID": "",
            },
        },
    }


def pod_template(app: str, image: str, containers: int = 1, variables: int = 4) -> Manifest:
    """Build a pod template: the application, sidecars after it, ``variables`` environment variables in each."""
    environment = [{"name": f"SETTING_{n:02d}", "value": f"value-of-setting-{n:02d}-{app}"} for n in range(variables)]
    names = [app.rpartition("/")[2], "proxy", "metrics", "logs"][:containers]
    images = [
        image,
        "registry.example/mesh/proxy:1.29.1",
        "registry.example/ops/metrics:0.9.2",
        "registry.example/ops/logs:3.2.0",
    ]
    resources = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {
            "terminationGracePeriodSeconds": 30,
            "containers": [
                {
                    "name": name,
                    "image": images[position],
                    "env": environment,
                    "ports": [{"containerPort": 8080 + position}],
                    "resources": resources,
                }
                for position, name in enumerate(names)
            ],
        },
    }


def workload(kind: str, namespace: str, app: str, template: Manifest, **spec: object) -> Manifest:
    """Build a Deployment, StatefulSet or DaemonSet of ``template``, selecting on its ``app`` label."""
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {
            "name": app,
            "namespace": namespace,
            "labels": {"app": app, "team": namespace},
            "annotations": {"kubernetes.io/change-cause": f"release of {template['spec']['containers'][0]['image']}"},
        },
        "spec": {"selector": {"matchLabels": {"app": app}}, "template": template, **spec},
    }


def job_template(app: str, image: str, run_for: str) -> Manifest:
    """Build the template of a Job whose pod runs for ``run_for``, such as ``20s``, and is tried three times."""
    template = pod_template(app, image, variables=2)
    template["metadata"]["annotations"] = {"controlplane/run-for": run_for}
    template["spec"]["restartPolicy"] = "Never"
    return {"metadata": {"labels": {"app": app}}, "spec": {"backoffLimit": 2, "template": template}}


def service(namespace: str, app: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": app, "namespace": namespace},
        "spec": {"selector": {"app": app}, "ports": [{"port": 80, "targetPort": 8080}]},
    }


def ingress(namespace: str, app: str) -> Manifest:
    backend = {"service": {"name": app, "port": {"number": 80}}}
    rule = {
        "host": f"{namespace}.example",
        "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": namespace, "namespace": namespace},
        "spec": {"rules": [rule]},
    }
