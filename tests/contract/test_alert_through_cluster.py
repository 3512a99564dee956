"""What a real API server says when it does not hand requests on to a service, in the words of the console."""

from __future__ import annotations

import pytest

from services.clock import SystemClock
from services.config_endpoints import EndpointSettings
from services.endpoint import Endpoint
from services.errors import Problem
from services.kubernetes.credentials import Credentials
from services.kubernetes.kubeconfig import identify
from services.kubernetes.settings import load
from services.kubernetes.transport import Transport
from tests.contract.watched import apply
from tests.controlplane.access import User
from tests.controlplane.plane import ControlPlane


@pytest.mark.parametrize(
    ("user", "service", "sentence"),
    [
        ("viewer", "prometheus:9090", r"cannot get resource \"services/proxy\".*ask for a role that allows it"),
        ("shop-only", "prometheus:9090", r"cannot get resource \"services/proxy\".*ask for a role that allows it"),
        ("admin", "prometheus:9090", r"no endpoints available|not found"),
        ("admin", "nothing:9090", r"not found"),
    ],
)
async def test_the_refusal_is_said(
    plane: ControlPlane, namespace: str, user: User, service: str, sentence: str
) -> None:
    port = {"name": "web", "port": 9090}
    meta = {"name": "prometheus", "namespace": namespace}
    await apply(plane, {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [port]}})
    transport = Transport(Credentials(load(identify([str(plane.kubeconfig(user))])), SystemClock()))
    settings = EndpointSettings(service=f"{namespace}/{service}")
    endpoint = Endpoint("prometheus main", settings, SystemClock(), lambda: transport)
    try:
        with pytest.raises(Problem, match=sentence) as refusal:
            await endpoint.get("/api/v1/status/buildinfo")
    finally:
        await transport.close()
    assert refusal.value.sentence.startswith("Could not ask prometheus main through the cluster: ")
