"""The command line of each server: which flags make a quiet, fast plane on loopback, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from . import audit
from .process import free_port

Component = Literal["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"]
COMPONENTS: tuple[Component, ...] = get_args(Component)
SERVING: tuple[Component, ...] = ("etcd", "kube-apiserver")
"""Enough to serve what is stored, with nothing moving: benchmarks on a quiet machine."""

BUSY_CLIENT = (
    "--kube-api-qps=500",
    "--kube-api-burst=1000",
    "--kube-api-content-type=application/vnd.kubernetes.protobuf",
)
"""The default of 20 to 50 requests a second makes ten thousand pods take an hour."""


@dataclass(frozen=True)
class Layout:
    """Where everything of one plane is: folders below ``data``, and a loopback port for each listener."""

    binaries: Path
    data: Path
    api_port: int = field(default_factory=free_port)
    etcd_port: int = field(default_factory=free_port)
    etcd_peer_port: int = field(default_factory=free_port)
    controllers_port: int = field(default_factory=free_port)
    scheduler_port: int = field(default_factory=free_port)
    kwok_port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def etcd_url(self) -> str:
        return f"http://127.0.0.1:{self.etcd_port}"

    @property
    def etcd_data(self) -> Path:
        return self.data / "etcd"

    @property
    def certificate(self) -> Path:
        """The serving certificate with its authority, made by the API server at its first start."""
        return self.data / "pki" / "apiserver.crt"

    @property
    def kwok_config(self) -> Path:
        return self.data / "kwok.yaml"

    @property
    def audit_policy(self) -> Path:
        return self.data / "audit-policy.json"

    @property
    def audit_log(self) -> Path:
        """What changes the API server was asked for; see ``audit``."""
        return self.data / audit.LOG

    def health_url(self, component: Component) -> str:
        """Name the address that answers 200 once ``component`` serves."""
        return {
            "etcd": f"{self.etcd_url}/health",
            "kube-apiserver": f"{self.url}/readyz",
            "kube-controller-manager": f"https://127.0.0.1:{self.controllers_port}/healthz",
            "kube-scheduler": f"https://127.0.0.1:{self.scheduler_port}/readyz",
            "kwok": f"http://127.0.0.1:{self.kwok_port}/healthz",
        }[component]

    def command(self, component: Component, kubeconfig: Path, tokens: Path, signing_key: Path) -> list[str]:
        """Build the argument list that starts ``component``."""
        match component:
            case "etcd":
                arguments = self._etcd()
            case "kube-apiserver":
                arguments = self._apiserver(tokens, signing_key)
            case "kube-controller-manager":
                arguments = self._controllers(kubeconfig, signing_key)
            case "kube-scheduler":
                arguments = self._secured(kubeconfig, self.scheduler_port)
            case "kwok":
                arguments = self._kwok(kubeconfig)
        return [str(self.binaries / component), *arguments]

    def _etcd(self) -> list[str]:
        peer = f"http://127.0.0.1:{self.etcd_peer_port}"
        return [
            f"--data-dir={self.etcd_data}",
            f"--listen-client-urls={self.etcd_url}",
            f"--advertise-client-urls={self.etcd_url}",
            f"--listen-peer-urls={peer}",
            "--unsafe-no-fsync",  # what a killed process wrote is still in the page cache
            "--quota-backend-bytes=4294967296",
            "--log-level=warn",
        ]

    def _apiserver(self, tokens: Path, signing_key: Path) -> list[str]:
        return [
            f"--etcd-servers={self.etcd_url}",
            f"--secure-port={self.api_port}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={self.certificate.parent}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            f"--audit-policy-file={self.audit_policy}",
            f"--audit-log-path={self.audit_log}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={signing_key}",
            f"--service-account-key-file={signing_key}",
            "--service-cluster-ip-range=10.0.0.0/16",
            "--disable-admission-plugins=ServiceAccount",
            "--kubelet-preferred-address-types=InternalIP",  # the names of simulated nodes resolve to nothing
            "--max-requests-inflight=2000",
            "--max-mutating-requests-inflight=1000",
        ]

    def _controllers(self, kubeconfig: Path, signing_key: Path) -> list[str]:
        syncs = ("deployment", "replicaset", "statefulset", "job", "gc")
        return [
            *self._secured(kubeconfig, self.controllers_port),
            "--node-monitor-grace-period=1h",  # no leases: the simulated kubelets post their status every five minutes
            f"--service-account-private-key-file={signing_key}",
            *(f"--concurrent-{kind}-syncs=20" for kind in syncs),
        ]

    def _secured(self, kubeconfig: Path, port: int) -> list[str]:
        return [
            f"--kubeconfig={kubeconfig}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--tls-cert-file={self.certificate}",
            f"--tls-private-key-file={self.certificate.with_suffix('.key')}",
            *BUSY_CLIENT,
        ]

    def _kwok(self, kubeconfig: Path) -> list[str]:
        return [
            f"--kubeconfig={kubeconfig}",
            f"--config={self.kwok_config}",
            "--manage-all-nodes=true",
            "--node-lease-duration-seconds=0",  # with leases, a pod bound before KWOK has read them back is never run
            "--cidr=10.64.0.1/14",
            "--node-ip=127.0.0.1",
            f"--node-port={self.kwok_port}",
            f"--server-address=127.0.0.1:{self.kwok_port}",
            f"--tls-cert-file={self.certificate}",
            f"--tls-private-key-file={self.certificate.with_suffix('.key')}",
        ]
