"""Asks what to silence, for how long and why, and says while it is typed what that would hide."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from services.actions import silencing
from services.actions.spec import Refused
from services.alerts.matchers import hides, shared, spelled, spelled_all
from services.errors import Problem
from services.model.action import Target
from services.model.alert import Alert, AlertState, Matcher
from services.ports import Snapshot
from services.sanitize import safe_text
from tui.aiming import OVER
from tui.presenters.lens import Lens, plural
from widgets.form import Field
from widgets.tick_form import ON, Tick, TickForm
from widgets.viewmodels import Choice, Line, Span, Tone

if TYPE_CHECKING:
    from services.config_policy import Policy
    from tui.app import QuarterdeckApp

DURATIONS = ("15m", "30m", "1h", "2h", "4h", "8h", "1d", "3d")
MOST_LABELS = 8
"""Labels with a row of their own; others can be typed."""

Given = Mapping[str, str]


class Silencing:
    """The form for one silence of the alerts that were shown; `done` is given what a plan needs."""

    def __init__(
        self, app: QuarterdeckApp, policy: Policy, target: Target, given: Given, done: Callable[[Given], None]
    ) -> None:
        self._app = app
        self._policy = policy
        self._target = target
        self._done = done
        self._chosen = frozenset(given.get("alerts", "").split()) or frozenset({target.ref.uid})
        self._given = given
        alerts = self._alerts(app.console_state.feed.snapshot())
        mine = [alert.labels for alert in alerts if alert.key in self._chosen]
        named = silencing.chosen_names(mine, [alert.labels for alert in alerts])
        every = shared(mine, [name for name, _ in mine[0]]) if mine else ()
        first = sorted(every, key=lambda one: one.name not in named)[:MOST_LABELS]
        self._labels: dict[str, Matcher] = {one.name: one for one in every if one in first}
        self._ticked = frozenset(named)

    def ask(self) -> None:
        """Show the form; what is confirmed there is planned, and asked about once more."""
        lens = self._app.console_state.lens()
        ticks = [Tick(name, lens.text(spelled(one), 200), name in self._ticked) for name, one in self._labels.items()]
        fields = [
            Field("more", "and", ""),
            Field("for", "for", "1h", tuple(Choice(one, one) for one in DURATIONS)),
            Field("comment", "comment", self._given.get("comment", ""), (), True),
        ]
        title = (Span("Silence", Tone.STRONG), Span(f"  {lens.text(self._target.ref.name, 80)}", Tone.MUTED))
        form = TickForm(
            title,
            "matches",
            ticks,
            fields,
            submit=self._submit,
            meaning=self._meaning,
            key="y",
            label="look at the plan",
        )
        self._form = form
        self._app.push_screen(form, self._left)

    def _left(self, confirmed: bool | None) -> None:
        if confirmed:
            values = self._form.values
            given = {"matchers": spelled_all(self._matchers(values)), "alerts": " ".join(sorted(self._chosen))}
            self._done({**given, "for": values["for"], "comment": values["comment"].strip()})

    def _submit(self, values: Mapping[str, str]) -> None:
        try:
            self._matchers(values)
            silencing.seconds_of(values["for"])
        except Problem as problem:
            self._form.refuse(problem.sentence)
            return
        if lacks := lacking(self._policy, "silence", values["comment"]):
            self._form.refuse(lacks)
            return
        self._form.accept()

    def _matchers(self, values: Mapping[str, str]) -> Sequence[Matcher]:
        """Return the matchers of the answers. Raises Refused."""
        ticked = [one for name, one in self._labels.items() if values.get(name) == ON]
        text = f"{spelled_all(ticked)} {values.get('more', '')}".strip()
        if not text:
            raise Refused(safe_text("Tick a label, or write a matcher."))
        return silencing.read_matchers(text)

    def _meaning(self, values: Mapping[str, str]) -> Sequence[Line]:
        lens = self._app.console_state.lens()
        try:
            matchers = self._matchers(values)
        except Problem as problem:
            return ((Span(lens.text(str(problem.sentence), 200), Tone.WARN),),)
        alerts = self._alerts(self._app.console_state.feed.snapshot())
        return meaning([one for one in alerts if hides(matchers, dict(one.labels))], self._chosen, lens)

    @staticmethod
    def _alerts(snapshot: Snapshot) -> list[Alert]:
        return [alert for alert in snapshot.tables.get("alerts", {}).values() if alert.state not in OVER]


def meaning(hidden: Sequence[Alert], chosen: frozenset[str], lens: Lens) -> Sequence[Line]:
    """Return what a silence of these alerts means, as far as the screen knows: how many, whose, and who is muted."""
    names = sorted({alert.name for alert in hidden})
    listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    others = sum(alert.key not in chosen for alert in hidden)
    receivers = sorted({each for alert in hidden if alert.state is AlertState.FIRING for each in alert.receivers})
    beside = (Span(f", {others} not chosen by you", Tone.WARN),) if others else ()
    said = Span(f"hides {plural(len(hidden), 'alert')} now")
    lines: list[Line] = [(said, *beside, Span(lens.text(f": {listed}", 200) if names else ""))]
    if receivers:
        lines.append((Span(lens.text(f"mutes {', '.join(receivers)}", 200), Tone.MUTED),))
    return tuple(lines)


def lacking(policy: Policy, action: str, comment: str) -> str:
    """Return what the policy of this cluster still wants of a comment, "" where it is enough."""
    if not comment.strip():
        return "say why: a silence needs a comment"
    if policy.wants_reason(action) and policy.ticket and re.search(policy.ticket, comment) is None:
        return f"the comment must name a ticket ({policy.ticket})"
    return ""
