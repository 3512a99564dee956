"""`quarterdeck act`: the same plan, guards, runner, verification and audit as on the screen, without one."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import shlex
import sys
from collections.abc import Mapping, Sequence

import msgspec

from cache.live import LiveState
from cache.state.history import HistoryReader
from cache.state.past import Past
from services.actions import silencing
from services.actions.guard import Allow, Consent, Deny, consents
from services.actions.registry import BY_ID, Listed
from services.actions.runner import Orders, recorded
from services.clock import SystemClock
from services.config_locate import did_you_mean
from services.engine import Desired, Engine
from services.errors import Problem
from services.kubernetes.kubeconfig import NO_CLUSTER
from services.model.action import Ended, Outcome, Plan, Step, Target
from services.model.message import OutboxRow
from services.model.ref import ALERTS, SILENCES, Ref, Resource
from services.model.source import CONNECTION, SourceState
from services.monitoring import Monitoring
from services.ports import Interest
from services.redact import redact
from services.sanitize import safe_text
from tui.acting import Acting, Armed, Planned
from tui.commands.act_alerts import acts_on_alerts, find, given_of, note_answers
from tui.commands.outbox import facts
from tui.commands.setup import Setup, actor, console_actor, prepare
from tui.commands.stopping import Stopping
from tui.console import Scope
from tui.exitcodes import ExitCode
from tui.handing import make_acting
from tui.outgoing import Outgoing
from tui.presenters.action import Where, asks_for, present_end, present_plan, present_title
from tui.presenters.lens import Lens
from tui.presenters.outbox import present_told
from tui.trail import LedgerTrail
from widgets.viewmodels import text_of

WATCHED = frozenset(
    {"pods", "nodes", "deployments.apps", "statefulsets.apps", "daemonsets.apps", "rollouts.argoproj.io", "jobs.batch"}
)
"""Tables that are watched while an action on one of their rows runs."""

LOOKS_AGAIN = "the next console that is opened looks again"
ALERTS_WAIT = 5.0
"""Seconds that a cluster is waited for which alerts are not: they are acted upon at their Alertmanagers."""

PARAMETERS = ("to", "replicas", "image", "container", "empty_dirs", "unmanaged", "for", "comment", "matchers")


def act(arguments: argparse.Namespace) -> int:
    """Plan an action, print it, and run it where it is confirmed by --yes.

    Exit code 0 verified (or a dry run that would be allowed), 1 refused or failed, 3 unknown. Raises Problem.
    """
    listed = BY_ID.get(arguments.action)
    if listed is None:
        near = did_you_mean(arguments.action, tuple(BY_ID))
        raise Problem(safe_text(f"There is no action {arguments.action[:40]}{near}; there are {', '.join(BY_ID)}."))
    if listed.screened:
        raise Problem(safe_text(f"{listed.label} needs the screen: open the console, and press {listed.key} there."))
    given = _given(arguments, listed)
    setup = prepare(arguments)
    where = _where(arguments, listed)
    codes: list[int] = []
    try:
        asyncio.run(_act(setup, arguments, where, given, codes=codes))
    except Problem as problem:
        _say(_unchanged(problem.sentence) if arguments.yes else problem.sentence)
        return ExitCode.FAILING
    except KeyboardInterrupt:
        if not codes:
            _say("Nothing was changed: ended by ctrl-c.")
            raise
    return codes[0]


def _where(arguments: argparse.Namespace, listed: Listed) -> tuple[Resource, str, str]:
    """Return what is acted upon; alerts are looked for at their servers, so nothing is read of them here."""
    if acts_on_alerts(listed):
        return ALERTS, "", ""
    if len(arguments.target) > 1:
        raise Problem(safe_text(f"{listed.id} takes one target."))
    return read_target(arguments.target[0], arguments.namespace, listed)


def read_target(text: str, namespace: str, listed: Listed) -> tuple[Resource, str, str]:
    """Return kind, namespace and name of "shop/deployment/cart", "deployment/cart" with -n, or "node/worker-1".

    Raises Problem where it reads otherwise, or the action is not for that kind.
    """
    parts = text.split("/")
    kind, name = (parts[-2], parts[-1]) if len(parts) in (2, 3) else ("", "")
    where = parts[0] if len(parts) == 3 else namespace
    resource = next((one for one in listed.kinds if kind.lower() in _names(one)), None)
    if not listed.kinds:
        raise Problem(safe_text(f"{listed.id} is an undo alone: the console's list :altered offers it."))
    if resource is None or not name:
        kinds = ", ".join(one.kind.lower() for one in listed.kinds)
        form = "NAMESPACE/KIND/NAME" if any(one.namespaced for one in listed.kinds) else "KIND/NAME"
        raise Problem(safe_text(f"{text[:80]!r} is no target of {listed.id}: write {form}, KIND one of {kinds}."))
    if resource.namespaced and not where:
        raise Problem(safe_text(f"In which namespace is {name}? Write NAMESPACE/{kind}/{name}, or give -n."))
    return resource, where if resource.namespaced else "", name


def _names(resource: Resource) -> tuple[str, ...]:
    short = {"deployments": "deploy", "statefulsets": "sts", "daemonsets": "ds", "rollouts": "ro"}
    short |= {"pods": "po", "nodes": "no"}
    return resource.kind.lower(), resource.plural, short.get(resource.plural, resource.plural)


def _given(arguments: argparse.Namespace, listed: Listed) -> Mapping[str, str]:
    given = {name: getattr(arguments, name) for name in PARAMETERS if getattr(arguments, name)}
    if acts_on_alerts(listed):
        given = dict(given_of(listed, given, arguments.reason))
    known = {one.name for one in listed.parameters}
    for name in given:
        if name not in known:
            raise Problem(safe_text(f"{listed.id} takes no --{name.replace('_', '-')}."))
    for one in listed.parameters:
        if one.required and one.name not in given:
            raise Problem(safe_text(f"{listed.id} needs --{one.name}."))
    return given


async def _act(
    setup: Setup,
    arguments: argparse.Namespace,
    where: tuple[Resource, str, str],
    given: Mapping[str, str],
    *,
    codes: list[int],
) -> None:
    """Do it; the exit code is among `codes` from the moment at which something may have been sent. Raises Problem."""
    clock = SystemClock()
    live = LiveState(clock)
    engine = Engine(live.sink(), clock)
    resource, namespace, name = where
    identity, config = setup.identity, setup.loaded.config
    acting: Acting | None = None
    monitoring = Monitoring(config, identity.context, clock, lambda: engine.transport)
    trail = LedgerTrail(setup.folder, clock, console_actor(actor()))
    outgoing = Outgoing(setup.folder, clock, trail.actor, config) if config.notify else None
    try:
        await _connect(engine, live, setup, where, arguments.timeout)
        past = Past(HistoryReader(setup.folder), lambda: setup.key) if config.history.enabled else None
        acting = make_acting(
            engine,
            live,
            clock,
            setup,
            trail=trail,
            past=past,
            outgoing=lambda: outgoing,
            alertmanagers=monitoring.alertmanagers,
        )
        if acting is None:
            raise Problem(safe_text("The cluster is not connected."))
        acting.armed = Armed(identity.context, math.inf)
        acting.wait_for_locks(_say)
        if resource == ALERTS:
            note_answers(await silencing.look(acting.hands), live, clock.now())
            target, found = await find(arguments.target, BY_ID[arguments.action], acting.hands, engine.cluster)
            given = {**found, **given}
        else:
            target = await _freeze(engine, resource, namespace, name)
        planned = await acting.plan(arguments.action, target, given)
        settings = config.context(identity.context)
        scope = Scope(identity.context, identity.cluster_name or identity.context, settings.word)
        codes.append(await _carry_out(acting, planned, scope, arguments, outgoing))
    finally:
        if outgoing is not None:
            outgoing.close()
        await monitoring.close()
        await engine.close()
        if acting is not None:
            acting.close()


async def _connect(
    engine: Engine, live: LiveState, setup: Setup, where: tuple[Resource, str, str], patience: float
) -> None:
    """Wait until the cluster answers. Alerts are acted upon without it where it does not, which is said.

    Raises Problem.
    """
    resource, namespace, _ = where
    alerts = resource == ALERTS
    if setup.identity == NO_CLUSTER:
        if alerts:
            return
        raise Problem(safe_text(f"There is no cluster to find a {resource.kind} in: only monitoring is configured."))
    tables = (resource.table,) if resource.table in WATCHED else ()
    namespaces = (namespace,) if namespace else ()
    patience = min(patience, ALERTS_WAIT) if alerts else patience
    try:
        await engine.reconcile(Desired(setup.identity, Interest(tables, namespaces), fallback=namespaces))
        async with asyncio.timeout(patience):
            await _connected(live)
    except TimeoutError:
        said = f"the cluster did not answer within {patience:.0f} s."
    except Problem as problem:
        if not alerts:
            raise
        said = problem.sentence
    else:
        return
    if not alerts:
        raise Problem(safe_text(f"Nothing was changed: {said}"))
    _say(f"Without the cluster: {said}")


async def _connected(live: LiveState) -> None:
    """Wait until the server has answered. Raises Problem where it refuses or cannot be reached."""
    changed = asyncio.Event()
    leave = live.subscribe(changed.set)
    try:
        while True:
            changed.clear()
            status = live.publish().sources.get(CONNECTION)
            if status is not None and status.state is SourceState.LIVE:
                return
            if status is not None and status.state is SourceState.FAILED:
                raise Problem(safe_text(status.error))
            await changed.wait()
    finally:
        leave()


async def _freeze(engine: Engine, resource: Resource, namespace: str, name: str) -> Target:
    session = engine.session
    if session is None:
        raise Problem(safe_text("The cluster is not connected."))
    metadata = msgspec.json.decode(await session.get_raw(resource, namespace, name)).get("metadata") or {}
    ref = Ref(engine.cluster, resource.group, resource.kind, namespace, name, str(metadata.get("uid", "")))
    version = str(metadata.get("resourceVersion", ""))
    return Target(ref, resource, int(metadata.get("generation") or 0), version, SystemClock().now())


async def _carry_out(
    acting: Acting, planned: Planned, scope: Scope, arguments: argparse.Namespace, outgoing: Outgoing | None
) -> int:
    plan, verdict = planned.plan, planned.verdict
    lens = Lens(SystemClock().now(), mask=redact)
    command = plan.command
    if plan.target.resource not in (ALERTS, SILENCES):
        command = scope.command(plan.target.ref.namespace, command)
    where = Where(scope.cluster, scope.environment, command, acting.tells(plan))
    machine = arguments.output == "json"
    if not machine:
        _show(plan, verdict, where, lens)
        if isinstance(verdict, Allow) and arguments.dry_run:
            sys.stdout.write(f"  confirm  {lens.text(_wanted(acting, planned), 200)}\n")
            sys.stdout.flush()
    if isinstance(verdict, Deny):
        raise Problem(safe_text(f"Refused: {verdict.reason}."))
    if arguments.dry_run:
        if machine:
            sys.stdout.write(json.dumps(_facts(plan, None, (), lens)) + "\n")
        return ExitCode.OK
    reason = arguments.reason.strip() or arguments.comment.strip()
    consent = Consent(reason, plan.name_to_type if arguments.yes == plan.name_to_type else "")
    missing = consents(verdict, plan, acting.policy, consent)
    if missing or not arguments.yes:
        why = f"{missing}: " if missing else ""
        raise Problem(safe_text(f"Nothing was changed: {why}{_wanted(acting, planned)} confirms it."))
    ended = await Stopping(acting, quiet=machine).run(Orders(plan, consent))
    if not machine:
        sys.stdout.write("".join(f"{text_of(line).rstrip()}\n" for line in present_end(ended, lens, again=LOOKS_AGAIN)))
        sys.stdout.flush()
    told = await _deliver(outgoing, arguments.tell_timeout) if outgoing is not None else ()
    lens = Lens(SystemClock().now(), mask=redact)
    if machine:
        sys.stdout.write(json.dumps(_facts(plan, ended, told, lens)) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in present_told(told, lens)))
    return {Outcome.OK: ExitCode.OK, Outcome.UNKNOWN: ExitCode.UNVERIFIED}.get(ended.outcome, ExitCode.FAILING)


async def _deliver(outgoing: Outgoing, seconds: float) -> Sequence[OutboxRow]:
    """Deliver what is told; ctrl-c leaves it to the next console, and takes nothing from how the action ended."""
    try:
        return await outgoing.deliver(seconds)
    except asyncio.CancelledError:
        _say("Left by ctrl-c: what is to be told waits in the outbox, and the next console sends it.")
        return ()


def _unchanged(sentence: str) -> str:
    """Return why it was not done, and that it was not."""
    said = sentence.startswith("Refused") or "nothing was changed" in sentence.lower()
    return sentence if said else f"{sentence} Nothing was changed."


def _wanted(acting: Acting, planned: Planned) -> str:
    """Return the flags that confirm a plan: what the screen would ask for."""
    plan, verdict, policy = planned.plan, planned.verdict, acting.policy
    assert isinstance(verdict, Allow)  # noqa: S101 - asked for by the caller
    asked = dict(asks_for(plan, verdict, reason=policy.wants_reason(plan.action)))
    yes = f"--yes={shlex.quote(plan.name_to_type)}" if "typed" in asked else "--yes"
    if "reason" not in asked:
        return yes
    return f"{yes} --reason TEXT" + (f" (which names a ticket: {policy.ticket})" if policy.ticket else "")


def _say(text: str) -> None:
    sys.stderr.write(f"{redact(safe_text(text, 600))}\n")
    sys.stderr.flush()


def _facts(plan: Plan, ended: Ended | None, told: Sequence[OutboxRow], lens: Lens) -> dict[str, object]:
    kept = recorded(plan, Consent(), "")
    return {
        "action": plan.action,
        "object": lens.text(f"{plan.target.ref.kind}/{plan.target.ref.key}"),
        "title": lens.text(plan.title),
        "digest": kept["digest"],
        "command": lens.text(plan.command, 1000),
        "facts": {one.label: lens.text(one.text, 1000) for one in plan.facts},
        "diff": [[lens.text(each, 500) for each in (one.path, one.before, one.after)] for one in plan.edits],
        "steps": [[lens.text(each, 500) for each in (one.name, one.fate, one.limit, one.why)] for one in plan.steps],
        "outcome": ended.outcome.value if ended is not None else "",
        "text": lens.text(ended.text, 1000) if ended is not None else "",
        "intent": ended.intent if ended is not None else "",
        "told": [facts(row, lens) for row in told],
    }


def _show(plan: Plan, verdict: Allow | Deny, where: Where, lens: Lens) -> None:
    """Print a plan; of one that is refused, what is in its way object by object."""
    lines = [text_of(present_title(plan, where, lens)).rstrip()] if isinstance(verdict, Allow) else []
    if isinstance(verdict, Allow):
        lines += [f"  {text_of(one).rstrip()}" for one in present_plan(plan, verdict, where, lens)]
    lines += [f"  {_stepped(one, lens)}" for one in plan.steps]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _stepped(step: Step, lens: Lens) -> str:
    """Return one object of a plan in a line: its name, what becomes of it, what holds it back, why."""
    said = (f"{step.name:<44}", f"{step.fate:<7}", f"{step.limit:<22}", step.why)
    return lens.text("  ".join(said), 400).rstrip()
