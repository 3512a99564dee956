"""The kubeconfig is read as kubectl reads it, and whatever is wrong with it is one sentence."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.errors import Problem
from services.kubernetes import kubeconfig
from services.kubernetes.kubeconfig import identify

CA = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def document(**changes: object) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "current-context": "prod",
        "clusters": [
            {
                "name": "prod-cluster",
                "cluster": {
                    "server": "https://10.0.0.1:6443/",
                    "certificate-authority-data": base64.b64encode(CA).decode(),
                },
            }
        ],
        "users": [{"name": "alice", "user": {"token": "abc"}}],
        "contexts": [
            {"name": "prod", "context": {"cluster": "prod-cluster", "user": "alice", "namespace": "shop"}},
            {"name": "bare", "context": {"cluster": "prod-cluster", "user": "alice"}},
        ],
    } | {key.replace("_", "-"): value for key, value in changes.items()}


def write(path: Path, content: object) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return str(path)


def sentence(problem: pytest.ExceptionInfo[Problem]) -> str:
    return str(problem.value.sentence)


def test_the_current_context_is_resolved(tmp_path: Path) -> None:
    found = identify([write(tmp_path / "config", document())])
    assert (found.context, found.cluster_name, found.user, found.namespace) == ("prod", "prod-cluster", "alice", "shop")
    assert found.server == "https://10.0.0.1:6443"
    assert found.ca_fingerprint == hashlib.sha256(CA).hexdigest()
    assert len(found.cluster_key) == 32


def test_a_context_can_be_chosen_and_has_the_default_namespace(tmp_path: Path) -> None:
    assert identify([write(tmp_path / "config", document())], "bare").namespace == "default"


def test_the_key_depends_on_server_and_authority_only(tmp_path: Path) -> None:
    first = identify([write(tmp_path / "a", document())])
    renamed = document(current_context="bare")
    assert identify([write(tmp_path / "b", renamed)]).cluster_key == first.cluster_key
    other = document()
    other["clusters"][0]["cluster"]["server"] = "https://10.0.0.2:6443"
    assert identify([write(tmp_path / "c", other)]).cluster_key != first.cluster_key


def test_an_impersonated_user_is_another_identity(tmp_path: Path) -> None:
    acting = document(users=[{"name": "alice", "user": {"token": "abc", "as": "bob"}}])
    assert identify([write(tmp_path / "config", acting)]).user == "alice as bob"


def test_files_merge_as_kubectl_merges_them(tmp_path: Path) -> None:
    first = {
        "current-context": "mixed",
        "contexts": [{"name": "mixed", "context": {"cluster": "shared", "user": "carol"}}],
        "clusters": [{"name": "shared", "cluster": {"server": "https://first:6443"}}],
    }
    second = document(current_context="prod")
    second["clusters"].append({"name": "shared", "cluster": {"server": "https://second:6443", "proxy-url": "http://p"}})
    second["users"].append({"name": "carol", "user": {"token": "of-carol"}})
    paths = [write(tmp_path / "one", first), str(tmp_path / "missing"), write(tmp_path / "two", second)]
    found = identify(paths)
    assert (found.context, found.server, found.user) == ("mixed", "https://first:6443", "carol")
    merged = kubeconfig.read(paths)
    assert merged.clusters["shared"].proxy_url == ""  # an entry is taken whole, never mixed
    assert list(merged.contexts) == ["mixed", "prod", "bare"]


def test_relative_paths_start_at_their_own_file(tmp_path: Path) -> None:
    one = document(
        clusters=[{"name": "prod-cluster", "cluster": {"server": "https://a", "certificate-authority": "ca"}}]
    )
    two = document(
        users=[
            {
                "name": "dave",
                "user": {
                    "client-certificate": "x/crt",
                    "client-key": "/abs/key",
                    "tokenFile": "tok",
                    "exec": {"command": "./bin/login", "apiVersion": "v1"},
                },
            },
            {"name": "erin", "user": {"exec": {"command": "login", "apiVersion": "v1"}}},
        ]
    )
    merged = kubeconfig.read([write(tmp_path / "a" / "one", one), write(tmp_path / "b" / "two", two)])
    assert merged.clusters["prod-cluster"].certificate_authority == str(tmp_path / "a" / "ca")
    dave = merged.users["dave"]
    assert dave.client_certificate == str(tmp_path / "b" / "x" / "crt")
    assert dave.client_key == "/abs/key"
    assert dave.token_file == str(tmp_path / "b" / "tok")
    assert dave.exec is not None
    assert Path(dave.exec.command) == tmp_path / "b" / "bin" / "login"
    erin = merged.users["erin"].exec
    assert erin is not None
    assert erin.command == "login"  # a bare name is searched on PATH


def test_the_list_of_files_comes_from_the_environment(tmp_path: Path) -> None:
    assert kubeconfig.default_paths({"KUBECONFIG": "/a::/b:/a", "HOME": "/h"}) == ("/a", "/b")
    assert kubeconfig.default_paths({"KUBECONFIG": "", "HOME": "/h"}) == ("/h/.kube/config",)


@pytest.mark.parametrize(
    ("content", "context", "words"),
    [
        ("a: [", "", "is not YAML, line"),
        ("just text", "", "is not understood"),
        ("clusters: 3", "", "is not understood"),
        ("contexts: [{name: 7}]", "", "$.contexts[0].name"),
        ("", "", "names no current-context"),
        (document(current_context=""), "", "choose one with --context (prod, bare)"),
        (document(), "prd", 'no context "prd" (it has prod, bare)'),
        (document(clusters=None), "", 'names cluster "prod-cluster", which is not there'),
        (document(contexts=[{"name": "prod", "context": {"user": "alice"}}]), "", "names no cluster"),
        (document(users=[]), "", 'names user "alice", which is not there'),
        (document(clusters=[{"name": "prod-cluster", "cluster": {}}]), "", "has no server address"),
        (
            document(
                clusters=[{"name": "prod-cluster", "cluster": {"server": "s", "certificate-authority": "/no/ca"}}]
            ),
            "",
            "Could not read the certificate authority",
        ),
        (
            document(
                clusters=[{"name": "prod-cluster", "cluster": {"server": "s", "certificate-authority-data": "é"}}]
            ),
            "",
            "is not base64",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path: Path, content: object, context: str, words: str) -> None:
    with pytest.raises(Problem) as problem:
        identify([write(tmp_path / "config", content)], context)
    assert words in sentence(problem)
    assert "\n" not in sentence(problem)


def test_hostile_names_do_not_reach_the_screen(tmp_path: Path) -> None:
    with pytest.raises(Problem) as problem:
        identify([write(tmp_path / "config", document())], "\x1b]0;owned\x07x\u202e")
    assert "\x1b" not in sentence(problem)
    assert "\u202e" not in sentence(problem)


def test_a_missing_file_says_where_it_was_sought(tmp_path: Path) -> None:
    with pytest.raises(Problem) as problem:
        identify([str(tmp_path / "none")])
    assert str(tmp_path / "none") in sentence(problem)


def test_an_unreadable_file_says_why(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="Is a directory"):
        identify([str(tmp_path)])


@pytest.mark.parametrize(
    ("server", "changes", "expected"),
    [
        ("https://host/k8s/clusters/c-1/", {}, "https://host/k8s/clusters/c-1"),
        ("host:8080", {}, "http://host:8080"),
        ("host:6443", {"insecure-skip-tls-verify": True}, "https://host:6443"),
    ],
)
def test_servers_are_written_out(tmp_path: Path, server: str, changes: dict[str, Any], expected: str) -> None:
    clusters = [{"name": "prod-cluster", "cluster": {"server": server, **changes}}]
    assert identify([write(tmp_path / "config", document(clusters=clusters))]).server == expected


def pod_environment(folder: Path) -> tuple[dict[str, str], Path]:
    (folder / "account").mkdir()
    for name, text in (("token", "tok"), ("ca.crt", CA.decode()), ("namespace", "inside")):
        (folder / "account" / name).write_text(text)
    environ = {"HOME": str(folder), "KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    return environ, folder / "account"


def test_inside_a_pod_the_service_account_is_taken(tmp_path: Path) -> None:
    environ, account = pod_environment(tmp_path)
    found = identify(environ=environ, service_account=account)
    assert (found.context, found.server, found.namespace) == ("in-cluster", "https://10.96.0.1:443", "inside")
    assert found.in_cluster


def test_a_kubeconfig_wins_over_the_pod(tmp_path: Path) -> None:
    environ, account = pod_environment(tmp_path)
    write(tmp_path / ".kube" / "config", document())
    assert not identify(environ=environ, service_account=account).in_cluster


def test_an_address_of_six_is_bracketed(tmp_path: Path) -> None:
    environ, account = pod_environment(tmp_path)
    environ["KUBERNETES_SERVICE_HOST"] = "fd00::1"
    assert identify(environ=environ, service_account=account).server == "https://[fd00::1]:443"


def test_no_network_library_is_loaded_for_the_first_paint() -> None:
    code = (
        "import sys; import services.kubernetes.kubeconfig;"
        "print([m for m in ('httpx', 'kubernetes', 'asyncio', 'ssl') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
