"""What there is to tell of what is shown: the facts that templates are filled with, and the templates that fit it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from msgspec import Struct, structs

from services.model.alert import Alert
from services.model.incident import Incident
from services.model.message import MessageKind
from services.model.ref import Ref, ref_of
from services.model.severity import Severity
from services.model.timeline import Event, EventKind
from services.model.workload import Rollout
from services.notifications.tell import About, about_incident, stamp, what
from tui.presenters.lens import tag
from tui.presenters.rollouts import what as state_of

LABELS: Mapping[str, str] = MappingProxyType(
    {
        MessageKind.PAGE: "page",
        MessageKind.UPDATED: "update",
        MessageKind.RESOLVED: "resolved",
        MessageKind.ROLLED_BACK: "rolled back",
        MessageKind.HELP: "help",
        MessageKind.DECLARED: "declared",
        MessageKind.PLAIN: "own",
    }
)
"""The built-in templates that a person is offered, as they are called."""

OF_OBJECTS = (MessageKind.PAGE, MessageKind.UPDATED, MessageKind.RESOLVED, MessageKind.HELP, MessageKind.PLAIN)
OF_INCIDENTS = (
    MessageKind.UPDATED,
    MessageKind.DECLARED,
    MessageKind.RESOLVED,
    MessageKind.PAGE,
    MessageKind.HELP,
    MessageKind.PLAIN,
)
_MEANT = {MessageKind.RESOLVED: Severity.OK, MessageKind.ROLLED_BACK: Severity.NOTICE}


class Scene(Struct, frozen=True):
    """Where and by whom something is told: the context, its cluster's name, "mina@bastion-1", the time."""

    context: str
    cluster: str
    who: str
    now: float


class Topic(Struct, frozen=True):
    """What is told of: its facts (raw fields of templates), how bad it is, and what it belongs to."""

    name: str
    values: Mapping[str, str]
    severity: Severity = Severity.NOTICE
    thread: str = ""
    namespace: str = ""
    ref: Ref | None = None
    incident: Incident | None = None


def topic_of(subject: object, scene: Scene, incidents: Iterable[Incident] = (), events: Iterable[Event] = ()) -> Topic:
    """Return what there is to tell of what is shown now; later changes to it change nothing here.

    An object that an open incident is about belongs to that incident. Nothing in particular is the cluster.
    """
    if isinstance(subject, Incident):
        about = about_incident(subject, MessageKind.UPDATED, "", scene.who, scene.now, context=scene.context)
        values = {**about.values, "what": f"{subject.id} {subject.title}", "state": subject.status.value}
        values |= {"since": stamp(subject.started_at), "cluster": subject.cluster or scene.cluster}
        return Topic(subject.id, values, about.severity, subject.id, "", None, subject)
    ref = subject if isinstance(subject, Ref) else ref_of(subject)
    if isinstance(subject, Rollout):
        topic = _of_rollout(subject, events)
    elif isinstance(subject, Alert):
        topic = _of_alert(subject)
    elif ref is not None and ref.name:
        topic = Topic(what(ref), {}, Severity.NOTICE, what(ref), ref.namespace, ref)
    else:
        topic = Topic(f"cluster {scene.cluster}", {})
    values = {"what": topic.name, "title": topic.name, "cluster": scene.cluster, "namespace": topic.namespace}
    values |= {"user": scene.who.partition("@")[0], "host": scene.who.partition("@")[2], "time": stamp(scene.now)}
    found = _incident_about(topic, subject, incidents)
    if found is not None:
        values |= {"incident": found.id, "severity": found.severity.value, "owner": found.owner}
    return structs.replace(
        topic, values={**values, **topic.values}, thread=found.id if found is not None else topic.thread
    )


def kinds_for(topic: Topic) -> tuple[MessageKind, ...]:
    """Return the built-in templates that fit, the likeliest first."""
    if topic.incident is not None:
        return OF_INCIDENTS
    if topic.values.get("revision"):
        return (*OF_OBJECTS[:3], MessageKind.ROLLED_BACK, *OF_OBJECTS[3:])
    return OF_OBJECTS


def about_topic(topic: Topic, kind: MessageKind, text: str, scene: Scene) -> About:
    """Return what a person tells of it: the frozen facts with what they typed."""
    values = {**topic.values, "text": text}
    if topic.incident is None:
        words = {MessageKind.UPDATED: "update", MessageKind.RESOLVED: "resolved"}
        values["status"] = words.get(kind, "")
    elif kind is MessageKind.RESOLVED:
        values["status"] = "resolved"
    severity = _MEANT.get(kind, topic.severity)
    return About(kind, values, severity, topic.thread, scene.context, topic.namespace, scene.who, scene.now)


def _of_rollout(rollout: Rollout, events: Iterable[Event]) -> Topic:
    workload, ref = rollout.workload, rollout.ref
    ready = f"{workload.ready} of {workload.desired} ready"
    words = state_of(rollout)
    values = {
        "name": ref.name,
        "state": f"{ready}, {words}" if words else ready,
        "since": stamp(rollout.since),
        "cause": rollout.cause if rollout.cause != words else rollout.last_words,
        "change": _change(rollout),
        "revision": str(rollout.revision or ""),
        "detail": _last_done(ref, events),
    }
    return Topic(what(ref), values, min(rollout.severity, Severity.NOTICE), what(ref), ref.namespace, ref)


def _of_alert(alert: Alert) -> Topic:
    entity = alert.entity
    place = entity.workload or entity.pod or entity.node
    where = f"{entity.namespace}/{place}" if entity.namespace and place else place or entity.namespace
    runbook, dashboard = alert.annotation("runbook_url"), alert.annotation("dashboard_url")
    values = {
        "name": alert.name,
        "state": alert.state.value,
        "since": stamp(alert.onset),
        "cause": alert.annotation("summary") or alert.annotation("description"),
        "value": f"{alert.value:g}" if alert.value is not None else "",
        "runbook": runbook,
        "link": dashboard,
    }
    return Topic(f"{alert.name} {where}".strip(), values, alert.severity, where or alert.name, entity.namespace)


def _change(rollout: Rollout) -> str:
    if not rollout.previous_revision:
        return ""
    now = ", ".join(tag(image) for image in rollout.workload.images)
    before = ", ".join(tag(image) for image in rollout.previous_images)
    by = f" by {rollout.workload.changed_by}" if rollout.workload.changed_by else ""
    images = f": {before} to {now}" if before and before != now else ""
    return f"revision {rollout.previous_revision} to {rollout.revision}{images}{by}"


def _last_done(ref: Ref, events: Iterable[Event]) -> str:
    done = [one for one in events if one.kind is EventKind.ACTION and one.ref is not None and one.ref.uid == ref.uid]
    return max(done, key=lambda one: one.at).text if done else ""


def _incident_about(topic: Topic, subject: object, incidents: Iterable[Incident]) -> Incident | None:
    """Return the newest open incident that is about the object or the alert, None for none."""
    uid = topic.ref.uid if topic.ref is not None else ""
    fingerprint = subject.fingerprint if isinstance(subject, Alert) else ""
    linked = [
        one
        for one in incidents
        if one.open
        and any(
            (link.ref is not None and bool(uid) and link.ref.uid == uid)
            or (bool(fingerprint) and link.fingerprint == fingerprint)
            for link in one.links
        )
    ]
    return max(linked, key=lambda one: one.number, default=None)
