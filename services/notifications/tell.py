"""Makes messages of what happened: whom they go to, in which words, and whether without being asked."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Protocol

from msgspec import Struct

from services.config_notify import NotifySettings, TellSettings, TemplateSettings
from services.config_policy import Policy, tells
from services.errors import Problem
from services.model.action import Ended, Outcome, Plan
from services.model.incident import Incident, IncidentSeverity
from services.model.message import Message, MessageKind
from services.model.ref import Ref
from services.model.severity import Severity
from services.notifications.registry import recipient
from services.notifications.templates import BUILT_IN, Template, fill
from services.sanitize import safe_text

ROLLBACK = "rollback"

_KINDS = {Outcome.OK: MessageKind.ACTED, Outcome.FAILED: MessageKind.FAILED, Outcome.UNKNOWN: MessageKind.UNKNOWN}
_SEVERITIES = {
    MessageKind.FAILED: Severity.CRIT,
    MessageKind.UNKNOWN: Severity.UNKNOWN,
    MessageKind.ROLLED_BACK: Severity.NOTICE,
    MessageKind.RESOLVED: Severity.OK,
}
_OF_INCIDENTS = {
    IncidentSeverity.P0: Severity.CRIT,
    IncidentSeverity.P1: Severity.CRIT,
    IncidentSeverity.P2: Severity.WARN,
    IncidentSeverity.P3: Severity.NOTICE,
    IncidentSeverity.P4: Severity.OK,
}


class Telling(Protocol):
    """The part of the configuration that says what is told, such as `services.config_schema.Config`."""

    @property
    def notify(self) -> Mapping[str, NotifySettings]:
        """The channels."""
        ...

    @property
    def tell(self) -> TellSettings:
        """What is told without being asked, and to whom."""
        ...

    @property
    def templates(self) -> Mapping[str, TemplateSettings]:
        """Words of one's own."""
        ...

    def policy_of(self, context: str) -> Policy:
        """Return what a context's policy says."""
        ...


class About(Struct, frozen=True):
    """What there is to tell, before it is in words. `values` are the raw fields of templates.

    `thread` is what it belongs to: the incident, else the object. `context` and `namespace` choose who hears of it.
    `action` and `intent` are those it came of, "" for none; `doubted` says that its outcome was UNKNOWN before.
    """

    kind: MessageKind
    values: Mapping[str, str]
    severity: Severity = Severity.OK
    thread: str = ""
    context: str = ""
    namespace: str = ""
    by: str = ""
    at: float = 0.0
    action: str = ""
    intent: str = ""
    doubted: bool = False


def about_action(
    plan: Plan,
    ended: Ended,
    who: str,
    context: str,
    *,
    reason: str = "",
    incident: str = "",
    doubted: bool = False,
) -> About | None:
    """Return what there is to tell of an action that ended; None where it was cancelled. `who` is "mina@bastion-1"."""
    kind = _KINDS.get(ended.outcome)
    if kind is None:
        return None
    if kind is MessageKind.ACTED and plan.action == ROLLBACK:
        kind = MessageKind.ROLLED_BACK
    ref = plan.target.ref
    facts = {fact.label: " ".join(fact.text.split()) for fact in plan.facts if fact.label in ("from", "to")}
    user, _, host = who.partition("@")
    values = {
        "what": what(ref),
        "cluster": context,
        "namespace": ref.namespace,
        "name": ref.name,
        "action": plan.action.replace("-", " "),
        "outcome": ended.outcome.value.upper(),
        "detail": f"found out later: {ended.text}" if doubted else ended.text,
        "reason": reason,
        "undo": ended.undo.words if ended.undo is not None else plan.no_undo,
        "user": user,
        "host": host,
        "time": stamp(ended.at),
        "incident": incident,
        "revision": plan.parameters.get("to", ""),
        **facts,
    }
    return About(
        kind,
        values,
        _SEVERITIES.get(kind, Severity.OK),
        incident or what(ref),
        context,
        ref.namespace,
        who,
        ended.at,
        plan.action,
        ended.intent,
        doubted,
    )


def about_incident(
    incident: Incident, kind: MessageKind, text: str, who: str, now: float, *, context: str = ""
) -> About:
    """Return what there is to tell of an incident: DECLARED, UPDATED or RESOLVED, with what was typed."""
    user, _, host = who.partition("@")
    values = {
        "what": incident.title,
        "text": text,
        "cluster": incident.cluster,
        "user": user,
        "host": host,
        "time": stamp(incident.started_at),
        "incident": incident.id,
        "severity": incident.severity.value,
        "status": incident.status.value,
        "title": incident.title,
        "owner": incident.owner or "nobody yet",
        "next_update": stamp(incident.next_update_at),
    }
    severity = _SEVERITIES.get(kind, _OF_INCIDENTS[incident.severity])
    return About(kind, values, severity, incident.id, context or incident.cluster, "", who, now)


def default_recipients(config: Telling, about: Incident | Ref | None, context: str = "") -> tuple[str, ...]:
    """Return the channels that are offered first for an incident or an object: those that hear of its place.

    Among them those that [tell] names, all of them where it names none.
    """
    namespace = about.namespace if isinstance(about, Ref) else ""
    place = context or (about.cluster if about is not None else "")
    return _recipients(config, place, namespace)


def template_names(config: Telling) -> tuple[str, ...]:
    """Return the templates there are to choose from, one's own first."""
    return tuple(dict.fromkeys((*config.templates, *BUILT_IN)))


def compose(
    config: Telling,
    about: About,
    channels: Iterable[str],
    template: str = "",
    *,
    subject: str = "",
    make_id: Callable[[str], str] = lambda _channel: uuid.uuid4().hex,
) -> tuple[Message, ...]:
    """Return a message a channel, with an id of its own each; `template` is a name, "" for the one of its kind.

    `subject` is a first line that was typed in place of the template's. Raises Problem for a channel or a template
    that there is not.
    """
    chosen, values = _template(config, template or about.kind.value), about.values
    if subject.strip():
        chosen, values = Template("{subject}", chosen.text), {**values, "subject": subject}
    subject, text = fill(chosen, values)
    return tuple(
        Message(
            id=make_id(name),
            channel=name,
            to=recipient(name, _channel(config, name)),
            subject=subject,
            text=text,
            kind=about.kind,
            severity=about.severity,
            thread=str(safe_text(about.thread)),
            cluster=str(safe_text(about.context)),
            by=str(safe_text(about.by)),
            at=about.at,
            link=about.values.get("link", ""),
        )
        for name in dict.fromkeys(channels)
    )


def told_by_itself(config: Telling, about: About | None) -> tuple[Message, ...]:
    """Return what is told without being asked, which is nothing unless the context's policy says so, or else [tell].

    Who hears of an UNKNOWN outcome hears also how it ended after all. The ids are the intent's: whoever finds that out,
    and how often, it is queued once.
    """
    if about is None:
        return ()
    own = config.policy_of(about.context).tell
    occasions = config.tell.on if own is None else own
    owed = about.doubted and MessageKind.UNKNOWN.value in occasions
    if not owed and not tells(occasions, about.kind.value, about.action):
        return ()
    channels = _recipients(config, about.context, about.namespace)
    if not about.intent:
        return compose(config, about, channels)
    return compose(config, about, channels, make_id=lambda channel: _id_of(about.intent, about.kind, channel))


def _id_of(intent: str, kind: MessageKind, channel: str) -> str:
    return hashlib.sha256(f"{intent}/{kind.value}/{channel}".encode()).hexdigest()[:32]


def tells_of(config: Telling, action: str, context: str, namespace: str = "") -> str:
    """Return who will be told of an action by itself, and when, as a sentence's end; "" where there are no channels.

    "#incidents, oncall@example.org when failed or unknown"; "nobody by itself".
    """
    if not config.notify:
        return ""
    own = config.policy_of(context).tell
    occasions = config.tell.on if own is None else own
    done = MessageKind.ROLLED_BACK if action == ROLLBACK else MessageKind.ACTED
    kinds = (done, MessageKind.FAILED, MessageKind.UNKNOWN)
    when = [kind.value.replace("_", " ") for kind in kinds if tells(occasions, kind.value, action)]
    whom = [recipient(name, config.notify[name]) for name in _recipients(config, context, namespace)]
    if not when or not whom:
        return "nobody by itself"
    return f"{', '.join(whom)} when {' or '.join(when)}"


def what(ref: Ref) -> str:
    """Return an object in words: "deployment shop/cart"."""
    return f"{ref.kind.lower()} {ref.key}"


def stamp(at: float) -> str:
    """Return a time as people outside read it, "" for none: "2026-03-14 14:33 UTC"."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC") if at else ""


def _recipients(config: Telling, context: str, namespace: str) -> tuple[str, ...]:
    named = config.tell.channels or tuple(config.notify)
    return tuple(name for name in named if name in config.notify and config.notify[name].hears_of(context, namespace))


def _channel(config: Telling, name: str) -> NotifySettings:
    found = config.notify.get(name)
    if found is None:
        known = ", ".join(config.notify) or "none"
        raise Problem(safe_text(f"There is no channel {name} in the configuration; there are: {known}."))
    return found


def _template(config: Telling, name: str) -> Template:
    own = config.templates.get(name)
    if own is not None:
        return Template(own.subject, own.text)
    if name not in BUILT_IN:
        raise Problem(safe_text(f"There is no template {name}; there are: {', '.join(template_names(config))}."))
    return BUILT_IN[name]
