"""An API server that stops, hangs, dies or returns is said in time, and leaves neither wrong rows nor doubled news."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.errors import Problem
from services.model.ref import PODS
from services.model.source import SourceState
from tests.contract.test_watch import IMAGE, everything, ready
from tests.contract.watched import Watched, apply, kubectl, same_as_kubectl, told_twice, watched
from tests.controlplane.commands import Component
from tests.controlplane.plane import ControlPlane

SAID_WITHIN = 30.0
BACK_WITHIN = 120.0


@pytest.fixture
async def console(plane: ControlPlane, namespace: str) -> AsyncIterator[Watched]:
    await apply(plane, *everything(namespace))
    await ready(plane, namespace)
    async with watched(plane.kubeconfig()) as made:
        await made.until_live()
        await same_as_kubectl(made, plane)
        yield made


async def changed(plane: ControlPlane, namespace: str) -> None:
    """Change, delete and create things at once, as soon as the server takes it."""
    await kubectl(plane, "-n", namespace, "delete", "pod", "db-0", "--wait=false")
    await kubectl(plane, "-n", namespace, "set", "image", "deployment/web", f"web={IMAGE}1")
    await kubectl(plane, "-n", namespace, "scale", "statefulset/db", "--replicas=3")
    await kubectl(plane, "-n", namespace, "delete", "cronjob/nightly")
    await ready(plane, namespace)


async def all_is_well(console: Watched, plane: ControlPlane, namespace: str) -> None:
    """Compare with kubectl, and hold that nothing was told twice although everything was read again."""
    await console.until_live(BACK_WITHIN)
    await same_as_kubectl(console, plane)
    snapshot = console.live.snapshot()
    assert told_twice(snapshot) == []
    texts = [event.text for event in snapshot.events if event.ref.namespace == namespace]
    assert texts.count("scaled to 3") == 1
    assert texts.count("rev 2  1.0.0→1.0.01") == 1
    assert snapshot.tables["rollouts"][f"Deployment/{namespace}/web"].done


async def failed(console: Watched) -> None:
    """Wait until the connection is said to be lost."""
    await console.until(lambda _: console.status().state is SourceState.FAILED, "the loss", SAID_WITHIN)
    assert console.status().error


async def test_a_hung_server_is_said_and_recovered_from(console: Watched, plane: ControlPlane, namespace: str) -> None:
    rows = console.live.snapshot().tables["pods"]
    plane.pause("kube-apiserver")
    await failed(console)
    assert console.live.snapshot().tables["pods"] == rows  # what was known stays on the screen
    assert "did not answer in time" in console.status().error
    plane.resume("kube-apiserver")
    await console.until(lambda _: console.status().state is SourceState.LIVE, "the recovery", BACK_WITHIN)
    await changed(plane, namespace)
    await all_is_well(console, plane, namespace)


@pytest.mark.parametrize("name", ["kube-apiserver", "etcd"])
async def test_a_killed_server_is_said_and_its_return_noticed(
    console: Watched, plane: ControlPlane, namespace: str, name: Component
) -> None:
    await asyncio.to_thread(plane.kill, name)
    await failed(console)
    await asyncio.to_thread(plane.restart, name)
    await changed(plane, namespace)
    await all_is_well(console, plane, namespace)


async def test_a_server_that_is_restarted_properly_loses_nothing(
    console: Watched, plane: ControlPlane, namespace: str
) -> None:
    await asyncio.to_thread(plane.restart, "kube-apiserver")
    await changed(plane, namespace)
    await all_is_well(console, plane, namespace)


async def test_a_console_that_starts_while_the_server_is_away_waits_for_it(plane: ControlPlane, namespace: str) -> None:
    await apply(plane, *everything(namespace))
    await asyncio.to_thread(plane.kill, "kube-apiserver")
    async with watched(plane.kubeconfig()) as console:
        await failed(console)
        assert "refused the connection" in console.status().error
        await asyncio.to_thread(plane.restart, "kube-apiserver")
        await console.until_live(BACK_WITHIN)
        await ready(plane, namespace)
        await same_as_kubectl(console, plane)


async def test_questions_end_with_a_sentence_while_the_server_hangs(
    console: Watched, plane: ControlPlane, namespace: str
) -> None:
    plane.pause("kube-apiserver")
    with pytest.raises(Problem, match="in time"):
        await console.session.yaml(PODS, namespace, "db-0")
