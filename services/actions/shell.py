"""Opens a shell in a container by `kubectl exec`, as a person at a terminal; what is typed there is not recorded."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import Struct

from services.actions.ordinary import Ordinary
from services.actions.reading import at, entries, fetch, spoken
from services.actions.spec import Document, Hands, Note, Refused
from services.model.action import Ended, Fact, Outcome, Plan, Progress, Right, Stage, Target
from services.model.ref import PODS, Ref
from services.model.severity import Severity
from services.sanitize import safe_text

SHELL = "[ -x /bin/bash ] && exec bash; exec sh"
OF_THE_SHELL = "command terminated with exit code"
"""How kubectl says that the exit code is the remote command's own."""

NO_SHELL = (126, 127)
"""Exit codes of a container that cannot run a shell, or has none."""


class Left(Struct, frozen=True):
    """How a command at the terminal ended: its exit code, what it said to its error output (raw), how long it ran."""

    code: int
    said: str
    seconds: float


Terminal = Callable[[Sequence[str]], Awaitable[Left]]
"""Gives the terminal to a command until it ends. Raises Problem where there is none, or it cannot be run."""


class Container(Struct, frozen=True):
    """A container that a shell may be opened in; `reason` says why not ("" where it may)."""

    pod: Target
    name: str
    image: str
    reason: str = ""


class Shell(Ordinary):
    """`kubectl exec -it`; without a terminal (`quarterdeck act`) it is planned and never opened."""

    id = "shell"

    def __init__(self) -> None:
        self._terminal: Terminal | None = None
        self._left: Left | None = None

    def lend(self, terminal: Terminal) -> None:
        """Give it a terminal, for the next shell alone."""
        self._terminal, self._left = terminal, None

    async def plan(self, target: Target, given: Mapping[str, str], hands: Hands, /) -> Plan:
        """Return the command for a container of a pod. Refused where it does not run, or there is no kubectl."""
        if target.resource != PODS:
            raise Refused(safe_text(f"A shell is opened in a pod: choose one of {spoken(target)}."))
        document = await fetch(target, hands)
        found = containers(target, document)
        name = given.get("container") or (found[0].name if found else "")
        container = next((one for one in found if one.name == name), None)
        if container is None:
            raise Refused(safe_text(f"{spoken(target)} has no container {name}."))
        if container.reason:
            raise Refused(safe_text(f"No shell in container {name}: {container.reason}."))
        if shutil.which("kubectl") is None:
            raise Refused(safe_text("A shell needs kubectl, and there is none on this machine's path: install it."))
        return Plan(
            action=self.id,
            target=target,
            title=f"Shell in {target.ref.key}",
            parameters={"container": name},
            facts=(
                Fact("into", f"container {name}, {container.image}"),
                Fact("records", "that it was open and how it ended; not what is typed", Severity.NOTICE),
            ),
            rights=(Right("create", PODS, target.ref.namespace, "exec"),),
            command=shlex.join(["exec", "-it", target.ref.name, "-c", name, "--", "sh", "-c", SHELL]),
            touches=1,
            expects="until you leave it (exit, or ctrl-d)",
            no_undo="what is done in a shell cannot be taken back from here",
            leased=False,
        )

    async def execute(self, plan: Plan, hands: Hands, note: Note, /) -> None:
        """Give the terminal to kubectl until the shell has ended. Raises Problem."""
        await note(Progress(Stage.EXECUTE, "the terminal is the shell's until it ends"))
        terminal, self._terminal = self._terminal, None
        if terminal is None:
            raise Refused(safe_text("A shell needs the screen: open it there."))
        words = ["kubectl", "--context", hands.context, "-n", plan.target.ref.namespace, *shlex.split(plan.command)]
        self._left = await terminal(words)

    async def verify(self, _plan: Plan, hands: Hands, _note: Note, /) -> Ended:
        """Say how it ended. Where nobody saw that, it ended with the console that had opened it."""
        left, now = self._left, hands.clock.now()
        if left is None:
            return Ended(Outcome.FAILED, safe_text("no shell is open: it never was, or ended with its console"), at=now)
        last = next((line for line in reversed(left.said.splitlines()) if line.strip()), "")
        if left.code in NO_SHELL:
            return Ended(
                Outcome.FAILED, safe_text(f"the container has no shell that runs (exit code {left.code})"), at=now
            )
        if left.code and last and OF_THE_SHELL not in last:
            return Ended(Outcome.FAILED, safe_text(f"kubectl ended with exit code {left.code}: {last}", 400), at=now)
        text = f"the shell ended with exit code {left.code} after {left.seconds:.0f} s"
        return Ended(Outcome.OK, safe_text(text), at=now)


def containers(pod: Target, document: Document) -> tuple[Container, ...]:
    """Return the containers of a pod in its own order, those added for debugging last, init containers left out."""
    statuses = {
        str(one.get("name")): one
        for field in ("containerStatuses", "ephemeralContainerStatuses")
        for one in entries(at(document, "status", field))
    }
    found = []
    for field in ("containers", "ephemeralContainers"):
        for one in entries(at(document, "spec", field)):
            name = str(one.get("name", ""))
            running = at(statuses.get(name, {}), "state", "running") is not None
            found.append(Container(pod, name, str(one.get("image", "")), "" if running else "it is not running"))
    return tuple(found)


async def containers_of(hands: Hands, target: Target, selector: str) -> tuple[Container, ...]:
    """Return the containers of a pod, or of all pods that a workload selects. Raises Problem."""
    namespace = target.ref.namespace
    if target.resource == PODS:
        document = await hands.get(PODS, namespace, target.ref.name)
        return containers(target, document)
    found: list[Container] = []
    for document in await hands.find(PODS, namespace, labelSelector=selector) if selector else ():
        metadata = at(document, "metadata") or {}
        ref = Ref(target.ref.cluster, "", "Pod", namespace, str(metadata.get("name")), str(metadata.get("uid")))
        found += containers(Target(ref, PODS, as_of=target.as_of), document)
    return tuple(sorted(found, key=lambda one: bool(one.reason)))
