"""The settings of monitoring: where Prometheus and Alertmanager are, how to be let in, and what alerts mean."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated

from msgspec import Meta, Struct, field

from services.config_secret import SecretRef

Text = Annotated[str, Meta(max_length=2048)]
Path = Annotated[str, Meta(max_length=4096)]


class EndpointSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One server: a Prometheus (Thanos, Mimir and VictoriaMetrics answer alike) or an Alertmanager."""

    url: Annotated[
        str,
        Meta(
            max_length=2048,
            pattern=r"^(https?://\S+)?$",
            description="Where it is, with its path prefix; no user or password.",
            examples=["https://prometheus.example.org/prod"],
        ),
    ] = ""
    service: Annotated[
        str,
        Meta(
            max_length=256,
            pattern=r"^([a-z0-9.-]+/(https:)?[a-z0-9.-]+:[a-z0-9-]+(/\S*)?)?$",
            description="Instead of url: namespace/service:port, reached through the cluster's own API server.",
            examples=["monitoring/prometheus:9090"],
        ),
    ] = ""
    contexts: Annotated[
        tuple[Annotated[str, Meta(min_length=1)], ...],
        Meta(description="The kubeconfig contexts it belongs to, * allowed; none named: all.", examples=[["prod-*"]]),
    ] = ()
    cluster: Annotated[
        str,
        Meta(
            max_length=256,
            description="Alertmanagers that are peers of one another bear the same word.",
            examples=["prod"],
        ),
    ] = ""
    bearer: Annotated[
        SecretRef | None, Meta(description="The bearer token.", examples=["file:~/.config/prometheus-token"])
    ] = None
    username: Annotated[Text, Meta(description="The user of basic authentication.", examples=["quarterdeck"])] = ""
    password: Annotated[SecretRef | None, Meta(description="See username.", examples=["env:PROMETHEUS_PASSWORD"])] = (
        None
    )
    headers: Annotated[
        dict[str, Text],
        Meta(
            description="More headers, such as a tenant; a value may be a reference (env:, file:, cmd:).",
            examples=[{"X-Scope-OrgID": "shop"}],
        ),
    ] = field(default_factory=dict)
    ca_file: Annotated[
        Path, Meta(description="The authority that signed its certificate, PEM.", examples=["/etc/ssl/internal.pem"])
    ] = ""
    client_cert: Annotated[Path, Meta(description="Our own certificate, PEM.", examples=["~/.config/client.pem"])] = ""
    client_key: Annotated[Path, Meta(description="Its private key, PEM.", examples=["~/.config/client.key"])] = ""
    proxy: Annotated[
        str,
        Meta(
            max_length=2048,
            pattern=r"^((https?|socks5h?)://\S+)?$",
            description="A proxy to reach it through.",
            examples=["socks5://127.0.0.1:1080"],
        ),
    ] = ""
    interval: Annotated[int, Meta(ge=2, le=3600, description="Seconds between two polls.")] = 15
    timeout: Annotated[int, Meta(ge=1, le=300, description="Seconds an answer may take.")] = 10

    def belongs_to(self, context: str) -> bool:
        """Return whether it is asked while this context is shown; without a cluster everything is."""
        return not self.contexts or not context or any(fnmatchcase(context, one) for one in self.contexts)


class AlertSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the labels of alerts mean here."""

    heartbeats: Annotated[
        tuple[Annotated[str, Meta(min_length=1)], ...],
        Meta(description="Alerts that fire always, to show that alerting works; silence of theirs is an alarm."),
    ] = ("Watchdog", "DeadMansSwitch")


class MetricSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PromQL of your own for a workload; {namespace}, {workload} and {pods} (a pattern) stand for what is looked at."""

    rate: Annotated[
        Text,
        Meta(
            description="Requests a second; unset: found by which metrics there are.", examples=["job:requests:rate5m"]
        ),
    ] = ""
    errors: Annotated[Text, Meta(description="The part of requests that fail, 0 to 1.", examples=["job:errors:5m"])] = (
        ""
    )
    p50: Annotated[Text, Meta(description="The median duration, seconds.", examples=["job:p50:5m"])] = ""
    p95: Annotated[Text, Meta(description="The 95th percentile of the duration, seconds.", examples=["job:p95:5m"])] = (
        ""
    )
    p99: Annotated[Text, Meta(description="The 99th percentile of the duration, seconds.", examples=["job:p99:5m"])] = (
        ""
    )
    cpu: Annotated[Text, Meta(description="Cores in use.", examples=["job:cpu:5m"])] = ""
    memory: Annotated[Text, Meta(description="Bytes in use.", examples=["job:memory:5m"])] = ""
