"""A lock is one person's: taken, renewed, lost, released and broken as everybody can see."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from services.clock import ManualClock, settle
from services.errors import Problem
from services.kubernetes.lease import CLAIM, DRAINS, Claim, Lease, Leases, LeaseTaken, Unleased, spot_of
from services.kubernetes.writing import WriteFault, WriteProblem
from services.model.action import Write
from services.model.ref import Ref, Resource
from services.model.text import SafeText

CART = spot_of(Ref("c", "apps", "Deployment", "shop", "cart", "u1"))
MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


class Store:
    """A server that keeps Leases as the real one does: versions count up, an old one is refused."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.version = 0
        self.refuse: WriteProblem | Problem | None = None
        self.before_write: list[Any] = []

    def write(self, write: Write) -> dict[str, Any]:
        if self.before_write:
            self.before_write.pop(0)()
        if self.refuse is not None:
            raise self.refuse
        document = json.loads(write.body)
        path = write.path if write.method == "PUT" else f"{write.path}/{document['metadata']['name']}"
        kept = self.documents.get(path)
        if write.method == "POST" and kept is not None:
            raise WriteProblem(SafeText("there is one already"), WriteFault.CONFLICT, 409)
        if write.method == "PUT" and kept is None:
            raise WriteProblem(SafeText("not there"), WriteFault.GONE, 404)
        if kept is not None and document["metadata"].get("resourceVersion") != kept["metadata"]["resourceVersion"]:
            raise WriteProblem(SafeText("modified"), WriteFault.CONFLICT, 409)
        self.version += 1
        document["metadata"]["resourceVersion"] = str(self.version)
        for time in ("acquireTime", "renewTime"):
            assert MICRO_TIME.fullmatch(document["spec"][time])
        self.documents[path] = document
        return json.loads(json.dumps(document))

    @property
    def spec(self) -> dict[str, Any]:
        (document,) = self.documents.values()
        return document["spec"]


class Person:
    """Hands on that server."""

    def __init__(self, store: Store, clock: ManualClock, who: str = "alice@one") -> None:
        self.store = store
        self.clock = clock
        self.who = who

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> dict[str, Any]:
        if isinstance(self.store.refuse, Problem) and not isinstance(self.store.refuse, WriteProblem):
            raise self.store.refuse
        found = self.store.documents.get(resource.path(namespace, name))
        if found is None:
            raise Problem(SafeText("not found"), 404)
        return json.loads(json.dumps(found))

    async def send(self, write: Write, *, dry_run: bool = False) -> dict[str, Any]:
        return self.store.write(write)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store() -> Store:
    return Store()


def leases(store: Store, clock: ManualClock, who: str = "alice@one") -> Leases:
    return Leases(Person(store, clock, who), f"console-{who}")


async def held(by: Leases, what: str = "rollback", seconds: float = 0.0) -> Lease:
    found = await by.acquire(CART, what, seconds)
    assert isinstance(found, Lease)
    return found


def test_a_lock_has_the_name_of_its_object() -> None:
    assert re.fullmatch(r"quarterdeck-[0-9a-f]{10}", CART.name)
    assert CART.namespace == "shop"
    assert CART.name != spot_of(Ref("c", "apps", "StatefulSet", "shop", "cart")).name
    assert spot_of(Ref("c", "", "Node", "", "n1")).namespace == DRAINS.namespace == "kube-system"


async def test_a_lock_says_who_has_it_what_for_and_until_when(store: Store, clock: ManualClock) -> None:
    await held(leases(store, clock), "rollback to 16", seconds=120)
    assert store.spec["holderIdentity"] == "alice@one/console-alice@one"
    assert (store.spec["leaseDurationSeconds"], store.spec["leaseTransitions"]) == (60, 0)
    (document,) = store.documents.values()
    assert json.loads(document["metadata"]["annotations"][CLAIM]) == {
        "who": "alice@one",
        "what": "rollback to 16",
        "on": "Deployment/cart",
        "until": clock.now() + 120,
    }
    with pytest.raises(LeaseTaken) as problem:
        await leases(store, clock, "bob@two").acquire(CART, "restart")
    assert problem.value.sentence.startswith("alice@one is at it (rollback to 16), until ")
    assert (problem.value.holder, problem.value.expires_in) == ("alice@one/console-alice@one", 60.0)
    assert store.spec["holderIdentity"].startswith("alice")


async def test_a_lock_that_is_not_renewed_for_its_duration_is_taken_over(store: Store, clock: ManualClock) -> None:
    await held(leases(store, clock))
    bob = leases(store, clock, "bob@two")
    with pytest.raises(LeaseTaken):
        await bob.acquire(CART, "restart")  # from now on bob's clock runs
    await clock.advance(59)
    with pytest.raises(LeaseTaken):
        await bob.acquire(CART, "restart")
    await clock.advance(1)
    await held(bob)
    assert store.spec["holderIdentity"].startswith("bob@two")
    assert store.spec["leaseTransitions"] == 1


async def test_remote_times_decide_nothing(store: Store, clock: ManualClock) -> None:
    """Somebody whose clock is a day behind still holds what they renew."""
    await held(leases(store, clock))
    bob = leases(store, ManualClock(now=clock.now() + 86_400), "bob@two")
    with pytest.raises(LeaseTaken):
        await bob.acquire(CART, "restart")


async def test_who_renews_keeps_it(store: Store, clock: ManualClock) -> None:
    alice, bob = leases(store, clock), leases(store, clock, "bob@two")
    async with alice.hold(CART, "drain") as lease:
        assert isinstance(lease, Lease)
        await settle()
        for _ in range(20):
            with pytest.raises(LeaseTaken):
                await bob.acquire(CART, "restart")
            await clock.advance(15)
        assert not lease.lost.is_set()
    assert store.spec["holderIdentity"] == ""
    (document,) = store.documents.values()
    assert CLAIM not in document["metadata"]["annotations"]
    await held(bob)
    assert store.spec["leaseTransitions"] == 1


async def test_the_same_console_takes_its_own_lock_again(store: Store, clock: ManualClock) -> None:
    alice = leases(store, clock)
    await held(alice)
    await held(alice, "again")
    assert store.spec["leaseTransitions"] == 0


async def test_another_writer_in_between_does_not_end_a_renewal(store: Store, clock: ManualClock) -> None:
    async with leases(store, clock).hold(CART, "drain") as lease:
        assert isinstance(lease, Lease)
        await settle()
        (document,) = store.documents.values()
        document["metadata"]["resourceVersion"] = "99"  # somebody labelled it
        await clock.advance(15)
        assert not lease.lost.is_set()
        assert lease.document["metadata"]["resourceVersion"] != "99"


async def test_a_lock_that_another_has_taken_is_lost(store: Store, clock: ManualClock) -> None:
    async with leases(store, clock).hold(CART, "drain") as lease:
        assert isinstance(lease, Lease)
        await settle()
        (document,) = store.documents.values()
        document["metadata"]["resourceVersion"] = "99"
        document["spec"]["holderIdentity"] = "bob@two/x"
        await clock.advance(15)
        assert lease.lost.is_set()
        assert lease.why_lost.startswith("The lock was lost: bob@two is at it")
    assert store.spec["holderIdentity"] == "bob@two/x"  # not released for them


async def test_a_lock_that_cannot_be_renewed_for_40_s_is_lost(store: Store, clock: ManualClock) -> None:
    async with leases(store, clock).hold(CART, "drain") as lease:
        assert isinstance(lease, Lease)
        await settle()
        store.refuse = WriteProblem(SafeText("no answer"), WriteFault.UNKNOWN)
        await clock.advance(30)
        assert (lease.lost.is_set(), lease.why_lost) == (False, "")
        store.refuse = None
        await clock.advance(15)
        store.refuse = WriteProblem(SafeText("no answer"), WriteFault.UNKNOWN)
        await clock.advance(60)
        assert lease.lost.is_set()
        assert "could not be renewed for 40 s" in lease.why_lost


async def test_a_console_that_slept_too_long_knows_before_it_asks(store: Store, clock: ManualClock) -> None:
    lease = await leases(store, clock).acquire(CART, "drain")
    assert isinstance(lease, Lease)
    await clock.advance(59)
    assert not lease.why_lost
    await clock.advance(1)
    assert "not renewed for 60 s" in lease.why_lost


async def test_two_who_want_it_at_once(store: Store, clock: ManualClock) -> None:
    """Bob creates it between alice's look and her request: alice is refused, and nothing is overwritten."""
    bob = leases(store, clock, "bob@two")

    def steal() -> None:
        document = bob._claimed(CART, None, Claim("bob@two", "restart"))
        store.documents[f"/apis/coordination.k8s.io/v1/namespaces/shop/leases/{CART.name}"] = document
        document["metadata"]["resourceVersion"] = "50"

    store.before_write.append(steal)
    with pytest.raises(LeaseTaken, match="bob@two is at it"):
        await leases(store, clock).acquire(CART, "rollback")


async def test_a_lock_whose_answer_was_lost_is_ours_if_it_arrived(store: Store, clock: ManualClock) -> None:
    """The server writes it and its answer is cut off: nobody has to wait for a lock that they hold themselves."""
    alice = leases(store, clock)
    arrives, lost = store.write, [True]

    def cut_off(write: Write) -> dict[str, Any]:
        answer = arrives(write)
        if lost and lost.pop():
            raise WriteProblem(SafeText("the connection broke"), WriteFault.UNKNOWN)
        return answer

    store.write = cut_off  # type: ignore[method-assign]
    lease = await held(alice)
    assert store.spec["holderIdentity"] == alice.identity == lease.document["spec"]["holderIdentity"]
    assert store.version == 2
    with pytest.raises(LeaseTaken, match="alice@one is at it"):
        await leases(store, clock, "bob@two").acquire(CART, "restart")


async def test_without_rights_it_is_said_that_nobody_is_kept_away(store: Store, clock: ManualClock) -> None:
    store.refuse = WriteProblem(SafeText("you may not"), WriteFault.FORBIDDEN, 403)
    async with leases(store, clock).hold(CART, "restart") as lease:
        assert isinstance(lease, Unleased)
        assert "you may not" in lease.sentence
    store.refuse = Problem(SafeText("you may not read"), 403)
    assert isinstance(await leases(store, clock).acquire(CART, "restart"), Unleased)


async def test_a_server_that_does_not_answer_gives_no_lock(store: Store, clock: ManualClock) -> None:
    store.refuse = Problem(SafeText("no answer"))
    with pytest.raises(Problem, match="no answer"):
        await leases(store, clock).acquire(CART, "restart")


async def test_leaving_early_releases_it_too(store: Store, clock: ManualClock) -> None:
    with pytest.raises(RuntimeError):
        async with leases(store, clock).hold(CART, "restart"):
            raise RuntimeError
    await settle()
    assert store.spec["holderIdentity"] == ""


async def test_a_foreign_annotation_is_no_claim(store: Store, clock: ManualClock) -> None:
    await held(leases(store, clock))
    (document,) = store.documents.values()
    document["metadata"]["annotations"][CLAIM] = "{nonsense"
    with pytest.raises(LeaseTaken, match="alice@one is at it: talk to them"):
        await leases(store, clock, "bob@two").acquire(CART, "restart")
