"""What stands around the workloads: services, configuration, claims, budgets, autoscalers, a custom resource."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import stamp
from services.rehearsal.columns.registry import register_custom
from services.rehearsal.estate import templates, vocabulary
from services.rehearsal.resources import Resource
from services.rehearsal.wire.serviceproxy import NAMESPACE, SERVED

if TYPE_CHECKING:
    from services.rehearsal.estate.blueprint import App, Blueprint
    from services.rehearsal.jsonic import Json
    from services.rehearsal.simulation.world import World

_DAY = 86400.0


class Furnisher:
    """Adds furniture to an estate at rest."""

    def __init__(self, world: World, plan: Blueprint) -> None:
        self._world = world
        self._plan = plan
        self._rng = plan.rng("furniture")
        self._addresses = 0
        self.custom = _custom(plan)

    def furnish(self) -> None:
        """Create everything; the custom resource is served from now on."""
        for namespace in self._plan.namespaces:
            self._namespace(namespace)
        for app in self._plan.apps:
            self._account(app)
            if app.kind in {"Deployment", "StatefulSet"}:
                self._service(app)
                self._budget(app)
                self._configuration(app)
            if app.kind == "Deployment" and app.namespace in self._plan.teams:
                self._edge(app)
            if app.volume:
                self._claims(app)
        self._custom_objects()
        for name, port in SERVED.items():
            self._watcher(name, port)

    def _watcher(self, name: str, port: int) -> None:
        """Create the Service before a server that watches the estate."""
        ports = [{"name": "web", "port": port, "protocol": "TCP", "targetPort": port}]
        spec: Json = {"type": "ClusterIP", "ports": ports, "sessionAffinity": "None", "ipFamilies": ["IPv4"]}
        self._addresses += 1
        spec["clusterIP"] = f"10.0.{self._addresses // 250}.{self._addresses % 250 + 2}"
        body = {"spec": {**spec, "clusterIPs": [spec["clusterIP"]]}, "status": {"loadBalancer": {}}}
        self._create(resources.SERVICES, NAMESPACE, name, body)

    def _create(self, resource: Resource, namespace: str, name: str, body: Json, app: App | None = None) -> Json:
        age = app.releases[0].age if app else 200 * _DAY
        metadata: Json = {"name": name, "creationTimestamp": stamp(self._world.now - age)}
        if namespace:
            metadata["namespace"] = namespace
        if app is not None:
            metadata["labels"] = templates.labels(app)
        return self._world.store.create(resource, {"metadata": metadata, **body})

    def _namespace(self, namespace: str) -> None:
        certificate = {"ca.crt": "-----BEGIN CERTIFICATE-----\n(shortened)\n-----END CERTIFICATE-----\n"}
        self._create(resources.CONFIG_MAPS, namespace, "kube-root-ca.crt", {"data": certificate})
        self._create(resources.SERVICE_ACCOUNTS, namespace, "default", {})

    def _account(self, app: App) -> None:
        self._create(resources.SERVICE_ACCOUNTS, app.namespace, app.name, {}, app)

    def _service(self, app: App) -> None:
        self._addresses += 1
        address = f"10.0.{self._addresses // 250}.{self._addresses % 250 + 2}"
        headless = app.kind == "StatefulSet"
        spec: Json = {
            "type": "ClusterIP",
            "clusterIP": "None" if headless else address,
            "clusterIPs": ["None" if headless else address],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
            "sessionAffinity": "None",
            "selector": templates.selector(app),
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": app.port}],
        }
        self._create(resources.SERVICES, app.namespace, app.name, {"spec": spec, "status": {"loadBalancer": {}}}, app)

    def _budget(self, app: App) -> None:
        if app.replicas < 2:
            return
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": templates.selector(app)}}
        status = {
            "currentHealthy": app.replicas,
            "desiredHealthy": app.replicas - 1,
            "disruptionsAllowed": 1,
            "expectedPods": app.replicas,
            "observedGeneration": 1,
            "conditions": [],
        }
        self._create(resources.BUDGETS, app.namespace, app.name, {"spec": spec, "status": status}, app)

    def _configuration(self, app: App) -> None:
        rng = self._rng
        settings = {"settings.yaml": f"log: info\nport: {app.port}\nregion: {self._plan.region}\n"}
        self._create(resources.CONFIG_MAPS, app.namespace, f"{app.name}-settings", {"data": settings}, app)
        if rng.random() < 0.5:
            value = base64.b64encode(f"{rng.getrandbits(96):024x}".encode()).decode()
            body = {
                "type": "Opaque",
                "data": {"password": value, "username": base64.b64encode(app.name.encode()).decode()},
            }
            self._create(resources.SECRETS, app.namespace, f"{app.name}-credentials", body, app)

    def _edge(self, app: App) -> None:
        rng = self._rng
        if app.name.endswith(("-api", "-web", "-gateway")):
            host = f"{app.name}.{self._plan.company}.example"
            backend = {"service": {"name": app.name, "port": {"number": 80}}}
            rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
            spec = {
                "ingressClassName": "public",
                "rules": [rule],
                "tls": [{"hosts": [host], "secretName": f"{app.name}-tls"}],
            }
            status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.10"}]}}
            self._create(resources.INGRESSES, app.namespace, app.name, {"spec": spec, "status": status}, app)
        if rng.random() < 0.3:
            self._autoscaler(app)

    def _autoscaler(self, app: App) -> None:
        rng = self._rng
        target = {"type": "Utilization", "averageUtilization": rng.choice((60, 70, 80))}
        spec = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": app.name},
            "minReplicas": max(1, app.replicas - 1),
            "maxReplicas": app.replicas * 2 + 1,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        }
        used = rng.randint(20, 58)
        current = {"averageUtilization": used, "averageValue": f"{app.cpu * used // 100}m"}
        status = {
            "currentReplicas": app.replicas,
            "desiredReplicas": app.replicas,
            "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": current}}],
            "conditions": [],
        }
        self._create(resources.AUTOSCALERS, app.namespace, app.name, {"spec": spec, "status": status}, app)

    def _claims(self, app: App) -> None:
        for index in range(app.replicas):
            spec = {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "20Gi"}},
                "storageClassName": "fast",
                "volumeMode": "Filesystem",
                "volumeName": f"pvc-{self._world.new_uid()}",
            }
            status = {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "20Gi"}}
            name = f"data-{app.name}-{index}"
            self._create(resources.CLAIMS, app.namespace, name, {"spec": spec, "status": status}, app)

    def _custom_objects(self) -> None:
        resource, rng = self.custom, self._rng
        self._world.store.add_resource(resource)
        definition = self._create(
            resources.DEFINITIONS, "", f"{resource.plural}.{resource.group}", _definition(resource)
        )
        register_custom(resource, definition)
        for namespace in self._plan.namespaces:
            name = f"{rng.choice(vocabulary.NOUNS)}-{rng.choice(vocabulary.STORES)}"
            replicas = rng.randint(1, 5)
            body = {
                "spec": {
                    "engine": name.rsplit("-", 1)[1],
                    "replicas": replicas,
                    "size": f"{rng.randint(1, 20) * 10}Gi",
                },
                "status": {"phase": rng.choice(("Ready", "Ready", "Ready", "Degraded")), "readyReplicas": replicas},
            }
            self._create(resource, namespace, name, body)


def _custom(plan: Blueprint) -> Resource:
    group = f"data.{plan.company}.example"
    return Resource("backups", "Backup", group, short=("bk",), subresources=(("status", ""),), custom=True)


def _definition(resource: Resource) -> Json:
    columns = [
        {"name": "Engine", "type": "string", "jsonPath": ".spec.engine"},
        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
        {"name": "Size", "type": "string", "jsonPath": ".spec.size", "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    names = {
        "plural": resource.plural,
        "singular": resource.singular,
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "shortNames": list(resource.short),
    }
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": schema,
        "subresources": {"status": {}},
    }
    return {
        "spec": {
            "group": resource.group,
            "names": names,
            "scope": "Namespaced",
            "conversion": {"strategy": "None"},
            "versions": [{**version, "additionalPrinterColumns": columns}],
        },
        "status": {
            "acceptedNames": names,
            "storedVersions": [resource.version],
            "conditions": [
                {
                    "type": "Established",
                    "status": "True",
                    "reason": "InitialNamesAccepted",
                    "message": "the initial names have been accepted",
                    "lastTransitionTime": None,
                }
            ],
        },
    }
