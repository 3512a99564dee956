"""`quarterdeck costs`: what the cluster is estimated to cost, without a screen; from what was kept, or asked anew."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from cache.live import LiveState
from cache.state.history import HistoryReader
from services.clock import Clock, SystemClock
from services.costs.allocation import Rates
from services.costs.lines import Amounts, Sheet, idle_rate, limits_for, spend
from services.costs.meter import Meter
from services.costs.money import WORDS, dollars
from services.costs.periods import HOUR
from services.costs.watch import PERIODS, CostWatch
from services.model.cost import (
    COSTS,
    MICRO,
    CostBy,
    CostHour,
    CostLine,
    CostSummary,
    Spend,
)
from services.model.severity import Severity
from services.model.source import CONNECTION, SourceState
from services.ports import Interest
from services.redact import redact
from tui.commands.period import start_of
from tui.commands.setup import Setup, prepare
from tui.exitcodes import ExitCode
from tui.presenters.costs import against, extrapolated, name_of, summary_of
from tui.presenters.lens import Lens, age, moment
from widgets.viewmodels import text_of

WANTED = ("pods", "nodes", "replicasets.apps", "jobs.batch", "namespaces", "usage.pods")
OLDEST = 2 * 3600.0
"""Seconds up to which kept hours may still be spoken of as the present."""


class Within(Struct, frozen=True):
    """What was kept of the time since a moment: micro-USD, and of how many seconds it tells."""

    since: float
    amount: int
    known: float


class Estimate(Struct, frozen=True):
    """What is known: the summary and the lines, or why there is nothing to say.

    `kept_from` is when what was kept begins, where that is all that is known (0: the cluster itself was asked).
    """

    summary: CostSummary | None = None
    lines: Mapping[str, CostLine] = {}
    why: str = ""
    stale: bool = False
    within: Within | None = None
    kept_from: float = 0.0


class Kept:
    """The hours that were kept, for reading alone; implements `services.ports.CostHistory`."""

    def __init__(self, reader: HistoryReader, key: str) -> None:
        self._reader = reader
        self._key = key

    def hours(self, since: float, until: float) -> Sequence[CostHour]:
        """Return hours of the cluster; blocks."""
        return self._reader.cost_hours(self._key, since, until)

    def keep(self, hour: CostHour) -> None:
        """Keep nothing: a console that watches does."""


def costs(arguments: argparse.Namespace) -> int:
    """Print the estimate; exit code 0 within the limits, 1 over one of them, 2 could not tell."""
    clock = SystemClock()
    since = start_of(arguments.since, clock.now()) if arguments.since else 0.0
    setup = prepare(arguments)
    found = asyncio.run(ask(setup, clock, arguments)) if arguments.live else from_history(setup, clock.now())
    if since:
        found = structs.replace(found, within=within(Kept(HistoryReader(setup.folder), setup.key), since, clock.now()))
    by = CostBy(arguments.by)
    listed = sorted((line for line in found.lines.values() if line.by is by), key=lambda line: (-line.rate, line.name))
    if arguments.namespace:
        listed = [line for line in listed if line.namespace == arguments.namespace]
    lens = Lens(clock.now(), mask=redact)
    show = as_json if arguments.output == "json" else as_table
    sys.stdout.write(show(setup, found, by, listed, lens))
    return exit_code(found)


def exit_code(found: Estimate) -> int:
    """Return what a script may conclude."""
    if found.summary is None or found.stale:
        return ExitCode.UNKNOWN
    over = any(one.severity is Severity.CRIT for one in found.summary.spends)
    return ExitCode.FAILING if over else ExitCode.OK


def within(kept: Kept, since: float, now: float) -> Within:
    """Return what the kept hours tell of the time since a moment; of the first hour its part within."""
    amount = known = 0.0
    for hour in kept.hours(since - HOUR, now + HOUR):
        span = min(hour.hour + HOUR, now) - hour.hour
        part = min(1.0, max(0.0, (hour.hour + span - since) / span)) if span > 0 else 0.0
        amount += hour.total * part
        known += hour.watched * part
    return Within(since, round(amount), min(known, now - since))


def from_history(setup: Setup, now: float) -> Estimate:
    """Return the estimate that the kept hours allow; nothing is guessed for the time before the first of them."""
    settings = setup.loaded.config.costs
    if not settings.enabled:
        return Estimate(why="costs are switched off by costs.enabled")
    kept = Kept(HistoryReader(setup.folder), setup.key)
    meter = Meter(now)
    hours = kept.hours(meter.since, now + 3600)
    if not hours:
        return Estimate(why="no costs are kept for this cluster and user; run with --live, or keep a console open")
    last = hours[-1]
    meter.born = max(meter.born, min(hours[0].hour + HOUR, now) - hours[0].watched)
    meter.load(hours)
    shares = {one.share: round(one.amount * 3600 / last.watched) for one in last.entries} if last.watched else {}
    rates = Rates(sum(shares.values()), shares, {}, {})
    meter.read(now, shares)
    spent = [spend(meter, period, now, rates.total, limits_for(settings)) for period in PERIODS]
    sheet = Sheet(rates, None, Amounts(*(amounts for _, amounts in spent)))
    for share in sheet.shares:
        sheet.add(share)
    at = last.hour + min(3600.0, now - last.hour)
    summary = CostSummary(at, rates.total, idle_rate(rates), tuple(one for one, _ in spent), meter.trend())
    return Estimate(summary, sheet.lines(), stale=now - last.hour > OLDEST + 3600, kept_from=meter.born)


async def ask(setup: Setup, clock: Clock, arguments: argparse.Namespace) -> Estimate:
    """Watch the cluster until there is an estimate, a source has failed, or the time is over."""
    from services.engine import Desired, Engine

    live = LiveState(clock)
    settled = asyncio.Event()
    why = ""

    def look() -> None:
        snapshot = live.snapshot()
        status = snapshot.sources.get(CONNECTION)
        if summary_of(snapshot) is not None or (status is not None and status.state is SourceState.FAILED):
            settled.set()

    engine = Engine(live, clock)
    config = setup.loaded.config
    watch = CostWatch(live, live, clock, config.costs, history=Kept(HistoryReader(setup.folder), setup.key))
    leave = live.subscribe(look)
    task = asyncio.create_task(watch.run())
    try:
        fallback = config.context(setup.identity.context).namespaces
        await engine.reconcile(Desired(setup.identity, Interest(WANTED), fallback=fallback))
        async with asyncio.timeout(arguments.timeout):
            await settled.wait()
    except TimeoutError:
        why = f"no answer within {arguments.timeout:g} s"
    finally:
        leave()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await engine.close()
        live.publish()
    snapshot = live.snapshot()
    summary = summary_of(snapshot)
    failed = snapshot.sources.get(CONNECTION)
    if summary is None and failed is not None and failed.error:
        why = failed.error
    status = snapshot.sources.get("costs")
    if summary is None and status is not None and status.state is SourceState.NOT_CONFIGURED:
        why = "costs are switched off by costs.enabled"
    return Estimate(summary, snapshot.tables.get(COSTS, {}), why)


def as_table(setup: Setup, found: Estimate, by: CostBy, listed: Sequence[CostLine], lens: Lens) -> str:
    """Return the estimate for a person."""
    cluster = lens.text(setup.identity.cluster_name or setup.identity.context)
    summary = found.summary
    if summary is None:
        return f"{cluster}: could not tell: {lens.text(found.why)}\n"
    as_of = f", as of {moment(summary.at, lens.now)}; run with --live" if found.stale else ""
    lines = [f"{cluster}: estimate {dollars(summary.rate)}/h{as_of}"]
    for one in summary.spends:
        words = text_of(against(one, lens))
        lines.append(f"{WORDS[one.period]:<11}{dollars(one.amount):>9}  {words}  {extrapolated(one)}".rstrip())
    if any(one.start < found.kept_from for one in summary.spends):
        lines.append(
            f"counted from {moment(found.kept_from, lens.now)}, when it was first watched; --live asks further"
        )
    if (part := found.within) is not None:
        asked = lens.now - part.since
        lines.append(f"{f'in {age(asked)}':<11}{dollars(part.amount):>9}  known of {age(part.known)} of it".rstrip())
    lines.append(f"{by.upper():<40} {'$/H':>9} {'TODAY':>9} {'WEEK':>9} {'MONTH':>9}")
    for line in listed:
        amounts = " ".join(f"{dollars(amount):>9}" for amount in (line.rate, line.today, line.week, line.month))
        lines.append(f"{lens.text(name_of(line)):<40} {amounts}")
    return "\n".join(lines) + "\n"


def as_json(setup: Setup, found: Estimate, by: CostBy, listed: Sequence[CostLine], lens: Lens) -> str:
    """Return the estimate for a script; amounts are US dollars."""
    summary = found.summary
    document: dict[str, Any] = {
        "cluster": lens.text(setup.identity.cluster_name or setup.identity.context),
        "estimate": True,
        "currency": "USD",
        "stale": found.stale,
        "reason": lens.text(found.why),
        "by": by.value,
    }
    if (part := found.within) is not None:
        document["within"] = {"since": part.since, "amount": part.amount / MICRO, "known_seconds": round(part.known)}
    if summary is not None:
        document["at"] = summary.at
        document["hourly"] = summary.rate / MICRO
        document["idle_hourly"] = summary.idle / MICRO
        document["prices"] = lens.text(summary.prices)
        document["counted_from"] = found.kept_from
        document["periods"] = [_period(one) for one in summary.spends]
        document["lines"] = [_facts(line, lens) for line in listed]
    return json.dumps(document, indent=2) + "\n"


def _period(one: Spend) -> dict[str, Any]:
    return {
        "period": one.period.value,
        "start": one.start,
        "end": one.end,
        "amount": one.amount / MICRO,
        "guessed": one.guessed / MICRO,
        "unwatched_seconds": round(one.unwatched),
        "warning": one.warning / MICRO,
        "limit": one.critical / MICRO,
        "severity": one.severity.name.lower(),
        "crosses": one.crosses / MICRO,
        "crosses_at": one.crosses_at,
    }


def _facts(line: CostLine, lens: Lens) -> dict[str, Any]:
    return {
        "kind": line.kind.value,
        "name": lens.text(line.name),
        "namespace": lens.text(line.namespace),
        "team": lens.text(line.team),
        "workload": lens.text(line.workload),
        "hourly": line.rate / MICRO,
        "used_hourly": line.used / MICRO if line.used >= 0 else None,
        "today": line.today / MICRO,
        "week": line.week / MICRO,
        "month": line.month / MICRO,
        "pods": line.pods,
    }
