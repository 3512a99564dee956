"""Kubeconfigs of every shape, read by this program and by the official client: they agree where kubectl agrees."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client import Configuration
from kubernetes.config import list_kube_config_contexts, load_kube_config
from kubernetes.config.incluster_config import InClusterConfigLoader
from scripted_server import Authority

from services.clock import ManualClock
from services.kubernetes import kubeconfig
from services.kubernetes.credentials import Credentials
from services.kubernetes.kubeconfig import identify
from services.kubernetes.settings import load

PLUGIN = """#!{python}
import json, os, sys
known = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
token = "-".join([*sys.argv[1:], os.environ.get("FLAVOUR", ""), known["apiVersion"].rpartition("/")[2]])
print(json.dumps({{"apiVersion": known["apiVersion"], "kind": "ExecCredential", "status": {{"token": token}}}}))
"""
EXEC = {
    "apiVersion": "client.authentication.k8s.io/v1",
    "command": "./bin/plugin",
    "args": ["--cluster", "blue"],
    "env": [{"name": "FLAVOUR", "value": "sweet"}],
    "interactiveMode": "Never",
}


def cluster(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "cluster": {"server": f"https://{name}.example:6443", **more}}


def user(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "user": more}


def context(name: str, cluster: str, user: str, namespace: str = "") -> dict[str, Any]:
    entry = {"cluster": cluster, "user": user} | ({"namespace": namespace} if namespace else {})
    return {"name": name, "context": entry}


def three_files(folder: Path) -> list[dict[str, Any]]:
    """Return a list of files with the same names in several of them, and paths from their own folders."""
    authority = Authority(folder)
    certificate, key = authority.issue("ann")
    for part in ("one", "two", "three"):
        (folder / part).mkdir()
        for name, data in (("ca.crt", authority.pem), ("ann.crt", certificate), ("ann.key", key), ("token", b"filed")):
            (folder / part / name).write_bytes(data)
    pem = base64.b64encode(authority.pem).decode()
    return [
        {
            "current-context": "blue",
            "clusters": [cluster("blue"), cluster("red", **{"certificate-authority": "ca.crt"})],
            "users": [user("ann", **{"client-certificate": "ann.crt", "client-key": "ann.key"})],
            "contexts": [context("blue", "blue", "ann"), context("red", "red", "bob", "shop")],
        },
        {
            "clusters": [cluster("blue", server="https://never.example"), cluster("green", **{"proxy-url": "socks5://p:1"})],
            "users": [user("bob", token="bobs"), user("ann", token="never")],
            "contexts": [context("blue", "red", "bob"), context("green", "green", "cid")],
        },
        {
            "clusters": [
                cluster("grey", **{"certificate-authority-data": pem, "tls-server-name": "inner"}),
                cluster("open", **{"insecure-skip-tls-verify": True, "proxy-url": "http://proxy:3128"}),
            ],
            "users": [user("cid", tokenFile="token"), user("dan", username="dan", password="d:n")],
            "contexts": [context("grey", "grey", "dan"), context("open", "open", "cid"), context("bare", "blue", "")],
        },
    ]  # fmt: skip


def written(folder: Path, documents: list[dict[str, Any]]) -> list[str]:
    """Write a list of files, each into its own folder."""
    paths = []
    for part, document in zip(("one", "two", "three"), documents, strict=False):
        (folder / part).mkdir(exist_ok=True)
        path = folder / part / "config"
        path.write_text(yaml.safe_dump(document))
        paths.append(str(path))
    return paths


def content(path: str | None) -> bytes:
    return Path(path).read_bytes() if path else b""


async def assert_same(paths: list[str], name: str) -> None:
    """Read a context both ways."""
    theirs = Configuration()
    load_kube_config(":".join(paths), name, theirs, persist_config=False)
    ours = load(identify(paths, name), {})
    grant = await Credentials(ours, ManualClock(1_800_000_000.0), environ={"PATH": "/usr/bin:/bin"}).current()
    signed = dict(grant.headers()).get("Authorization", "")
    assert ours.server == theirs.host
    assert ours.verify == theirs.verify_ssl
    assert ours.tls_server_name == (theirs.tls_server_name or "")
    assert (ours.proxy.reveal() if ours.proxy else "") == (theirs.proxy or "")
    assert ours.ca == content(theirs.ssl_ca_cert)
    assert grant.certificate == content(theirs.cert_file)
    assert (grant.key.reveal().encode() if grant.key else b"") == content(theirs.key_file)
    assert signed == theirs.api_key.get("BearerToken", "").replace("basic ", "Basic ")


@pytest.mark.parametrize("name", ["blue", "red", "green", "grey", "open", "bare"])
async def test_every_context_of_a_list_of_files(tmp_path: Path, name: str) -> None:
    await assert_same(written(tmp_path, three_files(tmp_path)), name)


def test_the_contexts_of_a_list(tmp_path: Path) -> None:
    paths = written(tmp_path, three_files(tmp_path))
    theirs, active = list_kube_config_contexts(":".join(paths))
    assert kubeconfig.contexts(paths) == tuple(one["name"] for one in theirs)
    for one in theirs:
        assert identify(paths, one["name"]).namespace == one["context"].get("namespace", "default")
    assert identify(paths).context == active["name"] == "blue"


def test_the_first_current_context_counts_as_for_kubectl_and_not_the_last(tmp_path: Path) -> None:
    documents = three_files(tmp_path)
    documents[1]["current-context"] = "green"
    paths = written(tmp_path, documents)
    assert identify(paths).context == "blue"
    theirs = list_kube_config_contexts(":".join(paths))[1]
    assert theirs["name"] == "green", "the official client has learnt kubectl's rule"


@pytest.mark.parametrize(
    "changes", [{}, {"args": None, "env": None}, {"apiVersion": "client.authentication.k8s.io/v1beta1"}]
)
async def test_an_exec_plugin_beside_its_file(tmp_path: Path, changes: dict[str, Any]) -> None:
    plugin = tmp_path / "one" / "bin" / "plugin"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(PLUGIN.format(python=sys.executable))
    plugin.chmod(0o700)
    spec = {key: value for key, value in (EXEC | changes).items() if value is not None}
    document = {
        "clusters": [cluster("blue")],
        "users": [user("ann", exec=json.loads(json.dumps(spec)))],
        "contexts": [context("blue", "blue", "ann")],
    }
    await assert_same(written(tmp_path, [document]), "blue")


@pytest.mark.parametrize("host", ["10.96.0.1", "fd00::1", "kubernetes.default.svc"])
async def test_inside_a_pod(tmp_path: Path, host: str) -> None:
    (tmp_path / "token").write_text("podtoken")
    (tmp_path / "ca.crt").write_bytes(Authority(tmp_path).pem)
    environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "443"}
    theirs = Configuration()
    loader: Any = InClusterConfigLoader
    loader(str(tmp_path / "token"), str(tmp_path / "ca.crt"), environ=environ).load_and_set(theirs)
    inside = kubeconfig.in_cluster_identity(environ, tmp_path)
    assert inside is not None
    ours = load(inside, environ)
    grant = await Credentials(ours, ManualClock(1_800_000_000.0)).current()
    assert ours.server == theirs.host
    assert ours.ca == content(theirs.ssl_ca_cert)
    assert dict(grant.headers())["Authorization"].casefold() == theirs.api_key["BearerToken"].casefold()
