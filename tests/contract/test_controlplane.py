"""The control plane of the tests behaves as the tests believe: rights, stalls, deaths, and troubles made on purpose."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.controlplane.access import USERS, User
from tests.controlplane.clusters import Cluster
from tests.controlplane.commands import Component
from tests.controlplane.plane import ControlPlane
from tests.controlplane.process import until

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("user", "path", "status"),
    [
        ("admin", "/api/v1/secrets", 200),
        ("viewer", "/api/v1/pods", 200),
        ("viewer", "/api/v1/nodes", 200),
        ("viewer", "/apis/apps/v1/deployments", 200),
        ("viewer", "/api/v1/secrets", 403),
        ("shop-only", "/api/v1/namespaces/shop/pods", 200),
        ("shop-only", "/apis/apps/v1/namespaces/shop/deployments", 200),
        ("shop-only", "/api/v1/namespaces/default/pods", 403),
        ("shop-only", "/api/v1/pods", 403),
        ("shop-only", "/api/v1/namespaces", 403),
        ("shop-only", "/api/v1/nodes", 403),
    ],
)
def test_each_user_reads_what_its_role_allows(plane: ControlPlane, user: User, path: str, status: int) -> None:
    assert plane.api(user).get(path).status_code == status


@pytest.mark.parametrize("user", ["viewer", "shop-only"])
def test_only_admin_writes(plane: ControlPlane, user: User) -> None:
    answer = plane.api(user).post("/api/v1/namespaces/shop/configmaps", json={"metadata": {"name": "intruder"}})
    assert answer.status_code == 403


def test_an_unknown_token_is_refused(plane: ControlPlane) -> None:
    answer = plane.api().get("/api/v1/pods", headers={"Authorization": "Bearer nobody"})
    assert answer.status_code == 401


@pytest.mark.parametrize("user", USERS)
def test_kubectl_speaks_as_the_user_over_verified_https(plane: ControlPlane, user: User) -> None:
    told = json.loads(plane.kubectl("auth", "whoami", "-o", "json", user=user).stdout)
    assert told["status"]["userInfo"]["username"] == user
    assert plane.kubeconfig(user).stat().st_mode & 0o077 == 0
    assert "insecure" not in plane.kubeconfig(user).read_text()


def test_a_client_that_trusts_other_authorities_is_warned(plane: ControlPlane) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{plane.url}/version", verify=ssl.create_default_context(), trust_env=False)


def test_each_test_gets_an_empty_namespace_on_any_cluster(cluster: Cluster, namespace: str) -> None:
    assert cluster.kubectl("-n", namespace, "get", "pods,deployments", "-o", "name").stdout == ""
    cluster.kubectl("-n", namespace, "create", "configmap", "mine", "--from-literal=a=b")
    assert cluster.kubectl("-n", namespace, "get", "configmap", "mine", "-o", "jsonpath={.data.a}").stdout == "b"


def test_a_paused_server_keeps_the_connection_and_answers_nothing_until_resumed(plane: ControlPlane) -> None:
    api = plane.api()
    assert api.get("/version").status_code == 200
    plane.pause("kube-apiserver")
    with pytest.raises(httpx.ReadTimeout):
        api.get("/version", timeout=1.0)
    plane.resume("kube-apiserver")
    assert api.get("/version", timeout=10.0).json()["gitVersion"].startswith("v1.36.")


@pytest.mark.parametrize("name", ["kube-apiserver", "etcd"])
def test_a_killed_server_comes_back_with_its_data_under_the_same_address(
    plane: ControlPlane, namespace: str, name: Component
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    before = plane.api().post(path, json={"metadata": {"name": "kept"}, "data": {"answer": "42"}}).json()
    url, certificate = plane.url, plane.certificate.read_bytes()

    plane.kill(name)
    if name == "kube-apiserver":
        with pytest.raises(httpx.HTTPError):
            plane.api().get(f"{path}/kept")
    plane.restart(name)

    after = plane.api().get(f"{path}/kept").json()
    assert (after["metadata"]["uid"], after["data"]) == (before["metadata"]["uid"], {"answer": "42"})
    assert (plane.url, plane.certificate.read_bytes()) == (url, certificate)


def test_a_compacted_revision_is_gone_for_events_at_once_and_for_pods_after_a_restart(
    plane: ControlPlane, namespace: str
) -> None:
    old = plane.api().get("/api/v1/pods", params={"limit": 1}).json()["metadata"]["resourceVersion"]
    for name in ("newer", "newest"):
        plane.kubectl("-n", namespace, "create", "configmap", name)
    assert plane.compact() > int(old)
    assert _watch_from(plane, "/api/v1/events", old) == 410
    plane.restart("kube-apiserver")
    assert _watch_from(plane, "/api/v1/pods", old) == 410


def _watch_from(plane: ControlPlane, path: str, version: str) -> int:
    """Return the code that a watch from ``version`` is answered with: the response's, or that of its ERROR event."""
    query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "3"}
    with plane.api().stream("GET", path, params=query) as answer:
        if answer.status_code != 200:
            return answer.status_code
        for line in answer.iter_lines():
            event = json.loads(line)
            return int(event["object"].get("code", 200))
    return 200


TROUBLE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("crash", {"reason": "CrashLoopBackOff"}, {"exitCode": 1, "reason": "Error"}),
    ("oom", {"reason": "CrashLoopBackOff"}, {"exitCode": 137, "reason": "OOMKilled"}),
    ("nopull", {"reason": "ImagePullBackOff"}, {}),
]


@pytest.mark.parametrize(("tag", "waiting", "last"), TROUBLE, ids=[row[0] for row in TROUBLE])
def test_an_image_tag_chooses_the_trouble(
    plane: ControlPlane, namespace: str, tag: str, waiting: dict[str, Any], last: dict[str, Any]
) -> None:
    plane.kubectl("-n", namespace, "run", "bad", f"--image=registry.example/app:1.2.3-{tag}")
    _await(plane, namespace, "pod/bad", "{.status.containerStatuses[0].state.waiting.reason}=" + waiting["reason"])
    status = _first_container(plane, namespace, "bad")
    assert status["state"]["waiting"]["message"]
    assert status["lastState"].get("terminated", {}).items() >= last.items()
    assert status["ready"] is False


def test_a_crashing_container_counts_its_restarts(plane: ControlPlane, namespace: str) -> None:
    plane.kubectl("-n", namespace, "run", "bad", "--image=registry.example/app:2-crash")
    _await(plane, namespace, "pod/bad", "{.status.containerStatuses[0].restartCount}=1")
    _await(plane, namespace, "pod/bad", "{.status.containerStatuses[0].restartCount}=2")
    events = plane.kubectl("-n", namespace, "get", "events", "-o", "jsonpath={.items[*].reason}").stdout
    assert "BackOff" in events


def test_a_slow_container_runs_unready_and_a_good_one_is_ready(plane: ControlPlane, namespace: str) -> None:
    plane.kubectl("-n", namespace, "run", "good", "--image=registry.example/app:1.2.3")
    plane.kubectl("-n", namespace, "run", "slow", "--image=registry.example/app:1.2.3-slow")
    plane.kubectl("-n", namespace, "wait", "pod/good", "--for=condition=Ready", "--timeout=180s")
    _await(plane, namespace, "pod/slow", "{.status.phase}=Running")
    assert _first_container(plane, namespace, "slow")["ready"] is False


def test_jobs_complete_or_fail_as_their_tag_says(plane: ControlPlane, namespace: str) -> None:
    plane.kubectl("-n", namespace, "create", "job", "good", "--image=registry.example/job:1")
    plane.kubectl("-n", namespace, "create", "job", "bad", "--image=registry.example/job:1-fail")
    plane.kubectl("-n", namespace, "wait", "job/good", "--for=condition=Complete", "--timeout=180s")
    plane.kubectl("-n", namespace, "wait", "job/bad", "--for=jsonpath={.status.failed}=1", "--timeout=180s")
    pods = json.loads(plane.kubectl("-n", namespace, "get", "pods", "-l", "job-name=bad", "-o", "json").stdout)
    assert pods["items"][0]["status"]["phase"] == "Failed"
    assert pods["items"][0]["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3


def test_a_node_falls_ill_by_label_and_recovers_without_it(plane: ControlPlane) -> None:
    plane.kubectl("wait", "node/worker-04", "--for=condition=Ready", "--timeout=180s")
    plane.kubectl("label", "node", "worker-04", "sick=true")
    plane.kubectl("wait", "node/worker-04", "--for=condition=Ready=False", "--timeout=180s")
    plane.kubectl("wait", "node/worker-04", "--for=condition=MemoryPressure", "--timeout=180s")
    plane.kubectl("label", "node", "worker-04", "sick-")
    plane.kubectl("wait", "node/worker-04", "--for=condition=Ready", "--timeout=180s")


def test_logs_of_a_simulated_pod_can_be_read_and_followed(plane: ControlPlane, namespace: str) -> None:
    plane.kubectl("-n", namespace, "run", "app", "--image=registry.example/app:1")
    plane.kubectl("-n", namespace, "wait", "pod/app", "--for=condition=Ready", "--timeout=180s")
    assert "FATAL" in plane.kubectl("-n", namespace, "logs", "app", "--previous").stdout
    path = f"/api/v1/namespaces/{namespace}/pods/app/log"
    with plane.api().stream("GET", path, params={"follow": "true", "tailLines": "1"}) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        next(lines)
        plane.write_pod_log("written while followed")
        assert next(lines) == "written while followed"


def test_the_servers_end_when_the_tests_are_killed(plane: ControlPlane) -> None:
    script = (
        "from tests.controlplane.plane import ControlPlane\n"
        "with ControlPlane(['etcd']) as plane:\n"
        "    print(plane.pid('etcd'), plane.pid('kube-apiserver'), plane.data, flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        etcd, apiserver, folder = child.stdout.readline().split()
        os.kill(child.pid, signal.SIGKILL)
    until(lambda: not _runs(etcd) and not _runs(apiserver), 10, "the end of the orphaned servers")
    until(lambda: not Path(folder).exists(), 10, "the removal of their data")


def _runs(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def test_the_big_plane_has_ten_thousand_pods_that_run(big_plane: ControlPlane) -> None:
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    query = {"resourceVersion": "0", "includeObject": "None"}
    rows = big_plane.api().get("/api/v1/pods", params=query, headers=accept, timeout=60.0).json()["rows"]
    assert len(rows) == 10_000
    assert {(row["cells"][1], row["cells"][2]) for row in rows} == {("2/2", "Running")}


def _await(plane: ControlPlane, namespace: str, name: str, jsonpath: str) -> None:
    plane.kubectl("-n", namespace, "wait", name, f"--for=jsonpath={jsonpath}", "--timeout=180s")


def _first_container(plane: ControlPlane, namespace: str, pod: str) -> dict[str, Any]:
    found = json.loads(plane.kubectl("-n", namespace, "get", "pod", pod, "-o", "json").stdout)
    status: dict[str, Any] = found["status"]["containerStatuses"][0]
    return status
