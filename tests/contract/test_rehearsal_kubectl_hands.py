"""The real kubectl changes the rehearsal estate: rollouts, scaling, nodes, pods and Jobs, as on any cluster."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from services.rehearsal.server import Options, Rehearsal
from tests.contract.paced import lively
from tests.contract.test_rehearsal_kubectl import find_kubectl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services.rehearsal.estate.blueprint import App

Json = dict[str, Any]
PACE = 60.0
_PATIENCE = 90


class Hands:
    """kubectl, pointed at the estate."""

    def __init__(self, estate: Rehearsal, home: Path) -> None:
        self.estate = estate
        self._home = home
        self._binary = find_kubectl()

    def run(self, *arguments: str, account: str = "admin") -> subprocess.CompletedProcess[str]:
        address = self.estate.address
        environment = {"KUBECONFIG": str(address.kubeconfig), "HOME": str(self._home), "PATH": os.defpath}
        command = [str(self._binary), "--context", address.contexts[account], *arguments]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=False, input=""
        )

    def out(self, *arguments: str, account: str = "admin") -> str:
        done = self.run(*arguments, account=account)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def refused(self, *arguments: str, account: str = "admin") -> str:
        done = self.run(*arguments, account=account)
        assert done.returncode != 0, (arguments, done.stdout)
        return done.stderr

    def json(self, *arguments: str) -> Json:
        found: Json = json.loads(self.out("get", *arguments, "-o", "json"))
        return found


@pytest.fixture(scope="module")
def hands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hands]:
    with lively(Options(past=0, life=False), PACE) as estate:
        yield Hands(estate, tmp_path_factory.mktemp("home"))


def some(hands: Hands, kind: str, *, apart_from: tuple[str, ...] = ()) -> App:
    held = {one["metadata"]["name"] for one in hands.json("hpa", "-A")["items"]}
    return next(
        one
        for one in hands.estate.plan.apps
        if one.kind == kind
        and one.name not in held | set(apart_from)
        and not one.recreate
        and one.replicas < 5
        and (one.replicas > 1 or kind in {"CronJob", "DaemonSet"})
    )


def at(app: App) -> tuple[str, str, str]:
    return "-n", app.namespace, f"{app.kind.lower()}/{app.name}"


def image_of(obj: Json) -> str:
    return str(obj["spec"]["template"]["spec"]["containers"][0]["image"])


def test_a_release_is_broken_seen_and_undone(hands: Hands) -> None:
    app = some(hands, "Deployment")
    where = at(app)
    before = hands.json(*where)
    container = before["spec"]["template"]["spec"]["containers"][0]["name"]
    assert "image updated" in hands.out("set", "image", *where, f"{container}={app.image_of('v0.0.0')}")
    assert "timed out" in hands.refused("rollout", "status", *where, "--timeout=2s")
    assert "rolled back" in hands.out("rollout", "undo", *where)
    assert "successfully rolled out" in hands.out("rollout", "status", *where, "--timeout=60s")
    after = hands.json(*where)
    assert image_of(after) == image_of(before)
    revision = "deployment.kubernetes.io/revision"
    assert int(after["metadata"]["annotations"][revision]) == int(before["metadata"]["annotations"][revision]) + 2
    history = hands.out("rollout", "history", *where)
    oldest = history.splitlines()[2].split()[0]
    hands.out("rollout", "undo", *where, f"--to-revision={oldest}")
    hands.out("rollout", "status", *where, "--timeout=60s")
    assert f"{oldest} " not in hands.out("rollout", "history", *where)


def test_pause_resume_restart(hands: Hands) -> None:
    app = some(hands, "Deployment")
    where = at(app)
    hands.out("rollout", "pause", *where)
    assert "already paused" in hands.refused("rollout", "pause", *where)
    assert "can't restart paused deployment" in hands.refused("rollout", "restart", *where)
    assert "cannot rollback a paused deployment" in hands.refused("rollout", "undo", *where)
    hands.out("rollout", "resume", *where)
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        one = at(some(hands, kind))
        assert "restarted" in hands.out("rollout", "restart", *one)
        hands.out("rollout", "status", *one, "--timeout=80s")
        template = hands.json(*one)["spec"]["template"]
        assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]


def test_stateful_and_daemon_sets_are_undone(hands: Hands) -> None:
    for kind in ("StatefulSet", "DaemonSet"):
        where = at(some(hands, kind))
        before = hands.json(*where)
        container = before["spec"]["template"]["spec"]["containers"][0]["name"]
        hands.out("set", "env", *where, f"--containers={container}", "SEEN=yes")
        hands.out("rollout", "status", *where, "--timeout=80s")
        hands.out("rollout", "undo", *where)
        hands.out("rollout", "status", *where, "--timeout=80s")
        names = [one["name"] for one in hands.json(*where)["spec"]["template"]["spec"]["containers"][0].get("env", ())]
        assert "SEEN" not in names


def test_scale_and_its_preconditions(hands: Hands) -> None:
    app = some(hands, "Deployment")
    where = at(app)
    assert "scaled" in hands.out("scale", *where, f"--replicas={app.replicas + 1}")
    assert "Expected replicas to be 99" in hands.refused("scale", *where, "--replicas=1", "--current-replicas=99")
    hands.out("scale", *where, f"--replicas={app.replicas}", f"--current-replicas={app.replicas + 1}")
    hands.out("rollout", "status", *where, "--timeout=60s")
    assert hands.json(*where)["status"]["replicas"] == app.replicas


def test_notes_labels_and_patches(hands: Hands) -> None:
    where = at(some(hands, "Deployment"))
    hands.out("annotate", *where, "note=x")
    hands.out("label", *where, "seen=yes")
    hands.out("set", "resources", *where, "--limits=cpu=2")
    for kind, body in (
        ("json", '[{"op":"replace","path":"/metadata/annotations/note","value":"y"}]'),
        ("merge", '{"metadata":{"annotations":{"note":"z"}}}'),
        ("strategic", '{"metadata":{"annotations":{"note":null}}}'),
    ):
        hands.out("patch", *where, "--type", kind, "-p", body)
        hands.out("patch", *where, "--type", kind, "-p", body, "--dry-run=server") if kind != "json" else None
    found = hands.json(*where)
    assert "note" not in found["metadata"]["annotations"]
    assert found["metadata"]["labels"]["seen"] == "yes"
    assert found["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] == "2"
    refusal = hands.refused("patch", *where, "--type", "json", "-p", '[{"op":"test","path":"/kind","value":"x"}]')
    assert "the server rejected our request" in refusal


def test_nodes_are_cordoned_drained_and_opened(hands: Hands) -> None:
    node = hands.json("nodes")["items"][0]["metadata"]["name"]
    drain = ("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force")
    assert "(server dry run)" in hands.out(*drain, "--dry-run=server")
    assert "evicting pod" in hands.out(*drain, "--timeout=80s")
    assert "SchedulingDisabled" in hands.out("get", "node", node)
    left = hands.json("pods", "-A", "--field-selector", f"spec.nodeName={node}")["items"]
    assert {one["metadata"]["ownerReferences"][0]["kind"] for one in left} <= {"DaemonSet"}
    assert "uncordoned" in hands.out("uncordon", node)
    assert "already uncordoned" in hands.out("uncordon", node)


def test_pods_and_jobs(hands: Hands) -> None:
    app = some(hands, "Deployment")
    pod = hands.json("pods", "-n", app.namespace, "-l", f"app.kubernetes.io/name={app.name}")["items"][0]
    hands.out("delete", "pod", "-n", app.namespace, pod["metadata"]["name"])
    hands.out("wait", *at(app), "--for=condition=Available", "--timeout=60s")
    cron = some(hands, "CronJob")
    hands.out("create", "job", "by-hand", "-n", cron.namespace, f"--from=cronjob/{cron.name}")
    hands.out("wait", "job/by-hand", "-n", cron.namespace, "--for=condition=Complete", "--timeout=80s")
    assert "by-hand" in hands.out("get", "pods", "-n", cron.namespace, "-l", "batch.kubernetes.io/job-name=by-hand")
    hands.out("delete", "job", "by-hand", "-n", cron.namespace)
    assert "NotFound" in hands.refused("get", "job", "by-hand", "-n", cron.namespace)


def test_rights_are_asked_and_kept(hands: Hands) -> None:
    app = some(hands, "Deployment")
    assert hands.out("auth", "can-i", "patch", "deployments", "-n", app.namespace) == "yes\n"
    assert hands.run("auth", "can-i", "create", "pods/eviction", account="viewer").stdout == "no\n"
    refusal = hands.refused("rollout", "restart", *at(app), account="viewer")
    assert (
        f'User "viewer" cannot patch resource "deployments" in API group "apps" in the namespace "{app.namespace}"'
        in refusal
    )
