"""What a screen asks about one cluster is answered over TLS by the rehearsal estate, and secrets stay masked."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from services.clock import ManualClock
from services.errors import Problem
from services.kubernetes import settings
from services.kubernetes.kubeconfig import identify
from services.kubernetes.session import KubernetesSession
from services.kubernetes.source import KubernetesSource
from services.kubernetes.transport import Response
from services.model.ref import DEPLOYMENTS, NODES, PODS, STATEFULSETS, Ref, Resource
from services.ports import Interest, LogLine, LogOptions
from services.rehearsal import clock as estate_clock
from services.rehearsal.server import Options, Rehearsal

PATIENCE = 60.0
SECRETS = Resource("", "v1", "secrets", "Secret")
Document = dict[str, Any]


class Nowhere:
    """A sink for what these tests do not look at."""

    def apply(self, source: str, change: object) -> None:
        """Take a change."""

    def status(self, status: object) -> None:
        """Take a status."""

    def happened(self, events: object) -> None:
        """Take events."""


class Console:
    """A session on an estate, and the two clocks."""

    def __init__(self, estate: Rehearsal, time: estate_clock.ManualClock, account: str) -> None:
        context = estate.address.contexts[account]
        identity = identify([str(estate.address.kubeconfig)], context)
        self.estate = estate
        self.time = time
        self.clock = ManualClock(time.now())
        self.source = KubernetesSource(settings.load(identity), Interest(), Nowhere(), self.clock)
        self.source.cluster = "c"
        self.session = KubernetesSession(self.source, self.clock)

    def every(self, kind: str) -> list[Document]:
        """Return all objects of a kind, as the server has them."""
        found = next(one for one in self.estate.store.collections.values() if one.resource.kind == kind)
        return [{**entry.read(), "kind": kind} for entry in found.ordered()]

    def some(self, kind: str, wanted: Callable[[Document], bool] = lambda _: True) -> Document:
        """Return the first object of a kind that is as wanted."""
        return next(one for one in self.every(kind) if wanted(one))


def ref_of(document: Document, group: str = "") -> Ref:
    meta = document["metadata"]
    return Ref("c", group, document["kind"], meta.get("namespace", ""), meta["name"], meta["uid"])


@asynccontextmanager
async def opened(scenario: str, account: str = "admin") -> AsyncIterator[Console]:
    time = estate_clock.ManualClock()
    async with (
        Rehearsal(Options(scenario, past=0 if scenario == "calm" else None), time) as estate,
        asyncio.timeout(PATIENCE),
    ):
        console = Console(estate, time, account)
        try:
            yield console
        finally:
            await console.source.transport.close()


@pytest.fixture
async def console() -> AsyncIterator[Console]:
    async with opened("bad-deploy") as made:
        yield made


@pytest.fixture
async def quick() -> AsyncIterator[Console]:
    """A console whose estate has no past."""
    async with opened("calm") as made:
        yield made


@contextmanager
def counted(console: Console) -> Iterator[list[str]]:
    """Count the requests that reach the server."""
    asked: list[str] = []
    transport = console.source.transport
    request, bulk = transport.request, transport.bulk

    async def noted(method: str, path: str, **rest: Any) -> Any:
        asked.append(path)
        return await request(method, path, **rest)

    async def noted_bulk(path: str, *rest: Any, **more: Any) -> Any:
        asked.append(path)
        return await bulk(path, *rest, **more)

    transport.request = noted  # type: ignore[method-assign]
    transport.bulk = noted_bulk  # type: ignore[method-assign]
    try:
        yield asked
    finally:
        transport.request, transport.bulk = request, bulk  # type: ignore[method-assign]


async def test_kinds_are_learned_in_two_requests_and_kept_for_five_minutes(console: Console) -> None:
    with counted(console) as asked:
        found = await console.session.resources()
        assert await console.session.resources() is found
        assert asked == ["/api", "/apis"]
        await console.clock.advance(301)
        assert await console.session.resources() == found
        assert len(asked) == 4
    tables = {each.resource.table: each for each in found}
    assert {"pods", "deployments.apps", "nodes", "jobs.batch"} <= tables.keys()
    assert tables["pods"].short_names == ("po",)
    assert not tables["nodes"].resource.namespaced


async def test_a_raw_object_is_whole_and_its_yaml_is_masked(console: Console) -> None:
    def secretive(document: Document) -> bool:
        return any(one["name"] == "SIGNING_KEY" and one.get("value") for one in environment(document))

    wanted = console.some("Deployment", secretive)
    ref = ref_of(wanted, "apps")
    raw = json.loads(await console.session.get_raw(DEPLOYMENTS, ref.namespace, ref.name))
    assert raw["spec"] == wanted["spec"]
    hidden = next(one["value"] for one in environment(wanted) if one["name"] == "SIGNING_KEY")
    text = await console.session.yaml(DEPLOYMENTS, ref.namespace, ref.name)
    described = "\n".join(await console.session.describe(ref, DEPLOYMENTS))
    assert f"name: {ref.name}" in text
    assert "managedFields" not in text
    assert hidden not in text
    assert hidden not in described
    assert "SIGNING_KEY: ***" in described


def environment(document: Document) -> list[Document]:
    containers = document["spec"]["template"]["spec"]["containers"]
    return [one for container in containers for one in container.get("env", ())]


async def test_a_missing_object_is_a_problem_with_its_status(console: Console) -> None:
    with pytest.raises(Problem, match="not found") as caught:
        await console.session.yaml(PODS, "payments", "nobody")
    assert caught.value.status == 404


def crashing(document: Document) -> bool:
    statuses = document["status"].get("containerStatuses", ())
    return any(one["restartCount"] > 3 and one.get("lastState") for one in statuses)


async def test_a_crashing_pod_is_described_with_its_last_exit_and_its_events(console: Console) -> None:
    pod = console.some("Pod", crashing)
    described = await console.session.describe(ref_of(pod), PODS)
    status = next(one for one in pod["status"]["containerStatuses"] if one["restartCount"] > 3)
    text = "\n".join(described)
    assert f"Image:             {status['image']}" in text
    assert f"Restarts:          {status['restartCount']}" in text
    assert f"Exit Code:         {status['lastState']['terminated']['exitCode']}" in text
    assert "Last State:        Terminated" in text
    heads = [line.split(":")[0] for line in described if line and not line.startswith(" ")]
    assert heads[:3] == ["Name", "Namespace", "Kind"]
    assert heads[-1] == "Events"
    assert "BackOff" in text[text.index("Events:") :]


async def test_a_node_is_described_with_conditions_and_capacity(console: Console) -> None:
    node = console.some("Node")
    text = "\n".join(await console.session.describe(ref_of(node), NODES))
    assert "MemoryPressure  False" in text
    assert node["status"]["capacity"]["memory"] in text
    assert node["status"]["allocatable"]["cpu"] in text


async def test_every_kind_the_server_has_is_described(console: Console) -> None:
    described = 0
    for found in await console.session.resources():
        if "get" not in found.verbs or "list" not in found.verbs:
            continue
        _, rows = await console.session.table(found.resource, "")
        for row in list(rows.values())[:2]:
            ref = row.ref
            shown = await console.session.describe(ref, found.resource)
            assert shown[0].split() == ["Name:", ref.name]
            assert shown[-1]
            described += 1
    assert described > 20


async def test_history_lists_each_revision_once_newest_first(console: Console) -> None:
    wanted = console.some("Deployment", lambda one: one["metadata"]["generation"] > 1)
    found = await console.session.history(ref_of(wanted, "apps"))
    numbers = [one.number for one in found]
    assert len(numbers) > 1
    assert numbers == sorted(set(numbers), reverse=True)
    assert [one.number for one in found if one.current] == numbers[:1]
    assert found[0].images == tuple(one["image"] for one in wanted["spec"]["template"]["spec"]["containers"])


async def test_history_reads_controller_revisions(console: Console) -> None:
    wanted = console.some("StatefulSet")
    found = await console.session.history(ref_of(wanted, "apps"))
    assert [one.current for one in found][:1] == [True]
    assert (STATEFULSETS.kind, found[0].name) == ("StatefulSet", wanted["status"]["updateRevision"])


async def test_a_kind_without_revisions_is_a_problem(console: Console) -> None:
    with pytest.raises(Problem, match="A Node keeps no revisions"):
        await console.session.history(ref_of(console.some("Node")))


async def test_events_of_few_objects_are_asked_for_by_field_and_of_many_by_namespace(console: Console) -> None:
    pod = console.some("Pod", crashing)
    namespace = pod["metadata"]["namespace"]
    events = [one for one in console.every("Event") if one["involvedObject"].get("uid") == pod["metadata"]["uid"]]
    with counted(console) as asked:
        found = await console.session.events([ref_of(pod)])
        others = [Ref("c", "", "Pod", namespace, f"other-{index}", f"u{index}") for index in range(20)]
        again = await console.session.events([*others, ref_of(pod)])
        assert asked == [f"/api/v1/namespaces/{namespace}/events"] * 2
    assert {event.ref.name for event in found} == {one["metadata"]["name"] for one in events} != set()
    assert again == found
    assert [event.at for event in found] == sorted((event.at for event in found), reverse=True)
    stranger = Ref("c", "", "Pod", namespace, pod["metadata"]["name"], "another-uid")
    assert await console.session.events([stranger]) == []
    assert await console.session.events([]) == []


async def test_rights_are_asked_once_a_minute(console: Console) -> None:
    session, access = console.session, console.estate.access
    assert (await session.can("list", PODS)).allowed
    access.refused_cluster_wide.add("pods")
    assert (await session.can("list", PODS)).allowed
    await console.clock.advance(61)
    assert not (await session.can("list", PODS)).allowed


async def test_a_viewer_may_read_and_not_delete() -> None:
    async with opened("calm", "viewer") as console:
        assert (await console.session.can("get", PODS, "payments", "log")).allowed
        refused = await console.session.can("delete", PODS, "payments")
        assert not refused.allowed


async def test_a_table_holds_every_row_with_the_servers_columns(console: Console) -> None:
    info, rows = await console.session.table(PODS, "")
    assert [column.name for column in info.columns][:3] == ["Name", "Ready", "Status"]
    assert len(rows) == len(console.every("Pod"))
    assert all(key == row.ref.key for key, row in rows.items())


async def test_logs_of_several_pods_are_merged_and_a_missing_pod_says_so(console: Console) -> None:
    pods = [one for one in console.every("Pod") if one["metadata"]["namespace"] == "messaging"][:3]
    wanted: dict[str, tuple[str, ...]] = {one["metadata"]["name"]: () for one in pods}
    found = await gathered(console, "messaging", {**wanted, "nobody": ()}, LogOptions(follow=False, tail=5))
    assert {line.pod for line in found} == {*wanted, "nobody"}
    assert "not found" in next(line.text for line in found if line.pod == "nobody")
    read = [line for line in found if line.pod != "nobody"]
    assert len({(line.pod, line.container) for line in read}) >= len(pods)
    assert all(0 < line.at <= console.time.now() for line in read)


async def test_logs_of_a_missing_pod_alone_are_a_problem(console: Console) -> None:
    with pytest.raises(Problem, match="nobody"):
        await gathered(console, "messaging", {"nobody": ()}, LogOptions())


async def test_following_shows_what_is_written_meanwhile(console: Console) -> None:
    pod = next(one for one in console.every("Pod") if one["metadata"]["namespace"] == "messaging")
    name = pod["metadata"]["name"]
    batches = console.session.logs("messaging", {name: ()}, LogOptions(tail=1))
    first = await anext(batches)
    console.time.advance(120)
    later = await anext(batches)
    assert min(line.at for line in later) > max(line.at for line in first)
    await batches.aclose()  # type: ignore[attr-defined]


async def gathered(
    console: Console, namespace: str, pods: dict[str, tuple[str, ...]], options: LogOptions
) -> list[LogLine]:
    return [line async for batch in console.session.logs(namespace, pods, options) for line in batch]


async def test_a_document_nested_beyond_reason_is_a_problem_or_an_answer(
    quick: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = b'{"kind": "Pod", "spec": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}"

    async def answered(*_: object, **__: object) -> Response:
        return Response(200, {}, deep)

    monkeypatch.setattr(quick.source.transport, "request", answered)
    ref = Ref("c", "", "Pod", "shop", "web-0")
    for ask in (quick.session.yaml(PODS, "shop", "web-0"), quick.session.describe(ref, PODS)):
        with contextlib.suppress(Problem):
            await ask


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"spec": []}', b'{"spec": {"containers": [7]}}', b"\xff"])
async def test_nonsense_from_the_server_is_a_problem(
    quick: Console, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    async def answered(*_: object, **__: object) -> Response:
        return Response(200, {}, body)

    monkeypatch.setattr(quick.source.transport, "request", answered)
    with pytest.raises(Problem, match="Could not read"):
        await gathered(quick, "shop", {"web-0": ()}, LogOptions())
    if not body.startswith(b'{"'):
        for ask in (
            quick.session.resources(),
            quick.session.can("get", PODS),
            quick.session.yaml(PODS, "s", "n"),
        ):
            with pytest.raises(Problem, match="Could not read"):
                await ask
