"""A shell is planned like any action, opened by the very command that was shown, and its end is told apart."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.actions.shell import SHELL, Left, Shell, containers, containers_of
from services.actions.spec import Refused
from services.model.action import Outcome, Progress, Target
from services.model.ref import PODS, Ref, Resource
from tests.unit.actions.stage import CART, StageHands, World

POD = Target(Ref("c", "", "Pod", "shop", "cart-1", "p-1"), PODS)


def document(**states: str) -> dict[str, Any]:
    statuses = [{"name": name, "state": {state: {}}} for name, state in states.items()]
    spec = {"containers": [{"name": name, "image": f"registry.example/{name}"} for name in states]}
    return {"metadata": {"name": "cart-1", "uid": "p-1"}, "spec": spec, "status": {"containerStatuses": statuses}}


class PodHands(StageHands):
    """Hands on a server with one pod."""

    def __init__(self, pod: dict[str, Any]) -> None:
        super().__init__(World())
        self.pod = pod

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> dict[str, Any]:
        return self.pod

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[dict[str, Any]]:
        assert params == {"labelSelector": "app=cart"}
        return [self.pod]


@pytest.fixture(autouse=True)
def _kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kubectl"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


async def quiet(_progress: Progress) -> None:
    return


async def opened(left: Left) -> tuple[list[str], Any]:
    ran: list[str] = []

    async def terminal(words: Sequence[str]) -> Left:
        ran.extend(words)
        return left

    hands, shell = PodHands(document(main="running")), Shell()
    shell.lend(terminal)
    plan = await shell.plan(POD, {"container": "main"}, hands)
    await shell.execute(plan, hands, quiet)
    assert ran == ["kubectl", "--context", hands.context, "-n", "shop", *shlex.split(plan.command)]
    return ran, await shell.verify(plan, hands, quiet)


async def test_the_command_is_pinned_to_context_namespace_pod_and_container() -> None:
    ran, ended = await opened(Left(0, "", 12.2))
    said = ["exec", "-it", "cart-1", "-c", "main", "--", "sh", "-c", SHELL]
    assert ran == ["kubectl", "--context", "prod-eu-1", "-n", "shop", *said]
    assert (ended.outcome, ended.text) == (Outcome.OK, "the shell ended with exit code 0 after 12 s")


@pytest.mark.parametrize(
    ("code", "said", "outcome", "text"),
    [
        (7, "command terminated with exit code 7\n", Outcome.OK, "exit code 7 after 3 s"),
        (127, "command terminated with exit code 127\n", Outcome.FAILED, "has no shell"),
        (1, 'Error from server (Forbidden): pods "cart-1" is forbidden\n', Outcome.FAILED, "Forbidden"),
    ],
)
async def test_how_it_ended(code: int, said: str, outcome: Outcome, text: str) -> None:
    _, ended = await opened(Left(code, said, 3.0))
    assert ended.outcome is outcome
    assert text in ended.text


async def test_the_first_container_is_meant_where_none_is_named() -> None:
    hands = PodHands(document(main="running", proxy="running"))
    assert "-c main " in (await Shell().plan(POD, {}, hands)).command


@pytest.mark.parametrize(("given", "reason"), [("proxy", "not running"), ("nothing", "no container nothing"), ("", "")])
async def test_what_does_not_run_is_refused(given: str, reason: str) -> None:
    hands = PodHands(document(main="running", proxy="waiting"))
    if not reason:
        assert (await Shell().plan(POD, {"container": given}, hands)).tier
        return
    with pytest.raises(Refused, match=reason):
        await Shell().plan(POD, {"container": given}, hands)


async def test_without_kubectl_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Refused, match="needs kubectl"):
        await Shell().plan(POD, {}, PodHands(document(main="running")))


async def test_without_a_terminal_nothing_is_opened() -> None:
    hands = PodHands(document(main="running"))
    plan = await Shell().plan(POD, {}, hands)
    with pytest.raises(Refused, match="needs the screen"):
        await Shell().execute(plan, hands, quiet)
    assert (await Shell().verify(plan, hands, quiet)).outcome is Outcome.FAILED


async def test_a_workload_offers_the_containers_of_its_pods_running_ones_first() -> None:
    hands = PodHands(document(proxy="waiting", main="running"))
    found = await containers_of(hands, CART, "app=cart")
    assert [(one.pod.ref.uid, one.name, bool(one.reason)) for one in found] == [
        ("p-1", "main", False),
        ("p-1", "proxy", True),
    ]
    assert await containers_of(hands, CART, "") == ()
    assert len(containers(POD, hands.pod)) == 2
