"""Real clusters for the contract tests: one shared plane, a namespace for each test, and a big one on demand."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.contract.handed import handed
from tests.contract.twins import Stage
from tests.controlplane import build, manifests
from tests.controlplane.clusters import FOREIGN, Cluster, NotOursError, foreign_cluster
from tests.controlplane.commands import SERVING
from tests.controlplane.deliveries import Deliveries, deliveries
from tests.controlplane.estate import BIG, create
from tests.controlplane.plane import ControlPlane
from tests.controlplane.prepared import prepared
from tests.monitoring.fixtures import monitoring

__all__ = ["monitoring"]

HERE = Path(__file__).resolve().parent
NODES = 4


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder, and keep it in one process where tests are dealt out over several."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.contract)
            item.add_marker(pytest.mark.xdist_group("contract"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Skip a test that asks a foreign cluster for what only the test control plane can give."""
    try:
        return (yield)
    except NotOursError as error:
        pytest.skip(str(error))


def require_own_plane() -> None:
    """Skip where the binaries are missing on a contributor's machine, fail in CI; skip on a foreign cluster."""
    if foreign_cluster() is not None:
        pytest.skip(f"needs power over the servers themselves; unset {FOREIGN} to run it")
    if build.binaries() is None:
        reason = "the control plane is not built; run: make test-contract, or python -m tests.controlplane.build"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    """A control plane with four simulated nodes, shared by all tests; broken servers are healed after each test."""
    require_own_plane()
    with ControlPlane(exec_here=True) as running:
        create(running, (manifests.node(index) for index in range(NODES)))
        _warm_up(running)
        yield running


def _warm_up(plane: ControlPlane) -> None:
    """Prove that pods come to life, and fail here rather than in each test when they do not."""
    plane.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=90s")
    plane.kubectl("create", "deployment", "warm-up", "--image=registry.example/warm-up:1", "--replicas=4")
    plane.kubectl("rollout", "status", "deployment/warm-up", "--timeout=60s")
    plane.kubectl("delete", "deployment", "warm-up")


@pytest.fixture(autouse=True)
def _healed(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    for name in ("plane", "big_plane"):
        if name in request.fixturenames:
            request.getfixturevalue(name).heal()


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """The cluster of ``QUARTERDECK_TEST_KUBECONFIG``, else the shared plane: for tests that only use the API."""
    given = foreign_cluster()
    if given is not None:
        return given
    shared: ControlPlane = request.getfixturevalue("plane")
    return shared


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A new, empty namespace on ``cluster``, deleted afterwards without waiting."""
    name = f"t-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false", check=False)


@pytest.fixture(scope="module")
def argo(plane: ControlPlane) -> Iterator[Deliveries]:
    """The real controller of Argo Rollouts on the shared plane, while the tests of a module run."""
    try:
        build.build(build.to_stderr, modules=build.ROLLOUTS)
    except build.BuildError as error:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(str(error))
    with deliveries(plane) as running:
        yield running


@pytest.fixture
async def stage(plane: ControlPlane, argo: Deliveries, namespace: str) -> AsyncIterator[Stage]:
    """Twins of Rollouts, with our hands on the shared plane."""
    async with handed(plane) as hands, asyncio.timeout(240):
        yield Stage(plane, argo, hands, namespace)


@pytest.fixture(scope="session")
def big_plane() -> Iterator[ControlPlane]:
    """Ten thousand running pods on 60 nodes, served by etcd and kube-apiserver alone: nothing moves by itself."""
    require_own_plane()
    with ControlPlane(SERVING, seed=prepared(BIG, build.to_stderr)) as running:
        yield running
