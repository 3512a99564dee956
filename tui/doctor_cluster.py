"""The doctor's look at the cluster: kubeconfig, credentials, the API server, each right that is used, metrics."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct

from services.clock import SystemClock
from services.config import Loaded
from services.errors import Problem
from services.kubernetes.kubeconfig import Identity, default_paths, identify
from services.model.ref import (
    ARGO_ROLLOUTS,
    CONTROLLERREVISIONS,
    CRONJOBS,
    DAEMONSETS,
    DEPLOYMENTS,
    EVENTS,
    JOBS,
    NAMESPACES,
    NODES,
    PODS,
    REPLICASETS,
    STATEFULSETS,
    Resource,
)
from tui.crash import homely
from tui.doctor import Check, CheckState, check

if TYPE_CHECKING:
    from services.kubernetes.settings import ConnectionSettings
    from services.kubernetes.transport import Transport

USED = (
    DEPLOYMENTS,
    STATEFULSETS,
    DAEMONSETS,
    REPLICASETS,
    CONTROLLERREVISIONS,
    PODS,
    NODES,
    JOBS,
    CRONJOBS,
    EVENTS,
    NAMESPACES,
)
"""The kinds that the control room lists and watches."""

T = TypeVar("T")

EXPIRES_SOON = 7 * 86400
_BEYOND = ("ready", "rights", "metrics")
_AT_ONCE = 8
_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class _Version(Struct, frozen=True):
    gitVersion: str = ""  # noqa: N815 - the server's name


class _Verdict(Struct, frozen=True):
    allowed: bool = False


class _Review(Struct, frozen=True):
    status: _Verdict = _Verdict()


async def examine_cluster(
    context: str,
    kubeconfig: Sequence[str] | None,
    env: Mapping[str, str],
    deadline: float,
    *,
    loaded: Loaded | None = None,
    namespaces: Sequence[str] = (),
) -> list[Check]:
    """Return the rows about the cluster, and those about the servers of the monitoring, which may stand behind it.

    What stands on something that failed is not tried and says so.
    """
    from tui.doctor_monitoring import examine_servers

    async def servers(context: str, reached: Transport | None = None) -> Sequence[Check]:
        return await examine_servers(loaded.config, context, reached) if loaded is not None else ()

    try:
        identity = await asyncio.to_thread(identify, tuple(kubeconfig) if kubeconfig else None, context, env)
    except Problem as problem:
        return [_unnamed(problem, context, kubeconfig, env, loaded), *await servers(context)]
    rows = [_named(identity, loaded)]
    scope = namespaces or (loaded.config.context(identity.context).namespaces if loaded is not None else ())
    from services.kubernetes import settings

    try:
        connection = await asyncio.to_thread(settings.load, identity, env)
    except Problem as problem:
        return [*rows, check("credentials", CheckState.FAIL, problem.sentence), *await servers(identity.context)]
    credentials_found = credential_checks(connection, env)
    rows += credentials_found
    if any(row.state is CheckState.FAIL for row in credentials_found):
        return [*rows, *_skipped("server", *_BEYOND), *await servers(identity.context)]
    from services.kubernetes.credentials import Credentials
    from services.kubernetes.transport import Transport

    credentials = Credentials(connection, SystemClock(), environ=env)
    transport = Transport(credentials)
    try:
        answers = await _server(transport, connection, deadline, scope or (identity.namespace,))
        reached = not any(row.state is CheckState.FAIL and row.name in ("server", "credentials") for row in answers)
        rows += [*answers, *await servers(identity.context, transport if reached else None)]
    finally:
        await transport.close()
        await credentials.close()
    return rows


def _skipped(*names: str) -> list[Check]:
    return [check(name, CheckState.SKIPPED, "not tried") for name in names]


def _unnamed(
    problem: Problem, context: str, kubeconfig: Sequence[str] | None, env: Mapping[str, str], loaded: Loaded | None
) -> Check:
    """Say that there is no cluster: a fault, unless none was named and servers are configured that are enough."""
    monitored = loaded is not None and bool(loaded.config.prometheus or loaded.config.alertmanager)
    named = bool(context or kubeconfig) or any(Path(path).expanduser().exists() for path in default_paths(env))
    if monitored and not named:
        return check("kubeconfig", CheckState.SKIPPED, "none; alerts and measurements are shown without a cluster")
    return check("kubeconfig", CheckState.FAIL, problem.sentence)


def _named(identity: Identity, loaded: Loaded | None) -> Check:
    if identity.in_cluster:
        return check("kubeconfig", CheckState.OK, f"none; the service account of this pod, {identity.server}")
    files = ", ".join(homely(Path(path)) for path in identity.paths)
    settings = loaded.config.context(identity.context) if loaded is not None else None
    word = f" ({settings.word})" if settings is not None else ""
    unset = settings is not None and settings.word == "PROD?"
    return check(
        "kubeconfig",
        CheckState.OK,
        f'{files}: context "{identity.context}"{word}, server {identity.server}',
        f'guards take it for production; say what it is: [contexts."{identity.context}"] environment = "..."'
        if unset
        else "",
    )


def credential_checks(connection: ConnectionSettings, env: Mapping[str, str]) -> list[Check]:
    """Say which credentials there are and what can be told without using them: a plugin's presence, a last day."""
    rows: list[Check] = []
    if connection.exec is not None:
        command = connection.exec.command
        if shutil.which(command, path=env.get("PATH")) is None:
            remedy = connection.exec.install_hint or "install it, or repair the PATH"
            rows.append(
                check("credentials", CheckState.FAIL, f'the credential plugin "{command}" is not there', remedy)
            )
        else:
            rows.append(check("credentials", CheckState.OK, f'credential plugin "{command}"'))
    if connection.auth_provider:
        old = f'auth-provider "{connection.auth_provider}" was dropped by kubectl 1.26'
        rows.append(check("credentials", CheckState.WARN, old, "use an exec plugin"))
    if connection.certificate:
        rows.append(_last_day(connection.certificate))
    if connection.token or connection.token_file:
        where = f" of {homely(Path(connection.token_file))}" if connection.token_file else ""
        rows.append(check("credentials", CheckState.OK, f"bearer token{where}"))
    if connection.basic:
        rows.append(check("credentials", CheckState.OK, "user name and password"))
    if not rows:
        rows.append(check("credentials", CheckState.WARN, "none: the server will see an anonymous user"))
    if connection.impersonate is not None:
        rows.append(check("credentials", CheckState.OK, f'acting as "{connection.impersonate.user}"'))
    if not connection.verify:
        rows.append(check("server", CheckState.WARN, "its certificate is not verified (insecure-skip-tls-verify)"))
    return rows


def _last_day(certificate: bytes) -> Check:
    from cryptography import x509

    try:
        ends = x509.load_pem_x509_certificate(certificate).not_valid_after_utc
    except ValueError:
        return check("credentials", CheckState.FAIL, "the client certificate cannot be read", "repair the kubeconfig")
    left = (ends - datetime.now(UTC)).total_seconds()
    said = f"client certificate, valid until {ends:%Y-%m-%d %H:%M} UTC"
    if left <= 0:
        ended = f"the client certificate ended {ends:%Y-%m-%d %H:%M} UTC"
        return check("credentials", CheckState.FAIL, ended, "get a new one")
    return check("credentials", CheckState.WARN if left < EXPIRES_SOON else CheckState.OK, said)


async def _server(
    transport: Transport, connection: ConnectionSettings, deadline: float, scope: Sequence[str]
) -> list[Check]:
    by = " through a proxy" if connection.proxy else ""
    started = time.monotonic()
    version = ""
    try:
        answer = await transport.request("GET", "/version", deadline=deadline, what="ask the version")
        version = f", Kubernetes {_decoded(answer.body, _Version()).gitVersion or 'of unknown version'}"
    except Problem as problem:
        if problem.status != HTTPStatus.FORBIDDEN:
            known = problem.status == HTTPStatus.UNAUTHORIZED
            failed = check("credentials" if known else "server", CheckState.FAIL, problem.sentence, _login(problem))
            return [failed, *_skipped(*_BEYOND)]
    took = (time.monotonic() - started) * 1000
    rows = [check("server", CheckState.OK, f"{transport.host} answered{by} in {took:.0f} ms{version}")]
    rows.append(await _asked("ready", transport, "/readyz", deadline, "the server says it is ready"))
    rows += await _rights(transport, deadline, scope)
    return [*rows, await _metrics(transport, deadline)]


def _login(problem: Problem) -> str:
    """Return what a person is asked to do by a credential plugin, as it said it; "" where none asks."""
    from services.kubernetes.exec_plugin import LoginNeeded

    if not isinstance(problem, LoginNeeded):
        return ""
    asked = (f"open {problem.link}" if problem.link else "", f"code {problem.code}" if problem.code else "")
    return ", ".join(part for part in asked if part) or "log in, then try again"


async def _asked(name: str, transport: Transport, path: str, deadline: float, said: str) -> Check:
    try:
        await transport.request("GET", path, deadline=deadline, what=f"ask {path}")
    except Problem as problem:
        refused = problem.status in {401, 403, 404}
        return check(name, CheckState.WARN if refused else CheckState.FAIL, problem.sentence)
    return check(name, CheckState.OK, said)


async def _metrics(transport: Transport, deadline: float) -> Check:
    found = await _asked("metrics", transport, "/apis/metrics.k8s.io/v1beta1", deadline, "metrics-server answers")
    if found.state is CheckState.OK:
        return found
    return check("metrics", CheckState.WARN, found.detail, "usage of processor and memory is not shown without it")


async def _rights(transport: Transport, deadline: float, scope: Sequence[str]) -> list[Check]:
    """Ask about list and watch of each kind in the whole cluster, and where refused in the namespaces of the scope.

    Kinds that not every server has are asked about where they are there, and what acting on them needs.
    """
    from services.kubernetes.optional import OPTIONAL, offered

    gate = asyncio.Semaphore(_AT_ONCE)

    async def may(verb: str, kind: Resource, namespace: str, subresource: str = "") -> bool:
        wanted = {"verb": verb, "group": kind.group, "resource": kind.plural, "namespace": namespace}
        wanted |= {"subresource": subresource} if subresource else {}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        async with gate:
            answer = await transport.request(
                "POST",
                _REVIEW,
                body=msgspec.json.encode(body | {"spec": {"resourceAttributes": wanted}}),
                deadline=deadline,
                what="ask what you may",
            )
        return _decoded(answer.body, _Review()).status.allowed

    async def both(kind: Resource, namespace: str = "") -> bool:
        return all(await asyncio.gather(may("list", kind, namespace), may("watch", kind, namespace)))

    try:
        there = await offered(transport)
    except Problem:
        there = frozenset()
    used = (*USED, *(kind for table, kind in OPTIONAL.items() if table in there))
    try:
        everywhere = await asyncio.gather(*(both(kind) for kind in used))
        refused = [kind for kind, allowed in zip(used, everywhere, strict=True) if not allowed]
        narrowed = await asyncio.gather(*(_where(kind, scope, both) for kind in refused))
        acting = [await _delivering(may, scope)] if ARGO_ROLLOUTS.table in there else []
    except Problem as problem:
        return [check("rights", CheckState.WARN, f"unknown: {problem.sentence}")]
    named = " (Argo Rollouts among them)" if ARGO_ROLLOUTS in used else ""
    whole = f"list and watch of all {len(used)} kinds, in the whole cluster{named}"
    return [*(_narrow(refused, narrowed, scope) if refused else [check("rights", CheckState.OK, whole)]), *acting]


async def _delivering(may: Callable[[str, Resource, str, str], Awaitable[bool]], scope: Sequence[str]) -> Check:
    """Say which of the actions on Argo Rollouts this user may: each subresource is granted by itself."""
    needed = (("", "roll back, restart, pause"), ("status", "promote, abort, retry"), ("scale", "scale"))

    async def allowed(subresource: str) -> bool:
        answers = [await may("patch", ARGO_ROLLOUTS, where, subresource) for where in ("", *scope)]
        return answers[0] or (bool(scope) and all(answers[1:]))

    answers = await asyncio.gather(*(allowed(subresource) for subresource, _ in needed))
    lacking = [one for one, granted in zip(needed, answers, strict=True) if not granted]
    if not lacking:
        return check("rights", CheckState.OK, "Argo Rollouts: patch of rollouts, rollouts/status and rollouts/scale")
    names = ", ".join(f"rollouts/{one}" if one else "rollouts" for one, _ in lacking)
    off = ", ".join(words for _, words in lacking)
    ask = f"ask for patch of {names} in {ARGO_ROLLOUTS.group}, if you are to act on them"
    return check("rights", CheckState.WARN, f"Argo Rollouts: no patch of {names}: {off} are off", ask)


async def _where(
    kind: Resource, scope: Sequence[str], both: Callable[[Resource, str], Awaitable[bool]]
) -> tuple[str, ...]:
    """Return the namespaces of the scope in which a kind may be watched."""
    return tuple([namespace for namespace in scope if kind.namespaced and await both(kind, namespace)])


def _narrow(refused: Sequence[Resource], allowed: Sequence[tuple[str, ...]], scope: Sequence[str]) -> Iterator[Check]:
    """Say it once for all the kinds that fare alike."""
    fates: dict[tuple[bool, tuple[str, ...]], list[Resource]] = {}
    for kind, namespaces in zip(refused, allowed, strict=True):
        fates.setdefault((kind.namespaced, namespaces), []).append(kind)
    for (namespaced, namespaces), kinds in fates.items():
        names = ", ".join(kind.plural for kind in kinds)
        ask = "ask for list and watch of " + ", ".join(kind.table for kind in kinds)
        if namespaces:
            where = ", ".join(namespaces)
            yield check("rights", CheckState.WARN, f"{names}: refused in the whole cluster; watched in {where}")
        elif not namespaced:
            yield check("rights", CheckState.WARN, f"{names}: refused; they are not shown", ask)
        else:
            tried = ", ".join(scope)
            detail = f"{names}: refused in the whole cluster and in {tried}"
            yield check("rights", CheckState.FAIL, detail, f"{ask}, or name your namespaces in the configuration")


def _decoded(body: bytes, fallback: T) -> T:
    try:
        return msgspec.json.decode(body, type=type(fallback))
    except msgspec.DecodeError:
        return fallback
