"""Connection settings follow the kubeconfig, hold to the pinned cluster, and agree with the official loader."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from scripted_server import Authority

from services.errors import Problem
from services.kubernetes import kubeconfig
from services.kubernetes.kubeconfig import identify
from services.kubernetes.settings import environment_proxy, load, loaded_by_package


def config(folder: Path, user: dict[str, Any], cluster: dict[str, Any] | None = None) -> str:
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://api.example:6443", **(cluster or {})}}],
        "users": [{"name": "u", "user": user}],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_another_current_context_moves_nothing_and_a_new_token_is_taken(tmp_path: Path) -> None:
    path = Path(config(tmp_path, {"token": "old"}))
    identity = identify([path])
    document = yaml.safe_load(path.read_text())
    document["contexts"].insert(0, {"name": "other", "context": {"cluster": "k2", "user": "u2", "namespace": "n"}})
    document["clusters"].append({"name": "k2", "cluster": {"server": "https://other.example:6443"}})
    document["users"] = [{"name": "u2", "user": {"token": "theirs"}}, {"name": "u", "user": {"token": "new"}}]
    path.write_text(yaml.safe_dump(document | {"current-context": "other"}))  # kubectl config use-context other
    again = load(identity, {})
    assert again.token is not None
    assert (again.server, again.token.reveal()) == ("https://api.example:6443", "new")
    assert identify([path]).context == "other"


@pytest.mark.parametrize(
    "shape", ["token", "token-file", "basic", "certificate-data", "certificate-file", "ca", "insecure"]
)
def test_the_official_loader_reads_the_same(tmp_path: Path, shape: str) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("tester")
    for name, data in (("crt", certificate), ("key", key), ("ca", authority.pem), ("tok", b"from-file")):
        (tmp_path / name).write_bytes(data)
    users: dict[str, dict[str, Any]] = {
        "token": {"token": "plain"},
        "token-file": {"tokenFile": "tok"},
        "basic": {"username": "ann", "password": "pw:x"},
        "certificate-data": {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)},
        "certificate-file": {"client-certificate": "crt", "client-key": "key"},
    }
    clusters: dict[str, dict[str, Any]] = {
        "ca": {"certificate-authority": "ca", "tls-server-name": "inner", "proxy-url": "http://proxy:3128"},
        "insecure": {"insecure-skip-tls-verify": True},
        "certificate-data": {"certificate-authority-data": encoded(authority.pem)},
    }
    path = config(tmp_path, users.get(shape, {}), clusters.get(shape))
    ours = load(identify([path]), {})
    theirs = loaded_by_package(kubeconfig.read([path]), "c")
    read = {
        name: Path(theirs[name]).read_bytes() if theirs[name] else b""
        for name in ("ssl_ca_cert", "cert_file", "key_file")
    }
    assert theirs["host"] == ours.server
    assert theirs["verify_ssl"] == ours.verify
    assert (theirs["tls_server_name"] or "") == ours.tls_server_name
    assert (theirs["proxy"] or "") == (ours.proxy.reveal() if ours.proxy else "")
    assert read["ssl_ca_cert"] == ours.ca
    assert read["cert_file"] == ours.certificate
    assert read["key_file"] == (ours.key.reveal().encode() if ours.key else b"")
    authorization = {
        "token": "Bearer plain",
        "token-file": "Bearer from-file",
        "basic": f"Basic {encoded(b'ann:pw:x')}",
    }.get(shape, "")
    assert theirs["token"].replace("basic ", "Basic ") == authorization


def test_secrets_cannot_be_printed(tmp_path: Path) -> None:
    path = config(
        tmp_path, {"token": "s3cr3t", "username": "u", "password": "s3cr3t"}, {"proxy-url": "http://u:s3cr3t@p"}
    )
    assert "s3cr3t" not in repr(load(identify([path]), {}))


def test_another_cluster_under_the_same_context_is_refused(tmp_path: Path) -> None:
    pinned = identify([config(tmp_path, {"token": "a"})])
    config(tmp_path, {"token": "a"}, {"server": "https://elsewhere:6443"})
    with pytest.raises(Problem, match="now names another cluster"):
        load(pinned, {})


def test_impersonation_is_kept(tmp_path: Path) -> None:
    user = {"token": "a", "as": "bob", "as-uid": "7", "as-groups": ["dev"], "as-user-extra": {"scope": ["x", "y"]}}
    acting = load(identify([config(tmp_path, user)]), {}).impersonate
    assert acting is not None
    assert (acting.user, acting.uid, acting.groups, acting.extra) == ("bob", "7", ("dev",), {"scope": ("x", "y")})


@pytest.mark.parametrize("url", ["ftp://p", "socks4://p:1", "http://"])
def test_a_proxy_that_cannot_be_used_is_said(tmp_path: Path, url: str) -> None:
    with pytest.raises(Problem, match="proxy"):
        load(identify([config(tmp_path, {}, {"proxy-url": url})]), {})


@pytest.mark.parametrize(
    ("server", "environ", "expected"),
    [
        ("https://api.example:6443", {"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        ("https://api.example:6443", {"https_proxy": "p:3128"}, "http://p:3128"),
        ("http://api.example", {"HTTPS_PROXY": "http://p:3128"}, ""),
        ("http://api.example", {"HTTP_PROXY": "http://p:3128"}, "http://p:3128"),
        ("https://127.0.0.1:6443", {"HTTPS_PROXY": "http://p"}, ""),
        ("https://localhost:6443", {"HTTPS_PROXY": "http://p"}, ""),
        ("https://[::1]:6443", {"HTTPS_PROXY": "http://p"}, ""),
        ("https://api.example", {"HTTPS_PROXY": "http://p", "NO_PROXY": "*"}, ""),
        ("https://api.example", {"HTTPS_PROXY": "http://p", "NO_PROXY": "other, example"}, ""),
        ("https://example", {"HTTPS_PROXY": "http://p", "NO_PROXY": ".example"}, "http://p"),
        ("https://a.example", {"HTTPS_PROXY": "http://p", "NO_PROXY": ".example"}, ""),
        ("https://notexample", {"HTTPS_PROXY": "http://p", "NO_PROXY": "example"}, "http://p"),
        ("https://api.example:6443", {"HTTPS_PROXY": "http://p", "NO_PROXY": "api.example:443"}, "http://p"),
        ("https://api.example:6443", {"HTTPS_PROXY": "http://p", "NO_PROXY": "api.example:6443"}, ""),
        ("https://10.1.2.3:6443", {"HTTPS_PROXY": "http://p", "NO_PROXY": "10.0.0.0/8"}, ""),
        ("https://10.1.2.3:6443", {"HTTPS_PROXY": "http://p", "NO_PROXY": "10.1.2.3"}, ""),
        ("https://11.1.2.3:6443", {"HTTPS_PROXY": "http://p", "NO_PROXY": "10.0.0.0/8,bad/99"}, "http://p"),
    ],
)
def test_the_environment_names_a_proxy_as_for_kubectl(server: str, environ: dict[str, str], expected: str) -> None:
    assert environment_proxy(server, environ) == expected


def test_the_official_client_is_not_loaded_for_plain_credentials(tmp_path: Path) -> None:
    import subprocess
    import sys

    path = config(tmp_path, {"token": "a"})
    code = (
        f"import sys; from services.kubernetes import kubeconfig, settings;"
        f"settings.load(kubeconfig.identify([{path!r}])); print('kubernetes' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert answer.stdout.strip() == "False"


def test_an_auth_provider_is_left_to_the_official_loader(tmp_path: Path) -> None:
    token = ".".join((encoded(b"{}").rstrip("="), encoded(b'{"exp": 9999999999}').rstrip("="), "sig"))
    user = {"auth-provider": {"name": "oidc", "config": {"id-token": token}}}
    loaded = load(identify([config(tmp_path, user)]), {})
    assert loaded.token is not None
    assert loaded.token.reveal() == token


def test_an_auth_provider_without_a_token_is_said(tmp_path: Path) -> None:
    user = {"auth-provider": {"name": "azure", "config": {}}}
    with pytest.raises(Problem, match="gave no token"):
        load(identify([config(tmp_path, user)]), {})
