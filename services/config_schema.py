"""Every setting there is, with its default, bounds and documentation: loader, example and README read it."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Literal, TypeVar

from msgspec import Meta, Struct, field

from services.config_costs import CostSettings
from services.config_endpoints import AlertSettings, EndpointSettings, MetricSettings
from services.config_notify import NotifySettings, TellSettings, TemplateSettings
from services.config_policy import Policy
from services.config_secret import SecretRef

T = TypeVar("T")

Switch = Literal["auto", "on", "off"]
ThemeName = Literal["dark", "cvd", "light", "contrast", "mono"]
ContextColour = Literal["none", "blue", "violet", "teal", "amber", "grey"]

_PRODUCTION_NAMES = frozenset({"prod", "production", "prd", "live"})
_NEGATIONS = frozenset({"no", "non", "not", "pre"})


class ContextSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one cluster is to you, by the name of its kubeconfig context; `*` stands for any run of characters."""

    environment: Annotated[
        str,
        Meta(
            max_length=16,
            pattern=r"^[A-Za-z0-9_-]*$",
            description="The word shown beside the cluster: prod, staging, test, ...",
            examples=["staging"],
        ),
    ] = ""
    production: Annotated[
        bool | None,
        Meta(
            description="Whether header and guards take it for production: elsewhere no object's name is typed unless "
            "a policy asks. Unset: yes, unless environment names something else.",
            examples=[False],
        ),
    ] = None
    namespaces: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=63)], ...],
        Meta(
            description="Your namespaces: what to start with, and to list where the whole cluster is refused.",
            examples=[["payments", "shop"]],
        ),
    ] = ()
    labels: Annotated[
        str, Meta(max_length=512, description="A label selector that narrows the scope.", examples=["team=payments"])
    ] = ""
    login: Annotated[
        tuple[Annotated[str, Meta(min_length=1)], ...],
        Meta(
            description="The command that signs you in, as a list of words; it gets the terminal.",
            examples=[["aws", "sso", "login"]],
        ),
    ] = ()
    colour: Annotated[
        ContextColour, Meta(description="The colour of the header's cluster badge.", examples=["violet"])
    ] = "none"

    @property
    def counts_as_production(self) -> bool:
        """Whether it is called production: a cluster of which nothing is said is."""
        if self.production is not None:
            return self.production
        if not self.environment:
            return True
        parts = self.environment.lower().replace("_", "-").split("-")
        return _NEGATIONS.isdisjoint(parts) and not _PRODUCTION_NAMES.isdisjoint(parts)

    @property
    def word(self) -> str:
        """The word of the header: `PROD`, the environment's name in capitals, or `PROD?` where nothing was said.

        It begins with PROD exactly where guards take the cluster for production.
        """
        name = self.environment.upper()
        if not self.counts_as_production:
            return name if name and not name.startswith("PROD") else "NON-PROD"
        if not name and self.production is None:
            return "PROD?"
        return name if name.startswith(("PROD-", "PROD_")) else "PROD"


class UiSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the screen looks and what the link can bear."""

    theme: Annotated[
        ThemeName,
        Meta(description="dark; cvd: for colour-blind eyes; light; contrast: for projectors; mono: no colour."),
    ] = "dark"
    ascii: Annotated[Switch, Meta(description="Draw with ASCII only; auto: where the locale is not UTF-8.")] = "auto"
    mouse: Annotated[Switch, Meta(description="Follow the mouse; auto: not over SSH, where it floods the link.")] = (
        "auto"
    )
    slow_link: Annotated[Switch, Meta(description="Paint once a second at most; auto: decided by the link.")] = "auto"
    share: Annotated[bool, Meta(description="Start in share mode: hosts, addresses and names as pseudonyms.")] = False
    share_salt: Annotated[
        SecretRef | None,
        Meta(
            description="What pseudonyms are made from; one salt gives a team one set of names. Unset: new each time.",
            examples=["env:QUARTERDECK_SALT"],
        ),
    ] = None
    share_names: Annotated[
        tuple[Annotated[str, Meta(min_length=3, max_length=63)], ...],
        Meta(
            description="Words that share mode masks too: customers, products, teams.",
            examples=[["acme", "project-x"]],
        ),
    ] = ()


class HistorySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of the past is kept on this machine."""

    enabled: Annotated[bool, Meta(description="Keep history and the rows of the first paint.")] = True
    events_days: Annotated[int, Meta(ge=1, le=3650, description="Days the timeline is kept.")] = 90
    samples_days: Annotated[int, Meta(ge=1, le=3650, description="Days samples are kept, one each 30 seconds.")] = 7
    thinned_days: Annotated[
        int, Meta(ge=1, le=3650, description="Days they are kept thinned to five minutes: lowest, highest and mean.")
    ] = 30
    max_megabytes: Annotated[int, Meta(ge=16, le=65536, description="Size at which the oldest history goes.")] = 512


class RolloutSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a workload counts as in trouble."""

    restarts: Annotated[
        int,
        Meta(ge=1, le=1000, description="Restarts of one container within ten minutes that are a warning."),
    ] = 3
    pending_seconds: Annotated[
        int, Meta(ge=1, le=86400, description="Seconds a pod may wait for a node before it counts as unschedulable.")
    ] = 30
    recovered_seconds: Annotated[
        int, Meta(ge=0, le=86400, description="Seconds a recovered row stays on screen, dimmed.")
    ] = 300
    flapping_changes: Annotated[
        int, Meta(ge=2, le=100, description="Changes of state within flapping_seconds that count as flapping.")
    ] = 3
    flapping_seconds: Annotated[int, Meta(ge=10, le=86400, description="See flapping_changes.")] = 900
    warning_burst: Annotated[
        int, Meta(ge=1, le=100_000, description="Warning events within five minutes that count as a burst.")
    ] = 20


class LogSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of the logs is fetched and held."""

    lines: Annotated[int, Meta(ge=100, le=200_000, description="Lines held in memory; the oldest go first.")] = 10_000
    tail: Annotated[int, Meta(ge=1, le=100_000, description="Lines fetched of each container to begin with.")] = 500


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration; every setting may be left out."""

    contexts: Annotated[dict[str, ContextSettings], Meta(examples=["staging-*"])] = field(default_factory=dict)
    ui: UiSettings = UiSettings()
    history: HistorySettings = HistorySettings()
    rollouts: RolloutSettings = RolloutSettings()
    logs: LogSettings = LogSettings()
    costs: CostSettings = CostSettings()
    prometheus: Annotated[dict[str, EndpointSettings], Meta(examples=["main"])] = field(default_factory=dict)
    alertmanager: Annotated[dict[str, EndpointSettings], Meta(examples=["one"])] = field(default_factory=dict)
    alerts: AlertSettings = AlertSettings()
    metrics: MetricSettings = MetricSettings()
    notify: Annotated[dict[str, NotifySettings], Meta(examples=["room"])] = field(default_factory=dict)
    tell: TellSettings = TellSettings()
    templates: Annotated[dict[str, TemplateSettings], Meta(examples=["rolled_back"])] = field(default_factory=dict)
    policy: Annotated[dict[str, Policy], Meta(examples=["prod-*"])] = field(default_factory=dict)
    keys: Annotated[
        dict[str, Annotated[str, Meta(min_length=1, max_length=32)]],
        Meta(
            description="Other keys for commands, by id (`quarterdeck config keys`), as the footer prints them.",
            examples=[{"explain": "X", "page_down": "ctrl-f"}],
        ),
    ] = field(default_factory=dict)

    def context(self, name: str) -> ContextSettings:
        """Return a kubeconfig context's settings: its own section, else the first pattern that fits, else defaults."""
        return _fitting(self.contexts, name, ContextSettings())

    def policy_of(self, context: str) -> Policy:
        """Return what may be done in a kubeconfig context, found as its settings are."""
        return _fitting(self.policy, context, Policy())

    def alert_sources(self, context: str) -> tuple[str, ...]:
        """Return the sources that bring alerts while a context is shown: "alertmanager/one", "prometheus/main"."""
        return tuple(
            f"{kind}/{name}"
            for kind, servers in (("alertmanager", self.alertmanager), ("prometheus", self.prometheus))
            for name, settings in servers.items()
            if settings.belongs_to(context)
        )


def _fitting(sections: Mapping[str, T], name: str, default: T) -> T:
    """Return the section of that very name, else the first whose pattern fits."""
    if name in sections:
        return sections[name]
    return next((one for pattern, one in sections.items() if "*" in pattern and fnmatchcase(name, pattern)), default)
