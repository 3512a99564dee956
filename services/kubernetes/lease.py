"""Lets one operator at a time act on an object, wherever they sit: a Lease beside it, which everybody honours.

Source: client-go tools/leaderelection (expiry by observed change on the local clock) and coordination.k8s.io/v1. It is
no fencing token: every change carries its own preconditions all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from services.clock import Clock
from services.errors import Problem
from services.kubernetes.wire import epoch
from services.kubernetes.writing import WriteFault, WriteProblem
from services.model.action import Write
from services.model.ref import Ref, Resource
from services.model.text import SafeText
from services.sanitize import safe_text

LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
CLAIM = "quarterdeck/claim"
CLUSTER_NAMESPACE = "kube-system"
"""Where the Leases of objects without namespace are."""

DURATION = 60
RENEW = 15.0
RENEW_DEADLINE = 40.0
AGAIN = 3.0
"""Seconds after which a renewal that failed is tried again."""

TRIES = 5

Document = dict[str, Any]


class Requests(Protocol):
    """What a lock needs of the hands (`services.actions.spec.Hands`)."""

    @property
    def clock(self) -> Clock:
        """The clock that is waited by."""
        ...

    @property
    def who(self) -> str:
        """Who acts: "alice@bastion-2"."""
        ...

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> Document:
        """One object, as it is now."""
        ...

    async def send(self, write: Write, *, dry_run: bool = False) -> Document:
        """Send a change."""
        ...


class Spot(Struct, frozen=True):
    """What is locked: the namespace of its Lease, and the words for it."""

    namespace: str
    what: str

    @property
    def name(self) -> str:
        """The name of the Lease."""
        return f"quarterdeck-{hashlib.sha1(self.what.encode(), usedforsecurity=False).hexdigest()[:10]}"


DRAINS = Spot(CLUSTER_NAMESPACE, "drains of this cluster")
"""Drains run one at a time in a cluster."""


def spot_of(ref: Ref) -> Spot:
    """Return where an object is locked: kind and name give the Lease's name."""
    return Spot(ref.namespace or CLUSTER_NAMESPACE, f"{ref.kind}/{ref.name}")


class Claim(Struct, frozen=True):
    """Who holds a lock, as they wrote it: what for, and until when at the latest (epoch seconds, 0: not said)."""

    who: str = ""
    what: str = ""
    until: float = 0.0


class Unleased(Struct, frozen=True):
    """No lock can be had in this cluster, and why: other operators are not kept away."""

    sentence: SafeText


class LeaseTaken(Problem):
    """Somebody else has the lock. `holder` is their identity, raw; `expires_in` seconds until it may be taken over."""

    def __init__(self, sentence: SafeText, holder: str, claim: Claim, expires_in: float) -> None:
        super().__init__(sentence)
        self.holder = holder
        self.claim = claim
        self.expires_in = expires_in


class Lease:
    """A lock that is held, renewed every 15 s from another task. `lost` is set when it is not ours any more."""

    def __init__(self, leases: Leases, document: Document) -> None:
        self.document = document
        self.lost = asyncio.Event()
        self._why = ""
        self._renewed = leases.clock.monotonic()
        self._leases = leases
        self._task: asyncio.Task[None] | None = None

    @property
    def why_lost(self) -> str:
        """Why it is not ours any more, "" while it is: also where this process slept so long that it ran out."""
        silent = self._leases.clock.monotonic() - self._renewed
        if not self._why and silent >= DURATION:
            return f"The lock was lost: it was not renewed for {silent:.0f} s"
        return self._why

    def keep(self) -> None:
        """Begin to renew it."""
        self._task = asyncio.ensure_future(self._renew())

    async def release(self) -> None:
        """Let others have it; raises nothing: what cannot be released runs out."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if not self.lost.is_set():
            with contextlib.suppress(Problem):
                await self._leases.free(self.document)

    async def _renew(self) -> None:
        clock = self._leases.clock
        wait, why = RENEW, f"it could not be renewed for {RENEW_DEADLINE:.0f} s"
        while clock.monotonic() - self._renewed < RENEW_DEADLINE:
            await clock.sleep(wait)
            try:
                self.document = await self._leases.renewed(self.document)
                self._renewed, wait = clock.monotonic(), RENEW
            except LeaseTaken as taken:
                why = taken.sentence
                break
            except Problem:
                wait = AGAIN
        self._why = f"The lock was lost: {why.rstrip('.')}"
        self.lost.set()


class Leases:
    """The locks of one console in one cluster. `console` is an id that no other process has.

    `died` tells of another console's id whether that process is known to have ended, however lately it renewed; it
    blocks for as long as the disk takes.
    """

    def __init__(self, requests: Requests, console: str, died: Callable[[str], bool] = lambda _: False) -> None:
        self._requests = requests
        self._console = console
        self._died = died
        self._seen: dict[tuple[str, str], tuple[Mapping[str, Any], float]] = {}

    @property
    def clock(self) -> Clock:
        """The clock of the hands."""
        return self._requests.clock

    @property
    def identity(self) -> str:
        """Who we are in `holderIdentity`: "alice@bastion-2/console"."""
        return f"{self._requests.who}/{self._console}"

    @contextlib.asynccontextmanager
    async def hold(self, spot: Spot, what: str, seconds: float = 0.0) -> AsyncIterator[Lease | Unleased]:
        """Hold a lock while the context lasts; `what` is done, for `seconds` at the most (0: not known).

        Yields Unleased where this user has no rights on Leases. Raises LeaseTaken, or Problem where nobody knows.
        """
        lease = await self.acquire(spot, what, seconds)
        if isinstance(lease, Unleased):
            yield lease
            return
        lease.keep()
        try:
            yield lease
        finally:
            await asyncio.shield(lease.release())

    async def acquire(self, spot: Spot, what: str, seconds: float = 0.0) -> Lease | Unleased:
        """Take a lock that nobody has, or whose holder has not renewed it for its duration. Raises as `hold` does."""
        claim = Claim(self._requests.who, what, self.clock.now() + seconds if seconds else 0.0)
        for _ in range(TRIES):
            try:
                found = await self._read(spot)
                await self._check(spot, found)
                document = self._claimed(spot, found, claim)
                made = await self._requests.send(_write(document, create=found is None))
                return Lease(self, made)
            except WriteProblem as problem:
                if problem.kind is WriteFault.FORBIDDEN:
                    return _unleased(problem)
                if problem.kind not in {WriteFault.CONFLICT, WriteFault.GONE, WriteFault.UNKNOWN}:
                    raise
            except Problem as problem:
                if problem.status != 403:
                    raise
                return _unleased(problem)
        raise Problem(safe_text(f"Could not lock {spot.what}: others write its Lease all the time; try again."))

    async def renewed(self, document: Document) -> Document:
        """Return the Lease with a new renewal time. Raises LeaseTaken where another has it, Problem otherwise."""
        spot_namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
        try:
            return await self._requests.send(_write(_changed(document, {"renewTime": self._now()}), create=False))
        except WriteProblem as problem:
            if problem.kind not in {WriteFault.CONFLICT, WriteFault.GONE}:
                raise
        found = await self._requests.get(LEASES, spot_namespace, name)
        if _holder(found) != self.identity:
            raise self._taken(Spot(spot_namespace, name), found)
        return await self._requests.send(_write(_changed(found, {"renewTime": self._now()}), create=False))

    async def free(self, document: Document) -> None:
        """Leave a Lease without holder. Raises Problem."""
        freed = _changed(document, {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": self._now()})
        annotations = dict(freed["metadata"].get("annotations") or {})
        annotations.pop(CLAIM, None)
        freed["metadata"] = {**freed["metadata"], "annotations": annotations}
        await self._requests.send(_write(freed, create=False))

    async def _read(self, spot: Spot) -> Document | None:
        try:
            return await self._requests.get(LEASES, spot.namespace, spot.name)
        except Problem as problem:
            if problem.status == 404:
                return None
            raise

    async def _check(self, spot: Spot, found: Document | None) -> None:
        if found is None or _holder(found) == self.identity or self._expires_in(spot, found) <= 0:
            return
        if not await asyncio.to_thread(self._died, _holder(found).partition("/")[2]):
            raise self._taken(spot, found)

    def _expires_in(self, spot: Spot, found: Document) -> float:
        """Return the seconds until a lock may be taken over: its duration since it was last seen to change."""
        if not _holder(found):
            return 0.0
        key, record = (spot.namespace, spot.name), found.get("spec") or {}
        seen, at = self._seen.get(key, (None, 0.0))
        if seen != record:
            at = self.clock.monotonic()
            self._seen[key] = (record, at)
        return float(record.get("leaseDurationSeconds") or DURATION) - (self.clock.monotonic() - at)

    def _taken(self, spot: Spot, found: Document) -> LeaseTaken:
        claim, left = _claim(found), max(0.0, self._expires_in(spot, found))
        who = claim.who or _holder(found).partition("/")[0]
        doing = f" ({claim.what})" if claim.what else ""
        until = (
            datetime.fromtimestamp(claim.until, UTC).strftime(", until %H:%M UTC at the latest") if claim.until else ""
        )
        sentence = (
            f"{who} is at it{doing}{until}: talk to them, or wait; if their console died, it is free in {left:.0f} s."
        )
        return LeaseTaken(safe_text(sentence), _holder(found), claim, left)

    def _claimed(self, spot: Spot, found: Document | None, claim: Claim) -> Document:
        now = self._now()
        before = (found or {}).get("spec") or {}
        passed_on = found is not None and before.get("holderIdentity") != self.identity
        spec = {
            **before,
            "holderIdentity": self.identity,
            "leaseDurationSeconds": DURATION,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + passed_on,
        }
        metadata = dict((found or {}).get("metadata") or {"name": spot.name, "namespace": spot.namespace})
        labels = {**(metadata.get("labels") or {}), "app.kubernetes.io/managed-by": "quarterdeck"}
        written = {"who": claim.who, "what": claim.what, "on": spot.what, "until": claim.until}
        annotations = {**(metadata.get("annotations") or {}), CLAIM: msgspec.json.encode(written).decode()}
        metadata |= {"labels": labels, "annotations": annotations}
        return {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata, "spec": spec}

    def _now(self) -> str:
        """Return the present as MicroTime, which must have six digits after the point."""
        return datetime.fromtimestamp(self.clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def held(document: Mapping[str, Any]) -> tuple[str, Claim]:
    """Return who holds a Lease (their identity, raw; "" for nobody) and what they wrote of it."""
    return _holder(document), _claim(document)


def renewed_at(document: Mapping[str, Any]) -> float:
    """Return when a Lease was last renewed by its holder's clock, epoch seconds: to show, never to decide by."""
    return epoch((document.get("spec") or {}).get("renewTime"))


def _write(document: Document, *, create: bool) -> Write:
    metadata = document["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    metadata = {key: value for key, value in metadata.items() if key != "managedFields"}
    return Write(
        method="POST" if create else "PUT",
        path=LEASES.path(namespace, "" if create else name),
        what=f"lock with lease {namespace}/{name}",
        body=msgspec.json.encode({**document, "metadata": metadata}),
    )


def _changed(document: Document, spec: Mapping[str, Any]) -> Document:
    return {**document, "metadata": dict(document["metadata"]), "spec": {**(document.get("spec") or {}), **spec}}


def _holder(document: Mapping[str, Any]) -> str:
    return str((document.get("spec") or {}).get("holderIdentity") or "")


def _claim(document: Mapping[str, Any]) -> Claim:
    written = ((document.get("metadata") or {}).get("annotations") or {}).get(CLAIM, "")
    try:
        claim = msgspec.json.decode(written, type=Claim)
    except msgspec.DecodeError:
        return Claim()
    return claim if claim.who == _holder(document).partition("/")[0] else Claim()


def _unleased(problem: Problem) -> Unleased:
    return Unleased(safe_text(f"No lock in the cluster, other operators are not kept away: {problem.sentence}", 600))
