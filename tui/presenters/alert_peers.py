"""Shows the servers that alerts come from: the evidence behind "all clear"."""

from __future__ import annotations

from services.model.alert import AlertPeer
from services.model.ref import Ref
from services.model.severity import Severity
from tui.presenters.alert_sources import PEERS
from tui.presenters.lens import TONES, Lens
from tui.presenters.terms import Subject
from tui.presenters.view import View
from widgets.viewmodels import Column, Row, Span, Tone


def severity_of(peer: AlertPeer) -> Severity:
    """Return how a server stands by what it says of itself; whether it answers is said by its source."""
    if peer.sick_rules or peer.mutes:
        return Severity.WARN
    return Severity.NOTICE if peer.state == "settling" else Severity.OK


def present_row(key: str, peer: AlertPeer, lens: Lens, silent: str = "") -> Row:
    """Return a row of the peers table; `silent` says why a server does not answer: then what it said is of the past."""
    if silent:
        return _silent_row(key, peer, silent, lens)
    severity = severity_of(peer)
    sick = f"{peer.sick_rules} sick: {', '.join(peer.sick)}" if peer.sick_rules else ""
    size = f"{peer.state} of {peer.cluster_size}" if peer.cluster_size > 1 else peer.state
    cells = (
        lens.badge(severity),
        Span(lens.name("host", peer.name)),
        Span(lens.text(peer.kind, 20), Tone.MUTED),
        Span(lens.text(size, 40), TONES[severity] if peer.state == "settling" else Tone.PLAIN),
        Span(f"{peer.alerts:,}"),
        Span(lens.text(", ".join(peer.heartbeats) or "none", 80), Tone.PLAIN if peer.heartbeats else Tone.WARN),
        Span(f"{peer.rules:,}" if peer.rules else ""),
        Span(lens.text(f"{sick} {peer.mutes}".strip(), 300), TONES[severity]),
        Span(lens.text(peer.version, 20), Tone.MUTED),
        Span(lens.text(peer.url, 120), Tone.MUTED),
        Span(lens.age(peer.started_at)),
    )
    return Row(key, cells)


def _silent_row(key: str, peer: AlertPeer, why: str, lens: Lens) -> Row:
    cells = (
        lens.badge(Severity.WARN),
        Span(lens.name("host", peer.name), Tone.WARN),
        Span(lens.text(peer.kind, 20), Tone.MUTED),
        Span("silent", Tone.WARN),
        Span("?", Tone.MUTED),
        Span("?", Tone.MUTED),
        Span("?" if peer.kind == "prometheus" else "", Tone.MUTED),
        Span(lens.text(why.removeprefix(f"{peer.name} "), 300), Tone.WARN),
        Span(lens.text(peer.version, 20), Tone.MUTED),
        Span(lens.text(peer.url, 120), Tone.MUTED),
        Span(""),
    )
    return Row(key, cells)


VIEW = View(
    id="peers",
    title="Alert peers",
    noun="server",
    table=PEERS,
    sources=(PEERS,),
    columns=(
        Column("shape", "", 1),
        Column("name", "SERVER", 16, weight=2),
        Column("kind", "KIND", 12, priority=3),
        Column("state", "CLUSTER", 10, priority=2),
        Column("alerts", "ALERTS", 6, right=True),
        Column("heartbeat", "HEARTBEAT", 10, weight=1),
        Column("rules", "RULES", 6, right=True, priority=1),
        Column("wrong", "WRONG", 20, weight=3),
        Column("version", "VERSION", 8, priority=4),
        Column("url", "URL", 14, weight=2, priority=5),
        Column("age", "UP", 6, right=True, priority=3),
    ),
    row=present_row,
    subject=lambda one: Subject(f"{one.name} {one.kind} {one.url}", "", severity_of(one)),
    ref=lambda one: Ref("", "", "Peer", "", one.name, one.name),
    ranks={
        "status": lambda one: (severity_of(one), one.kind, one.name),
        "name": lambda one: one.name,
        "age": lambda one: -one.started_at,
    },
    aliases=("peer", "alertmanagers", "prometheis"),
    empty="no server is asked for alerts",
)
