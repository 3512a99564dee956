"""The real kubectl against the rehearsal estate: what works there works here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.controlplane import build

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]
BINARY = "QUARTERDECK_KUBECTL"
UNPULLABLE = {"ErrImagePull", "ImagePullBackOff"}
_PATIENCE = 60


def find_kubectl() -> Path:
    """Return the kubectl of the pins; skip where there is none, fail in CI."""
    named = os.environ.get(BINARY)
    if named:
        return Path(named)
    built = build.binaries()
    if built is not None:
        return built / "kubectl"
    if os.environ.get("CI") == "true":
        pytest.fail(f"kubectl is not built and {BINARY} is not set")
    pytest.skip(f"kubectl is not built; run: make test-contract, or set {BINARY}")


@dataclass(frozen=True)
class Estate:
    """A running estate and the kubectl that is pointed at it."""

    binary: Path
    said: Json
    home: Path
    process: subprocess.Popen[bytes]

    def start(self, *arguments: str, account: str = "admin") -> subprocess.Popen[str]:
        environment = {"KUBECONFIG": self.said["kubeconfig"], "HOME": str(self.home), "PATH": os.defpath}
        command = [str(self.binary), "--context", self.said["contexts"][account], *arguments]
        return subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            stdin=subprocess.DEVNULL,
        )

    def run(self, *arguments: str, account: str = "admin") -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, account=account)
        out, errors = process.communicate(timeout=_PATIENCE)
        return subprocess.CompletedProcess(arguments, process.returncode, out, errors)

    def out(self, *arguments: str, account: str = "admin") -> str:
        done = self.run(*arguments, account=account)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *arguments: str) -> Json:
        found: Json = json.loads(self.out(*arguments, "-o", "json"))
        return found

    def deployments(self) -> list[Json]:
        found: list[Json] = self.json("get", "deployments", "-A")["items"]
        return found

    def unpullable(self) -> Json:
        """Return a pod whose image cannot be pulled; it tries now and then, and waits in between."""

        def waits_for(pod: Json) -> set[str]:
            return {one["state"].get("waiting", {}).get("reason", "") for one in pod["status"]["containerStatuses"]}

        return next(pod for pod in self.json("get", "pods", "-A")["items"] if waits_for(pod) & UNPULLABLE)


def serve(folder: Path, scenario: str, seed: int) -> Estate:
    binary = find_kubectl()
    arguments = ["--scenario", scenario, "--seed", str(seed), "--folder", str(folder), "--no-life"]
    process = subprocess.Popen([sys.executable, "-m", "services.rehearsal", *arguments], stdout=subprocess.PIPE)
    assert process.stdout is not None
    home = folder / "home"
    home.mkdir()
    return Estate(binary, json.loads(process.stdout.readline()), home, process)


@pytest.fixture(scope="module", params=[7, 31])
def troubled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    folder = tmp_path_factory.mktemp("rehearsal")
    estate = serve(folder, "bad-deploy", request.param)
    yield estate
    estate.process.terminate()
    assert estate.process.wait(_PATIENCE) == 0
    shutil.rmtree(folder)


def place(obj: Json) -> tuple[str, str]:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def test_every_resource_is_listed_and_printed(troubled: Estate) -> None:
    names = troubled.out("api-resources", "--verbs=list", "-o", "name").split()
    assert len(names) > 20
    for name in names:
        for form in ("wide", "yaml"):
            assert troubled.run("get", name, "-A", "-o", form).returncode == 0, (name, form)
    assert "deployment.apps/" in troubled.out("get", "all", "-A", "-o", "name")


def test_get_prints_the_servers_columns(troubled: Estate) -> None:
    header = troubled.out("get", "pods", "-A", "-o", "wide").splitlines()[0]
    expected = "NAMESPACE NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES"
    assert " ".join(header.split()) == expected
    text = troubled.out("get", "pods", "-A")
    assert re.search(r"0/1 +CrashLoopBackOff +\d+ \(\d+\w+ ago\)", text) or "Error" in text
    assert re.search(r"0/1 +(ImagePullBackOff|ErrImagePull) +0 ", text)
    assert re.search(r"^NAME +STATUS +ROLES +AGE +VERSION", troubled.out("get", "nodes"))
    assert "VERSION" in troubled.out("get", "nodes", "-o", "wide")


def test_get_chooses(troubled: Estate) -> None:
    deployment = troubled.deployments()[0]
    namespace, name = place(deployment)
    label = f"app.kubernetes.io/name={name}"
    pods = troubled.json("get", "pods", "-n", namespace, "-l", label)["items"]
    assert len(pods) >= 1
    node = pods[0]["spec"]["nodeName"]
    seated = troubled.json("get", "pods", "-A", "--field-selector", f"spec.nodeName={node},status.phase=Running")
    assert {one["spec"]["nodeName"] for one in seated["items"]} == {node}
    one = troubled.json(
        "get", "pods", "-n", namespace, "--field-selector", f"metadata.name={pods[0]['metadata']['name']}"
    )
    assert len(one["items"]) == 1
    uid = troubled.unpullable()["metadata"]["uid"]
    events = troubled.json("get", "events", "-A", "--field-selector", f"involvedObject.uid={uid}")["items"]
    assert {"Failed", "BackOff"} <= {event["reason"] for event in events}
    assert "managedFields" not in troubled.out("get", "deployment", name, "-n", namespace, "-o", "yaml")
    shown = troubled.out("get", "deployment", name, "-n", namespace, "-o", "yaml", "--show-managed-fields")
    assert "managedFields" in shown
    assert troubled.out("get", "pods", "-A", "--chunk-size=50", "--no-headers").count("\n") == len(
        troubled.json("get", "pods", "-A")["items"]
    )


def test_get_watches(troubled: Estate) -> None:
    process = troubled.start("get", "pods", "-A", "-w", "--output-watch-events")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(150)]
    process.terminate()
    process.communicate(timeout=_PATIENCE)
    assert lines[0].split()[:2] == ["EVENT", "NAMESPACE"]
    assert all(line.startswith("ADDED ") for line in lines[1:])


def test_describe_tells_the_story(troubled: Estate) -> None:
    for kind in ("node", "deployment", "replicaset", "statefulset", "daemonset", "job", "cronjob", "pod", "quota"):
        done = troubled.run("describe", kind, "-A") if kind != "node" else troubled.run("describe", kind)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("Name: "), kind
    namespace, name = place(troubled.unpullable())
    text = troubled.out("describe", "pod", name, "-n", namespace)
    assert re.search(r"Warning +Failed .*Failed to pull image", text)
    assert re.search(r"Normal +Scheduled .*default-scheduler +Successfully assigned", text)
    assert re.search(rf"Reason: +({'|'.join(UNPULLABLE)})\n", text)


def test_rollout_status_says_what_each_trouble_is(troubled: Estate) -> None:
    seen = set()
    for deployment in troubled.deployments():
        namespace, name = place(deployment)
        done = troubled.run("rollout", "status", f"deployment/{name}", "-n", namespace, "--watch=false")
        status, wanted = deployment["status"], deployment["spec"]["replicas"]
        reasons = {one["type"]: one["reason"] for one in status["conditions"]}
        if reasons["Progressing"] == "ProgressDeadlineExceeded":
            assert f'deployment "{name}" exceeded its progress deadline' in done.stderr
            seen.add("deadline")
        elif status.get("availableReplicas", 0) == status.get("updatedReplicas", 0) == wanted == status["replicas"]:
            assert done.stdout == f'deployment "{name}" successfully rolled out\n'
            seen.add("done")
        else:
            assert done.stdout.startswith(f'Waiting for deployment "{name}" rollout to finish: ')
            seen.add("waiting")
    assert seen == {"deadline", "done", "waiting"}
    for kind, ending in (("daemonset", "successfully rolled out"), ("statefulset", "roll out complete")):
        namespace, name = place(troubled.json("get", kind, "-A")["items"][0])
        assert ending in troubled.out("rollout", "status", f"{kind}/{name}", "-n", namespace)


def test_rollout_history_lists_the_revisions(troubled: Estate) -> None:
    namespace, name = place(troubled.deployments()[0])
    text = troubled.out("rollout", "history", f"deployment/{name}", "-n", namespace)
    rows = [line.split(None, 1) for line in text.splitlines()[2:] if line.strip()]
    numbers = [int(row[0]) for row in rows]
    assert len(numbers) >= 3
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert all(": " in row[1] for row in rows)
    detail = troubled.out("rollout", "history", f"deployment/{name}", "-n", namespace, f"--revision={numbers[0]}")
    assert "Image:" in detail
    for kind in ("daemonset", "statefulset"):
        namespace, name = place(troubled.json("get", kind, "-A")["items"][0])
        text = troubled.out("rollout", "history", f"{kind}/{name}", "-n", namespace)
        assert len(text.strip().splitlines()) >= 4


def test_logs_of_what_crashes_and_of_what_serves(troubled: Estate) -> None:
    crashing = next(
        pod
        for pod in troubled.json("get", "pods", "-A")["items"]
        if any(s["lastState"].get("terminated", {}).get("exitCode") == 1 for s in pod["status"]["containerStatuses"])
        and sum(s["restartCount"] for s in pod["status"]["containerStatuses"]) > 3
    )
    namespace, name = place(crashing)
    last = troubled.out("logs", name, "-n", namespace, "--previous").splitlines()
    assert last[0].startswith("starting ")
    assert troubled.out("logs", name, "-n", namespace, "-p", "--tail=1").splitlines() == last[-1:]
    serving = next(
        one for one in troubled.deployments() if one["status"].get("readyReplicas") and len(containers(one)) == 1
    )
    namespace, name = place(serving)
    recent = troubled.out("logs", f"deployment/{name}", "-n", namespace, "--since=2m", "--timestamps").splitlines()
    assert recent
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]{18}Z ", line) for line in recent)
    process = troubled.start(
        "logs", "-f", f"deployment/{name}", "-n", namespace, "--tail=5", "-c", containers(serving)[0]
    )
    assert process.stdout is not None
    assert all(process.stdout.readline() for _ in range(6))
    process.terminate()
    process.communicate(timeout=_PATIENCE)
    done = troubled.run("logs", f"deployment/{name}", "-n", namespace, "-c", "nobody")
    assert "container nobody is not valid for pod" in done.stderr


def containers(deployment: Json) -> list[str]:
    return [one["name"] for one in deployment["spec"]["template"]["spec"]["containers"]]


def test_top_can_i_and_whoami(troubled: Estate) -> None:
    assert re.search(r"^\S+ +\d+m +\d+% +\d+Mi +\d+%", troubled.out("top", "nodes", "--no-headers"))
    namespace = troubled.said["narrow_namespaces"][0]
    assert "Mi" in troubled.out("top", "pods", "-n", namespace)
    assert troubled.out("auth", "can-i", "list", "pods", "-A") == "yes\n"
    refused = troubled.run("auth", "can-i", "list", "pods", "-A", account="narrow")
    assert (refused.returncode, refused.stdout) == (1, "no\n")
    assert troubled.out("auth", "can-i", "list", "pods", "-n", namespace, account="narrow") == "yes\n"
    assert "narrow" in troubled.out("auth", "whoami", account="narrow")
    assert "pods" in troubled.out("auth", "can-i", "--list", "-n", namespace, account="narrow")


def test_a_narrow_user_is_refused_in_the_servers_words(troubled: Estate) -> None:
    done = troubled.run("get", "nodes", account="narrow")
    assert done.returncode == 1
    assert done.stderr == (
        'Error from server (Forbidden): nodes is forbidden: User "narrow" cannot list resource "nodes" '
        'in API group "" at the cluster scope\n'
    )
    assert troubled.out("get", "pods", account="narrow").startswith("NAME ")
    missing = troubled.run("get", "deployment", "none", "-n", "default")
    assert missing.stderr == 'Error from server (NotFound): deployments.apps "none" not found\n'
