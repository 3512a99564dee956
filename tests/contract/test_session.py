"""A real API server answers what a screen asks, and the answers agree with kubectl's."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import yaml

from services.model.ref import DEPLOYMENTS, NODES, PODS, Ref, Resource
from services.ports import LogLine, LogOptions
from tests.contract.test_watch import IMAGE, everything, ready
from tests.contract.watched import Watched, apply, kubectl, watched
from tests.controlplane.clusters import Cluster
from tests.controlplane.plane import ControlPlane

PATIENCE = 240.0


@pytest.fixture
async def console(cluster: Cluster, namespace: str) -> AsyncIterator[Watched]:
    await apply(cluster, *everything(namespace))
    await ready(cluster, namespace)
    async with watched(cluster.kubeconfig(), "pods") as made, asyncio.timeout(PATIENCE):
        await made.until_live()
        yield made


async def as_json(cluster: Cluster, *arguments: str) -> Any:
    return json.loads(await kubectl(cluster, *arguments, "-o", "json"))


async def ref_of(cluster: Cluster, namespace: str, kind: str, name: str) -> Ref:
    found = await as_json(cluster, "-n", namespace, "get", kind, name)
    group = found["apiVersion"].rpartition("/")[0]
    return Ref("", group, found["kind"], found["metadata"].get("namespace", ""), name, found["metadata"]["uid"])


async def test_every_kind_is_known_by_the_names_kubectl_knows(console: Watched, cluster: Cluster) -> None:
    printed = await kubectl(cluster, "api-resources", "--no-headers", "--verbs=list")
    names = {line.split()[0] for line in printed.splitlines()}
    found = [each for each in await console.session.resources() if "list" in each.verbs]
    assert {each.resource.plural for each in found} >= names
    pods = next(each for each in found if each.resource.table == "pods")
    assert pods.short_names == ("po",)
    again = await console.session.resources()
    assert [each.resource for each in again] == [each.resource for each in found] or len(again) >= len(found)


async def test_the_yaml_is_the_object_without_managed_fields(
    console: Watched, cluster: Cluster, namespace: str
) -> None:
    theirs = await as_json(cluster, "-n", namespace, "get", "deployment", "web")
    ours = yaml.safe_load(await console.session.yaml(DEPLOYMENTS, namespace, "web"))
    applied = "kubectl.kubernetes.io/last-applied-configuration"
    assert "managedFields" not in ours["metadata"]
    theirs["metadata"].pop("managedFields", None)
    for each in (ours, theirs):
        each["metadata"]["annotations"][applied] = json.loads(each["metadata"]["annotations"][applied])
    assert ours == theirs


async def test_a_secrets_values_never_show(console: Watched, cluster: Cluster, namespace: str) -> None:
    await kubectl(cluster, "-n", namespace, "create", "secret", "generic", "db", "--from-literal=password=hunter22")
    secrets = Resource("", "v1", "secrets", "Secret")
    shown = await console.session.yaml(secrets, namespace, "db")
    shown += "\n".join(await console.session.describe(await ref_of(cluster, namespace, "secret", "db"), secrets))
    assert "password: '***'" in shown
    assert "hunter22" not in shown
    assert "aHVudGVyMjI" not in shown


async def test_a_crashing_pod_is_described_like_kubectl_does(
    console: Watched, cluster: Cluster, namespace: str
) -> None:
    await kubectl(cluster, "-n", namespace, "run", "bad", f"--image={IMAGE}-crash", "--env=API_TOKEN=hunter22")
    wanted = "--for=jsonpath={.status.containerStatuses[0].restartCount}=2"
    await kubectl(cluster, "-n", namespace, "wait", "pod/bad", wanted, "--timeout=180s")
    ref = await ref_of(cluster, namespace, "pod", "bad")
    text = "\n".join(await console.session.describe(ref, PODS))
    theirs = await kubectl(cluster, "-n", namespace, "describe", "pod", "bad")
    for field in ("Node", "Image", "Exit Code", "QoS Class"):
        value = re.search(rf"^ *{field}: +(\S+)", theirs, re.MULTILINE)
        assert value is not None, field
        assert re.search(rf"^ *{field}: +{re.escape(value[1])}", text, re.MULTILINE), field
    assert "CrashLoopBackOff" in text
    assert "API_TOKEN: ***" in text
    assert "hunter22" not in text
    events = text[text.index("Events:") :]
    assert "Scheduled" in events
    assert "BackOff" in events


async def test_every_kind_there_is_can_be_described(console: Watched, cluster: Cluster) -> None:
    described = 0
    for found in await console.session.resources():
        if not {"get", "list"} <= set(found.verbs):
            continue
        _, rows = await console.session.table(found.resource, "")
        for row in list(rows.values())[:1]:
            shown = await console.session.describe(row.ref, found.resource)
            assert shown[0].split() == ["Name:", row.ref.name]
            described += 1
    assert described > 15


async def test_history_agrees_with_rollout_history(console: Watched, cluster: Cluster, namespace: str) -> None:
    for kind in ("deployment", "statefulset", "daemonset"):
        name = {"deployment": "web", "statefulset": "db", "daemonset": "agent"}[kind]
        for tag in ("2", "3"):
            image = f"{name}=registry.example/shop/{name}:{tag}"
            await kubectl(cluster, "-n", namespace, "set", "image", f"{kind}/{name}", image)
            await kubectl(
                cluster, "-n", namespace, "annotate", "--overwrite", kind, name, f"kubernetes.io/change-cause=to {tag}"
            )
            await kubectl(cluster, "-n", namespace, "rollout", "status", f"{kind}/{name}", "--timeout=180s")
        await kubectl(cluster, "-n", namespace, "rollout", "undo", f"{kind}/{name}")
        await kubectl(cluster, "-n", namespace, "rollout", "status", f"{kind}/{name}", "--timeout=180s")
        found = await console.session.history(await ref_of(cluster, namespace, kind, name))
        printed = await kubectl(cluster, "-n", namespace, "rollout", "history", f"{kind}/{name}")
        theirs = [line.split(None, 1) for line in printed.splitlines() if line[:1].isdigit()]
        assert [(str(one.number), one.change_cause or "<none>") for one in reversed(found)] == [
            (number, cause.strip()) for number, cause in theirs
        ]
        assert [one.number for one in found if one.current] == [found[0].number] == [4]
        assert found[0].images == (f"registry.example/shop/{name}:2",)


async def test_events_are_those_kubectl_shows(console: Watched, cluster: Cluster, namespace: str) -> None:
    pods = (await as_json(cluster, "-n", namespace, "get", "pods"))["items"]
    refs = [Ref("", "", "Pod", namespace, one["metadata"]["name"], one["metadata"]["uid"]) for one in pods]
    refs += [await ref_of(cluster, namespace, "deployment", "web")]
    events = (await as_json(cluster, "-n", namespace, "get", "events"))["items"]
    for asked in (refs, refs[:1], refs[-1:]):
        uids = {ref.uid for ref in asked}
        found = await console.session.events(asked)
        assert {event.ref.name for event in found} == {
            one["metadata"]["name"] for one in events if one["involvedObject"]["uid"] in uids
        }
        assert [event.at for event in found] == sorted((event.at for event in found), reverse=True)


async def test_a_table_prints_as_kubectl_prints(console: Watched, cluster: Cluster) -> None:
    printed = await kubectl(cluster, "get", "nodes")
    info, rows = await console.session.table(NODES, "")
    shown = [column.name.upper() for column in info.columns if not column.priority]
    assert shown == printed.splitlines()[0].split()
    assert {line.split()[0]: line.split()[1] for line in printed.splitlines()[1:]} == {
        row.cells[0]: row.cells[1] for row in rows.values()
    }


@pytest.mark.parametrize("user", ["admin", "viewer", "shop-only"])
async def test_rights_agree_with_can_i(plane: ControlPlane, user: Any) -> None:
    secrets = Resource("", "v1", "secrets", "Secret")
    async with watched(plane.kubeconfig(user), "pods", fallback=("shop",)) as console:
        asked = [
            (verb, kind, namespace, subresource)
            for verb in ("get", "delete", "patch")
            for kind, subresource in (
                (PODS, ""),
                (PODS, "log"),
                (DEPLOYMENTS, ""),
                (DEPLOYMENTS, "scale"),
                (secrets, ""),
            )
            for namespace in ("shop", "default")
        ]
        for verb, kind, namespace, subresource in asked:
            name = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
            scoped = ("-n", namespace, *(("--subresource", subresource) if subresource else ()))
            done = await asyncio.to_thread(plane.kubectl, "auth", "can-i", verb, name, *scoped, user=user, check=False)
            said = await console.session.can(verb, kind, namespace, subresource)
            assert said.allowed == (done.stdout.strip() == "yes"), (verb, name, namespace, subresource)


async def test_logs_are_followed_through_a_restart_of_the_server_without_a_line_twice(
    plane: ControlPlane, namespace: str
) -> None:
    await kubectl(plane, "-n", namespace, "run", "app", f"--image={IMAGE}")
    await kubectl(plane, "-n", namespace, "wait", "pod/app", "--for=condition=Ready", "--timeout=180s")
    async with watched(plane.kubeconfig(), "pods") as console, asyncio.timeout(PATIENCE):
        await console.until_live()
        batches = console.session.logs(namespace, {"app": ()}, LogOptions(tail=2))
        seen: list[LogLine] = []

        async def until(text: str) -> None:
            while not any(text in line.text for line in seen):
                seen.extend(await anext(batches))

        plane.write_pod_log(f"{namespace} first")
        await until(f"{namespace} first")
        await asyncio.to_thread(plane.kill, "kube-apiserver")
        plane.write_pod_log(f"{namespace} second")
        await asyncio.to_thread(plane.restart, "kube-apiserver")
        plane.write_pod_log(f"{namespace} third")
        await until(f"{namespace} third")
        await batches.aclose()  # type: ignore[attr-defined]
        told = [line.text for line in seen if line.text.startswith(namespace)]
        assert told == [f"{namespace} {word}" for word in ("first", "second", "third")]


async def test_what_ran_before_and_what_is_not_there_can_be_asked_for(
    console: Watched, cluster: Cluster, namespace: str
) -> None:
    options = LogOptions(follow=False, previous=True, tail=10)
    found = [line async for batch in console.session.logs(namespace, {"db-0": ()}, options) for line in batch]
    assert any("FATAL" in line.text for line in found)
    options = LogOptions(follow=False)
    pods: dict[str, tuple[str, ...]] = {"db-0": ("db",), "nobody": ()}
    found = [line async for batch in console.session.logs(namespace, pods, options) for line in batch]
    assert {line.pod for line in found} == set(pods)
    assert "not found" in next(line.text for line in found if line.pod == "nobody")
