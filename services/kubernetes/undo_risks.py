"""Finds what going back to an older pod template does not bring back, and what keeps it from taking effect.

Sources: kubernetes docs "StatefulSet: Forced rollback" and kubernetes/kubernetes#67250; managedFields as the API
server keeps them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from services.kubernetes.history import DELIVERED, DELIVERED_BEFORE, HISTORY, REVISION
from services.kubernetes.wire import epoch

Document = Mapping[str, Any]

BELONGS = ("app.kubernetes.io/instance", "app.kubernetes.io/name", "app", "release")
"""Labels by which a Job belongs to the release of a workload, where both have the same value."""

SLACK = 3600.0
"""Seconds before a revision began in which a Job of its release may have run (hooks run first)."""

TOGETHER = 900.0
"""Seconds before a revision began in which what it reads may have been written for it: one release applies both."""

_MIGRATION = re.compile(
    r"migrat|alembic|flyway|liquibase|prisma|\bknex\b|sqitch|dbmate|\bgoose\b|rake\s+db|db:(?:schema|setup|seed)"
    r"|schema[-_ ]?(?:update|upgrade)|\bddl\b",
    re.IGNORECASE,
)


class Reference(Struct, frozen=True, order=True):
    """A ConfigMap or Secret that a pod template reads."""

    kind: str
    name: str


class ConfigChange(Struct, frozen=True):
    """A ConfigMap or Secret that is not what it was: written at `at` (epoch seconds) by `who`, or gone (`at` 0)."""

    reference: Reference
    at: float = 0.0
    who: str = ""


class Migration(Struct, frozen=True):
    """Something that looks like a schema migration: `where` it is ("init container migrate"), and the words for it."""

    where: str
    words: str


def references(template: Document) -> tuple[Reference, ...]:
    """Return the ConfigMaps and Secrets of a pod template, sorted: volumes, projected ones, env and envFrom."""
    return tuple(sorted(set(_references(_object(template.get("spec"))))))


def _references(spec: Document) -> Iterator[Reference]:
    for volume in _entries(spec.get("volumes")):
        for source in (volume, *_entries(_object(volume.get("projected")).get("sources"))):
            if name := _object(source.get("configMap")).get("name"):
                yield Reference("ConfigMap", str(name))
            secret = _object(source.get("secret"))
            if name := secret.get("secretName") or secret.get("name"):
                yield Reference("Secret", str(name))
    for container in _containers(spec):
        for given in _entries(container.get("envFrom")):
            yield from _named(given, "configMapRef", "secretRef")
        for variable in _entries(container.get("env")):
            yield from _named(_object(variable.get("valueFrom")), "configMapKeyRef", "secretKeyRef")


def _named(given: Document, config_map: str, secret: str) -> Iterator[Reference]:
    for key, kind in ((config_map, "ConfigMap"), (secret, "Secret")):
        if name := _object(given.get(key)).get("name"):
            yield Reference(kind, str(name))


def left_at(holders: Sequence[Document], number: int) -> float:
    """Return when the revision after `number` took its number, epoch seconds: the target ran until then; 0 unknown.

    A ReplicaSet that was used again took its number when the controller last wrote it, any other when it was made.
    """
    later = [(_number(one), _taken_at(one)) for one in holders if _number(one) > number]
    return min(later, default=(0, 0.0))[1]


def _taken_at(holder: Document) -> float:
    metadata = _object(holder.get("metadata"))
    created = epoch(metadata.get("creationTimestamp"))
    again = not _object(metadata.get("annotations")).keys().isdisjoint((HISTORY, DELIVERED_BEFORE))
    if not again and "data" not in holder:
        return created
    owned = {"f:revision"} if "data" in holder else {f"f:{REVISION}", f"f:{DELIVERED}"}
    times = [epoch(entry.get("time")) for entry in _entries(metadata.get("managedFields")) if owned & _keys(entry)]
    return max([created, *times])


def _keys(entry: Document) -> set[str]:
    fields = _object(entry.get("fieldsV1"))
    annotations = _object(_object(fields.get("f:metadata")).get("f:annotations"))
    return {*fields, *annotations}


def changed_since(found: Mapping[Reference, Document | None], since: float) -> tuple[ConfigChange, ...]:
    """Return which of these changed for what came after a revision, newest first; one that is None is gone.

    `since` (epoch seconds) is when that revision was left. A release writes its ConfigMaps first and its workload a
    moment later: so a change shortly before counts as well.
    """
    changes = []
    for reference, document in found.items():
        if document is None:
            changes.append(ConfigChange(reference))
            continue
        metadata = _object(document.get("metadata"))
        written = [
            (epoch(entry.get("time")), str(entry.get("manager") or ""))
            for entry in _entries(metadata.get("managedFields"))
        ]
        at, who = max([(epoch(metadata.get("creationTimestamp")), ""), *written])
        if since > 0 and at > since - TOGETHER:
            changes.append(ConfigChange(reference, at, who))
    return tuple(sorted(changes, key=lambda one: (-one.at, one.reference)))


def migrations(
    bad: Document, good: Document, jobs: Sequence[Document] = (), labels: Document | None = None, began: float = 0.0
) -> tuple[Migration, ...]:
    """Return what of the bad revision looks like a schema migration, which going back does not undo.

    `bad` and `good` are pod templates: an init container that both have alike is no difference. `jobs` are the Jobs of
    the namespace, `labels` the workload's, `began` when the bad revision began (epoch seconds).
    """
    alike = [_told(one) for one in _entries(_object(good.get("spec")).get("initContainers"))]
    found = [
        Migration(f"init container {one.get('name', '')}", words)
        for one in _entries(_object(bad.get("spec")).get("initContainers"))
        if (words := _migrates(one)) and _told(one) not in alike
    ]
    for job in jobs:
        metadata = _object(job.get("metadata"))
        of_release = _same_release(_object(metadata.get("labels")), labels or {})
        if not of_release or epoch(metadata.get("creationTimestamp")) < began - SLACK:
            continue
        name = str(metadata.get("name") or "")
        spec = _object(_object(_object(job.get("spec")).get("template")).get("spec"))
        words = next(filter(None, (_migrates(one) for one in _containers(spec))), "")
        if words or _MIGRATION.search(name):
            found.append(Migration(f"job {name}", words or name))
    return tuple(found)


def _migrates(container: Document) -> str:
    """Return the words of a container that speak of a migration, "" where none do."""
    said = [str(container.get("name") or ""), str(container.get("image") or "")]
    said.append(" ".join(str(part) for key in ("command", "args") for part in container.get(key) or ()))
    return next((one[:200] for one in reversed(said) if _MIGRATION.search(one)), "")


def _told(container: Document) -> tuple[object, ...]:
    return tuple(container.get(key) for key in ("name", "image", "command", "args", "env"))


def _same_release(job: Document, workload: Document) -> bool:
    return any(job.get(label) and job.get(label) == workload.get(label) for label in BELONGS)


def blocking_pods(statefulset: Document, pods: Sequence[Document], revision: str = "") -> list[Document]:
    """Return the pods that keep a StatefulSet's roll-out from going on, the first to be deleted first; [] for none.

    With OrderedReady a pod that never became ready is not replaced by another template: it has to be deleted, after
    the template was put back. `revision` is the name of the ControllerRevision that is wanted, "" for the one in
    `status.updateRevision`, once the controller has seen the newest spec.
    """
    spec, status = _object(statefulset.get("spec")), _object(statefulset.get("status"))
    metadata = _object(statefulset.get("metadata"))
    strategy = _object(spec.get("updateStrategy"))
    if strategy.get("type", "RollingUpdate") != "RollingUpdate" or spec.get("podManagementPolicy") == "Parallel":
        return []
    if not revision and int(status.get("observedGeneration") or 0) < int(metadata.get("generation") or 0):
        return []
    wanted = revision or status.get("updateRevision")
    partition = int(_object(strategy.get("rollingUpdate")).get("partition") or 0)
    found = []
    for pod in pods:
        about = _object(pod.get("metadata"))
        ordinal = _ordinal(str(about.get("name") or ""))
        other = _object(about.get("labels")).get("controller-revision-hash") != wanted
        mine = any(one.get("uid") == metadata.get("uid") for one in _entries(about.get("ownerReferences")))
        if mine and other and ordinal >= partition and not about.get("deletionTimestamp") and not _ready(pod):
            found.append((ordinal, pod))
    return [pod for _, pod in sorted(found, key=lambda pair: pair[0])]


def _ready(pod: Document) -> bool:
    conditions = _entries(_object(pod.get("status")).get("conditions"))
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _ordinal(name: str) -> int:
    digits = name.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else -1


def _number(holder: Document) -> int:
    if "data" in holder:
        return int(holder.get("revision") or 0)
    annotations = _object(_object(holder.get("metadata")).get("annotations"))
    text = str(annotations.get(REVISION) or annotations.get(DELIVERED) or "")
    return int(text) if text.isdecimal() else 0


def _containers(spec: Document) -> list[Document]:
    return [*_entries(spec.get("initContainers")), *_entries(spec.get("containers"))]


def _object(value: object) -> Document:
    return value if isinstance(value, Mapping) else {}


def _entries(value: object) -> list[Document]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
