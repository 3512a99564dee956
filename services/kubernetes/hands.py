"""The hands that actions are lent: reads, rights and guarded changes of one pinned cluster, as one person."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from services.clock import Clock
from services.errors import Problem
from services.kubernetes.session import KubernetesSession
from services.kubernetes.standing import Standing
from services.kubernetes.transport import Transport
from services.kubernetes.writing import send
from services.model.action import Right, Write
from services.model.ref import Ref, Resource
from services.model.text import SafeText
from services.model.workload import Healthy
from services.ports import AccessAnswer, Snapshot
from services.sanitize import safe_text

Document = dict[str, Any]

SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
SELF_REVIEW = b'{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}'
PAGE = 500
WARNINGS_KEPT = 20


class _UserInfo(msgspec.Struct):
    username: str = ""


class _SelfStatus(msgspec.Struct, rename="camel"):
    user_info: _UserInfo = msgspec.field(default_factory=_UserInfo)


class _Self(msgspec.Struct):
    status: _SelfStatus = msgspec.field(default_factory=_SelfStatus)


class KubernetesHands(Standing):
    """Implements `services.actions.spec.Hands` over a session and its transport.

    `user` is who acts as far as the kubeconfig knows ("" where it does not), `host` the machine that is acted from;
    `introduce` asks the server for the name it knows. `snapshot` returns live state as it is now, `observed` blocks for
    as long as the disk takes.
    """

    def __init__(
        self,
        session: KubernetesSession,
        transport: Transport,
        clock: Clock,
        snapshot: Callable[[], Snapshot],
        *,
        context: str,
        user: str,
        host: str,
        observed: Callable[[Ref], Mapping[int, Healthy]] = lambda _: {},
    ) -> None:
        super().__init__(clock, snapshot, context)
        self.transport = transport
        self.warnings: deque[SafeText] = deque(maxlen=WARNINGS_KEPT)
        self._session = session
        self._user = user
        self._host = host
        self._observed = observed
        self._introduced = False

    @property
    def who(self) -> str:
        """Who acts, as it is written into the cluster: "alice@bastion-2"."""
        return f"{self._user or 'unknown'}@{self._host}"

    async def observed(self, ref: Ref) -> Mapping[int, Healthy]:
        """The revisions of a workload that consoles of this machine saw healthy."""
        return await asyncio.to_thread(self._observed, ref)

    async def introduce(self) -> str:
        """Ask the server once under which name it knows this user; servers before 1.28 do not say. Raises nothing."""
        if not self._introduced:
            self._introduced = True
            with contextlib.suppress(Problem, msgspec.DecodeError, UnicodeDecodeError):
                what = "ask who this user is"
                answer = await self.transport.request("POST", SELF, body=SELF_REVIEW, what=what)
                self._user = msgspec.json.decode(answer.body, type=_Self).status.user_info.username or self._user
        return self.who

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
        """One object, read from the server now. Raises Problem, with status 404 where it is not there."""
        what = f"read {resource.kind} {name}"
        answer = await self.transport.request("GET", resource.path(namespace, name, subresource), what=what)
        return _decoded(answer.body, what)

    async def find(self, resource: Resource, namespace: str = "", **params: str) -> Sequence[Document]:
        """The objects of a kind, whole, with their apiVersion and kind; a kind the server lacks has none.

        `params` are labelSelector and fieldSelector. Raises Problem.
        """
        what = f"list {resource.plural}"
        found: list[Document] = []
        path = resource.path(namespace)
        try:
            async with contextlib.aclosing(self.transport.pages(path, params, limit=PAGE, what=what)) as bodies:
                async for body in bodies:
                    found += _decoded(body, what).get("items") or ()
        except Problem as problem:
            if problem.status != 404:
                raise
            return ()
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}
        return [{**kind, **item} for item in found]

    async def send(self, write: Write, *, dry_run: bool = False) -> Document:
        """Send a change with its preconditions, and return the server's answer; see `writing.send`.

        What the server warns of is kept in `warnings`, the newest last.
        """
        return await send(self.transport, write, dry_run=dry_run, clock=self._clock, warn=self._warn)

    async def can(self, right: Right) -> AccessAnswer:
        """Whether this user may (SelfSubjectAccessReview, cached 60 s)."""
        return await self._session.can(right.verb, right.resource, right.namespace, right.subresource)

    def _warn(self, said: SafeText) -> None:
        if said not in self.warnings:
            self.warnings.append(said)


def _decoded(body: bytes, what: str) -> Document:
    try:
        document: Document = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(safe_text(f"Could not {what}: the server sent something unexpected ({error}).")) from None
    return document
