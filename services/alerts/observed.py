"""What one server said about alerts in one poll: what the merge is made from.

All times are epoch seconds UTC, 0 when nobody knows. Strings are as the servers sent them: raw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from services.alertmanager.decode import GivenAlert, GivenStatus
from services.alerts.relabel import UNKNOWN, Outgoing
from services.model.alert import Pairs, Silence

Scope = str
"""The identity of the cluster (`Ref.cluster`) a server belongs to; "" where it serves several, or nobody said."""


class RuleAlert(Struct, frozen=True, gc=False):
    """One alert of a rule. Its labels lack the external ones. `firing` is False while it is pending.

    `bound` is the highest value that can be told, None where any can be.
    """

    labels: Pairs
    firing: bool
    active_at: float
    value: float | None = None
    annotations: Pairs = ()
    bound: float | None = None


class Rule(Struct, frozen=True, gc=False):
    """One alerting rule. `hold` is its `for` and `interval` its group's, in seconds; `labels` are those it adds.

    `annotations` are those that are the same for each of its alerts: no template.
    """

    name: str
    group: str
    expression: str
    hold: float = 0.0
    interval: float = 0.0
    health: str = "ok"
    last_error: str = ""
    evaluated_at: float = 0.0
    labels: Pairs = ()
    annotations: Pairs = ()
    alerts: Sequence[RuleAlert] = ()


class AlertmanagerSeen(Struct, frozen=True):
    """One poll of an Alertmanager.

    `poll` counts the answered ones; `silences_error` says why there are no silences; `cluster` is the word that its
    peers bear in the configuration, "" where they are known by their status alone.
    """

    name: str
    poll: int
    alerts: Sequence[GivenAlert]
    status: GivenStatus | None = None
    silences: Sequence[Silence] = ()
    silences_error: str = ""
    scope: Scope = ""
    url: str = ""
    quarantined: int = 0
    cluster: str = ""


class PrometheusSeen(Struct, frozen=True):
    """One poll of a Prometheus.

    `outgoing` is what it does to labels before it sends; `for_state` holds values of `ALERTS_FOR_STATE` by the labels
    of the alert as sent, where the rules cannot be read; `sends_to` are the Alertmanagers it knows (URLs), None where
    it does not say. `started_at` is 0 where it does not say.
    """

    name: str
    poll: int
    rules: Sequence[Rule]
    outgoing: Outgoing = UNKNOWN
    for_state: Mapping[Pairs, float] = {}
    sends_to: Sequence[str] | None = None
    version: str = ""
    started_at: float = 0.0
    scope: Scope = ""
    url: str = ""
    quarantined: int = 0
