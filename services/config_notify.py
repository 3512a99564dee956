"""The settings of what is told to people outside: where to, when by itself, and in which words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from msgspec import Meta, Struct

from services.config_secret import SecretRef

Word = Annotated[str, Meta(min_length=1, max_length=253)]
Path = Annotated[str, Meta(max_length=4096)]
ChannelType = Literal["slack", "email", "webhook"]

OCCASIONS: tuple[str, ...] = ("acted", "rolled_back", "failed", "unknown", "declared", "updated", "resolved")

_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}\Z")
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[A-Za-z0-9.-]+\Z")
_REFERENCE = ("env:", "file:", "cmd:")


class NotifySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One channel to people outside: a Slack incoming webhook, e-mail, or a signed webhook of your own."""

    type: Annotated[ChannelType, Meta(description="slack, email or webhook.")] = "slack"
    to: Annotated[
        tuple[Word, ...],
        Meta(
            description="Whom it reaches: addresses for email; else a name for you to know it by.",
            examples=[["oncall@example.org"]],
        ),
    ] = ()
    url: Annotated[
        str,
        Meta(
            max_length=2048,
            description="For slack a reference to the webhook's URL, which is a secret; for webhook that or the URL.",
            examples=["env:SLACK_WEBHOOK_URL"],
        ),
    ] = ""
    secret: Annotated[
        SecretRef | None,
        Meta(description="For webhook: the key it is signed with.", examples=["file:~/.config/webhook-key"]),
    ] = None
    host: Annotated[
        str,
        Meta(
            max_length=253,
            pattern=r"^[A-Za-z0-9.:_-]*$",
            description="For email: the server that takes mail.",
            examples=["smtp.example.org"],
        ),
    ] = ""
    port: Annotated[int, Meta(ge=1, le=65535, description="For email: its port.")] = 587
    tls: Annotated[
        Literal["starttls", "tls", "none"],
        Meta(description="For email: starttls, tls from the first byte (port 465), or none: only on this machine."),
    ] = "starttls"
    sender: Annotated[
        str, Meta(max_length=254, description="For email: who it comes from.", examples=["quarterdeck@example.org"])
    ] = ""
    username: Annotated[
        str, Meta(max_length=320, description="For email: the user, where there is one.", examples=["quarterdeck"])
    ] = ""
    password: Annotated[SecretRef | None, Meta(description="See username.", examples=["env:SMTP_PASSWORD"])] = None
    ca_file: Annotated[
        Path, Meta(description="The authority that signed its certificate, PEM.", examples=["/etc/ssl/internal.pem"])
    ] = ""
    proxy: Annotated[
        str,
        Meta(
            max_length=2048,
            pattern=r"^((https?|socks5h?)://\S+)?$",
            description="A proxy to reach slack or webhook through; unset: what HTTPS_PROXY says.",
            examples=["socks5://127.0.0.1:1080"],
        ),
    ] = ""
    timeout: Annotated[int, Meta(ge=1, le=120, description="Seconds one attempt may take.")] = 15
    contexts: Annotated[
        tuple[Word, ...],
        Meta(description="The kubeconfig contexts it hears of, * allowed; none: all.", examples=[["prod-*"]]),
    ] = ()
    namespaces: Annotated[
        tuple[Word, ...],
        Meta(description="The namespaces it hears of, * allowed; none named: all.", examples=[["shop", "pay-*"]]),
    ] = ()

    def hears_of(self, context: str, namespace: str = "") -> bool:
        """Return whether it is told of what happens there; "" is everywhere."""
        return _fits(self.contexts, context) and _fits(self.namespaces, namespace)


class TellSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is told, to whom, and how hard it is tried."""

    on: Annotated[
        tuple[Word, ...],
        Meta(
            description=f"What is told without being asked: {', '.join(OCCASIONS)}. None named: nothing is.",
            examples=[["rolled_back", "failed", "unknown"]],
        ),
    ] = ()
    channels: Annotated[
        tuple[Word, ...],
        Meta(description="Who is told where nobody was chosen; none named: every channel.", examples=[["room"]]),
    ] = ()
    fold_seconds: Annotated[
        int, Meta(ge=0, le=86400, description="Seconds within which equal messages of one thread go out once.")
    ] = 60
    attempts: Annotated[int, Meta(ge=1, le=100, description="Attempts after which a message is given up.")] = 12
    give_up_minutes: Annotated[
        int, Meta(ge=1, le=10080, description="Minutes after which it is given up: old news is no news.")
    ] = 120
    keep_days: Annotated[int, Meta(ge=1, le=3650, description="Days for which settled messages stay listed.")] = 30


class TemplateSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Words of your own for a kind of message; {fields} are filled in, lines whose fields are all empty left out."""

    subject: Annotated[
        str, Meta(max_length=200, description="The first line.", examples=["{what} is back at revision {revision}"])
    ] = ""
    text: Annotated[
        str,
        Meta(
            max_length=4000,
            description="The rest; the file's lines are its lines.",
            examples=["{user} rolled back {what} on {cluster}. {reason}"],
        ),
    ] = ""


def notify_faults(
    notify: Mapping[str, NotifySettings], tell: TellSettings, templates: Mapping[str, TemplateSettings]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what is wrong beyond the type of a setting: its path, and the end of a sentence that repeats no secret."""
    for name, channel in notify.items():
        if not _NAME.match(name):
            yield ("notify", name), "must be named with letters, digits, _ and -, 32 at most"
        for key, reason in _channel_faults(channel):
            yield ("notify", name, key), reason
    yield from _tell_faults(notify, tell)
    yield from _template_faults(templates)


def _tell_faults(notify: Mapping[str, NotifySettings], tell: TellSettings) -> Iterator[tuple[tuple[str, ...], str]]:
    from services.config_locate import did_you_mean

    for name in tell.channels:
        if name not in notify:
            yield ("tell", "channels"), f"names a channel that there is no [notify.{name}] for"
    for occasion in tell.on:
        if occasion not in OCCASIONS:
            yield ("tell", "on"), f"must be among {', '.join(OCCASIONS)}{did_you_mean(occasion, OCCASIONS)}"


def _template_faults(templates: Mapping[str, TemplateSettings]) -> Iterator[tuple[tuple[str, ...], str]]:
    from services.notifications.templates import fault_of

    for name, words in templates.items():
        if not words.subject:
            yield ("templates", name, "subject"), "must not be empty"
        for key, text in (("subject", words.subject), ("text", words.text)):
            if reason := fault_of(text):
                yield ("templates", name, key), reason


def _channel_faults(channel: NotifySettings) -> Iterator[tuple[str, str]]:
    referred = channel.url.startswith(_REFERENCE)
    if referred:
        try:
            SecretRef(channel.url)
        except ValueError as error:
            yield "url", str(error)
    if channel.type == "slack" and not referred:
        yield "url", "must say where the webhook's URL is (env:NAME, file:/path or cmd:COMMAND): the URL is a secret"
    if channel.type == "webhook":
        if not referred and not re.match(r"https?://[^\s/]+", channel.url):
            yield "url", "must be an http or https URL, or a reference to one"
        if channel.secret is None:
            yield "secret", "must say where the key is that messages are signed with"
    if channel.type == "email":
        yield from _mail_faults(channel)


def _mail_faults(channel: NotifySettings) -> Iterator[tuple[str, str]]:
    if not channel.host:
        yield "host", "must name the mail server"
    if not _ADDRESS.match(channel.sender):
        yield "sender", "must be an address such as quarterdeck@example.org"
    if not channel.to or not all(_ADDRESS.match(one) for one in channel.to):
        yield "to", "must hold addresses such as oncall@example.org"
    if channel.username and channel.password is None:
        yield "password", "must say where the password of username is"
    if channel.tls == "none" and channel.username:
        yield "tls", "must not be none where a password is sent"


def _fits(patterns: Iterable[str], name: str) -> bool:
    listed = tuple(patterns)
    return not listed or not name or any(fnmatchcase(name, one) for one in listed)
