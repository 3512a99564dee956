"""Alerts as one console sees them: joined from every Alertmanager and Prometheus that knows of them.

All times are epoch seconds UTC, 0 when nobody knows. Strings are as the servers sent them: raw.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from services.model.severity import Severity

Pairs = tuple[tuple[str, str], ...]
"""Labels or annotations, sorted by name."""


class AlertState(StrEnum):
    """What an alert is doing, over all peers: firing if any of them says so."""

    FIRING = "firing"
    PENDING = "pending"
    SILENCED = "silenced"
    INHIBITED = "inhibited"
    MUTED = "muted"
    ENDED = "ended"


class Onset(StrEnum):
    """Where the time of an onset comes from, the most exact first; `STARTS_AT` is marked "~" on screen."""

    ACTIVE_AT = "activeAt"
    FOR_STATE = "ALERTS_FOR_STATE"
    STARTS_AT_LESS_FOR = "startsAt-for"
    STARTS_AT = "startsAt"


class Entity(Struct, frozen=True, gc=False):
    """What an alert speaks of, from its labels and the cluster it came from; "" where they do not say.

    `cluster` is the identity of the cluster (`Ref.cluster`) where known, else the value of the label.
    """

    cluster: str = ""
    namespace: str = ""
    workload: str = ""
    pod: str = ""
    node: str = ""


class Alert(Struct, frozen=True, gc=False):
    """One episode of one alert: a row of the live-state table "alerts", under `key`.

    `fingerprint` is Alertmanager's (FNV-1a 64 over the sorted labels, 16 hex). `onset` is when the condition began
    (activeAt), `fired_at` when it had lasted for `hold` seconds (startsAt), `ended_at` when it ended. The onset may lie
    up to `onset_slack` seconds earlier: the widest range selector of the expression. `value` is the rule's last value,
    `expression` its PromQL. `peers` are the names of the sources that show it. `heartbeat` marks a dead man's switch,
    which is no alarm while it fires. `bound` is the highest value that can be told: one there may be anything above.
    """

    key: str
    fingerprint: str
    name: str
    severity: Severity
    state: AlertState
    labels: Pairs
    annotations: Pairs = ()
    entity: Entity = Entity()
    onset: float = 0.0
    onset_from: Onset = Onset.STARTS_AT
    onset_slack: float = 0.0
    fired_at: float = 0.0
    ended_at: float = 0.0
    value: float | None = None
    expression: str = ""
    hold: float = 0.0
    rule_group: str = ""
    generator_url: str = ""
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    heartbeat: bool = False
    bound: float | None = None

    def label(self, name: str) -> str:
        """Return the value of a label, "" where it has none."""
        return next((value for key, value in self.labels if key == name), "")

    def annotation(self, name: str) -> str:
        """Return the value of an annotation, "" where it has none."""
        return next((value for key, value in self.annotations if key == name), "")


class AlertGroup(Struct, frozen=True, gc=False):
    """Alerts that belong together, in the table "alert-groups": keys in `members`, the lead first (worst, earliest).

    `reasons` says for each member, in the same order, why it is in the group; the lead's is "". `key` is sticky: it
    survives until all members have ended.
    """

    key: str
    title: str
    severity: Severity
    members: tuple[str, ...]
    reasons: tuple[str, ...]
    onset: float
    entity: Entity = Entity()


class Matcher(Struct, frozen=True, gc=False):
    """One matcher of a silence: `name = value`, `!=`, `=~` or `!~`."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True


class Silence(Struct, frozen=True, gc=False):
    """A silence: a row of the table "silences". `matching` counts the alerts it hides now, `source` its cluster."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: float
    ends_at: float
    created_by: str
    comment: str
    state: str
    source: str = ""
    matching: int = 0


class AlertPeer(Struct, frozen=True, gc=False):
    """One server that alerts come from: a row of the table "alert-peers", the evidence behind "all clear".

    `kind` is "alertmanager" or "prometheus"; `state` Alertmanager's cluster status ("ready", "settling", "disabled"),
    "" for Prometheus; `cluster_size` the members it sees; `started_at` is now less its uptime. `rules` and `sick_rules`
    count alerting rules and those whose health is not ok, `sick` names the first few. `heartbeats` are the names of
    the heartbeat alerts it shows; `mutes` says in one sentence why something of it is missing, such as silences that
    this API version cannot show.
    """

    name: str
    kind: str
    url: str
    version: str = ""
    state: str = ""
    cluster_size: int = 0
    started_at: float = 0.0
    rules: int = 0
    sick_rules: int = 0
    sick: tuple[str, ...] = ()
    heartbeats: tuple[str, ...] = ()
    alerts: int = 0
    mutes: str = ""
