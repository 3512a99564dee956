"""Stands for what is behind the recorded moment's screen: a session that answers, a thread, an operator's steering."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from screenshots.scene import CLUSTER, INGRESSES, NOW, cluster_tables
from services.model.cluster import ApiResource, KubeEvent, TableInfo
from services.model.ref import Ref, Resource
from services.model.workload import Healthy, Revision
from services.ports import AccessAnswer, LogLine, LogOptions

T = TypeVar("T")


class SceneSession:
    """Answers what a screen asks of the scene's cluster, from what is written here."""

    async def resources(self) -> Sequence[ApiResource]:
        """Return two kinds."""
        return [
            ApiResource(INGRESSES, "ingress", ("ing",), ("get", "list", "watch")),
            ApiResource(Resource("", "v1", "configmaps", "ConfigMap"), "configmap", ("cm",), ("get", "list", "watch")),
        ]

    async def get_raw(self, resource: Resource, namespace: str, name: str) -> bytes:
        """Return a bare object."""
        body = {"apiVersion": resource.api_version, "kind": resource.kind}
        return json.dumps({**body, "metadata": {"name": name, "namespace": namespace}}).encode()

    async def describe(self, ref: Ref, resource: Resource) -> Sequence[str]:
        """Return a short description."""
        return (f"Name:        {ref.name}", f"Namespace:   {ref.namespace}", f"Kind:        {resource.kind}", "Events:")

    async def yaml(self, resource: Resource, namespace: str, name: str) -> str:
        """Return a short manifest."""
        head = f"apiVersion: {resource.api_version}\nkind: {resource.kind}\n"
        return f"{head}metadata:\n  name: {name}\n  namespace: {namespace}\n"

    async def history(self, ref: Ref) -> Sequence[Revision]:
        """Return two revisions that differ in their image and one variable."""

        def template(tag: str, vat: str) -> bytes:
            variables = [{"name": "VAT_RATE", "value": vat}, {"name": "DB_PASSWORD", "value": "***"}]
            container = {"name": "app", "image": f"registry.example/shop/{ref.name}:{tag}", "env": variables}
            return json.dumps({"spec": {"containers": [container]}}).encode()

        images = (f"registry.example/shop/{ref.name}:v2.0.1",), (f"registry.example/shop/{ref.name}:v2.0.0",)
        return (
            Revision(17, f"{ref.name}-7d9", "u17", images[0], NOW - 960, True, "ship vat", "ci-deployer", "", 0, 3, "",
                     template("v2.0.1", "0.19")),
            Revision(16, f"{ref.name}-5b8", "u16", images[1], NOW - 26 * 86400, False, "", "ci-deployer", "", 0, 0,
                     "inferred", template("v2.0.0", "0.16"), Healthy(NOW - 26 * 86400, NOW - 960, 26 * 86400)),
        )  # fmt: skip

    async def events(self, refs: Sequence[Ref]) -> Sequence[KubeEvent]:
        """Return the one event there is."""
        del refs
        return list(cluster_tables()["events"].values())

    async def logs(
        self, namespace: str, pods: Mapping[str, Sequence[str]], options: LogOptions
    ) -> AsyncIterator[list[LogLine]]:
        """Yield a crash, once for each pod."""
        del namespace, options
        for name, containers in pods.items():
            said = (
                "INFO  cart 2.0.1 starting",
                "WARN  migrations are pending: 0042_vat",
                "ERROR sqlite3.OperationalError: no such column: vat",
                '  File "/app/cart/prices.py", line 88, in total',
            )
            container = containers[0] if containers else "app"
            yield [LogLine(name, container, NOW - 60 + at, text) for at, text in enumerate(said)]

    async def table(self, resource: Resource, namespace: str) -> tuple[TableInfo, Mapping[str, Any]]:
        """Return the one kind that is shown this way."""
        del namespace
        tables = cluster_tables()
        return tables["columns"][INGRESSES.table], tables.get(resource.printed, {})

    async def can(self, verb: str, resource: Resource, namespace: str = "", subresource: str = "") -> AccessAnswer:
        """Allow reading."""
        del resource, namespace, subresource
        return AccessAnswer(verb in ("get", "list", "watch"))


class SceneRuntime:
    """Stands for the service thread: runs what screens ask on the loop they run on."""

    def __init__(self) -> None:
        self.session = SceneSession()
        self._tasks: set[asyncio.Task[Any]] = set()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine; its result or error is in the future."""
        answer: Future[T] = Future()
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)

        def done(finished: asyncio.Task[T]) -> None:
            self._tasks.discard(finished)
            if answer.cancelled() or finished.cancelled():
                return
            error = finished.exception()
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(finished.result())

        task.add_done_callback(done)
        return answer

    async def idle(self) -> None:
        """Wait until nothing is being asked."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)


class SceneSteering:
    """Notes what an operator did to the watch."""

    def __init__(self) -> None:
        self.done: list[tuple[str, object]] = []

    def contexts(self) -> tuple[str, ...]:
        """Return two contexts."""
        return (CLUSTER, "staging-eu-1")

    def find_context(self, name: str) -> Callable[[], None]:
        """Note where it went, once it goes."""
        return lambda: self.done.append(("context", name))

    def want(self, resource: Resource) -> None:
        """Note the kind."""
        self.done.append(("want", resource))

    def widen(self, namespaces: tuple[str, ...]) -> None:
        """Note the namespaces."""
        self.done.append(("widen", namespaces))

    def login_command(self) -> tuple[tuple[str, ...], dict[str, str]] | None:
        """Have none."""
        return None

    def logged_in(self) -> None:
        """Note it."""
        self.done.append(("logged in", True))

    def reload(self) -> None:
        """Note it."""
        self.done.append(("reload", True))
