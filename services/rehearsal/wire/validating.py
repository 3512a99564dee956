"""What the server refuses in an object that is well-formed: the rules that operators and their tools run into."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from services.rehearsal import resources
from services.rehearsal.jsonic import Json, encode
from services.rehearsal.wire import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from services.rehearsal.resources import Resource

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_NAME_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_POD_FIELDS = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_KEEP_TEMPLATED = "field is immutable"
_STATEFUL = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
_STATEFUL_MAY = {
    *("replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "minReadySeconds"),
    "persistentVolumeClaimRetentionPolicy",
}
_STRATEGIES = {"strategy": ("Recreate", "RollingUpdate"), "updateStrategy": ("OnDelete", "RollingUpdate")}
_PERCENT = re.compile(r"[0-9]+%\Z")
_PERCENT_RULE = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
    "validation is '[0-9]+%')"
)
Fault = tuple[str, str, str]
"""Field, kind of fault (`Required`, `Invalid`, `Forbidden`, `Unsupported`) and the words after it."""
_REASONS = {
    "Required": "FieldValueRequired",
    "Invalid": "FieldValueInvalid",
    "Forbidden": "FieldValueForbidden",
    "Unsupported": "FieldValueNotSupported",
}


def validate(resource: Resource, obj: Json, before: Json | None) -> None:
    """Raise ApiError 422 with every fault of an object; `before` is what it replaces."""
    faults = list(_named(obj)) if before is None else []
    check = _CHECKS.get(resource.key)
    if check is not None:
        faults += check(obj, before)
    if faults:
        raise refusal(resource, str(obj["metadata"].get("name", "")), faults)


def refusal(resource: Resource, name: str, faults: list[Fault]) -> errors.ApiError:
    """Return 422 with the faults in the server's words."""
    lines = list(dict.fromkeys(f"{field}: {_said(kind, words)}" for field, kind, words in faults))
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    text = lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"
    details: Json = {"name": name, "kind": resource.kind} if name else {"kind": resource.kind}
    if resource.group:
        details["group"] = resource.group
    details["causes"] = [
        {"reason": _REASONS[kind], "message": _said(kind, words), "field": field} for field, kind, words in faults
    ]
    return errors.ApiError(422, "Invalid", f'{kind} "{name}" is invalid: {text}', details)


def _said(kind: str, words: str) -> str:
    if kind == "Required":
        return f"Required value: {words}" if words else "Required value"
    return {"Invalid": "Invalid value: ", "Forbidden": "Forbidden: ", "Unsupported": "Unsupported value: "}[
        kind
    ] + words


def _json(value: Any) -> str:  # noqa: ANN401 (any JSON value)
    return encode(value).decode()


def _named(obj: Json) -> Iterator[Fault]:
    name = obj["metadata"].get("name", "")
    if not name:
        yield "metadata.name", "Required", "name or generateName is required"
    elif not _NAME.match(name):
        yield "metadata.name", "Invalid", f"{_json(name)}: {_NAME_RULE}"


def _replicas(spec: Json) -> Iterator[Fault]:
    if spec.get("replicas", 0) < 0:
        yield "spec.replicas", "Invalid", f"{spec['replicas']}: must be greater than or equal to 0"


def _selected(spec: Json) -> Iterator[Fault]:
    labels = spec["template"]["metadata"].get("labels")
    if "selector" not in spec:
        yield "spec.selector", "Required", ""
    wanted = spec.get("selector", {}).get("matchLabels") or {}
    if "selector" not in spec or not wanted.items() <= (labels or {}).items():
        yield (
            "spec.template.metadata.labels",
            "Invalid",
            f"{_json(labels)}: `selector` does not match template `labels`",
        )


def _containers(spec: Json, path: str, restarts: tuple[str, ...] = ()) -> Iterator[Fault]:
    if not spec.get("containers"):
        yield f"{path}.containers", "Required", ""
    seen: set[str] = set()
    for index, one in enumerate(spec.get("containers", ())):
        here = f"{path}.containers[{index}]"
        if not one.get("name"):
            yield f"{here}.name", "Required", ""
        if one.get("name") in seen:
            yield f"{here}.name", "Invalid", f"{_json(one['name'])}: duplicate"
        seen.add(one.get("name", ""))
        if not one.get("image"):
            yield f"{here}.image", "Required", ""
    known = ", ".join(f'"{one}"' for one in restarts)
    if len(restarts) > 1 and spec["restartPolicy"] == "Always":
        yield f"{path}.restartPolicy", "Required", f"valid values: {known}"
    elif restarts and spec["restartPolicy"] not in restarts:
        yield f"{path}.restartPolicy", "Unsupported", f'"{spec["restartPolicy"]}": supported values: {known}'


def _rolling(spec: Json) -> Iterator[Fault]:
    """Check how a workload is updated: its strategy and the shares in it."""
    name = "strategy" if "strategy" in spec else "updateStrategy"
    strategy = spec.get(name) or {}
    known = _STRATEGIES[name]
    if strategy and strategy.get("type") not in known:
        words = ", ".join(f'"{one}"' for one in known)
        shown = _json({"Type": strategy.get("type"), "RollingUpdate": None})
        yield f"spec.{name}", "Unsupported", f"{shown}: supported values: {words}"
    for key in ("maxSurge", "maxUnavailable"):
        value = (strategy.get("rollingUpdate") or {}).get(key, 0)
        if isinstance(value, str) and not _PERCENT.match(value):
            yield f"spec.{name}.rollingUpdate.{key}", "Invalid", f"{_json(value)}: {_PERCENT_RULE}"


def _served(obj: Json, before: Json | None) -> Iterator[Fault]:
    spec = obj["spec"]
    yield from _replicas(spec)
    yield from _rolling(spec)
    yield from _selected(spec)
    yield from _containers(spec["template"]["spec"], "spec.template.spec", ("Always",))
    if before is not None and before["spec"]["selector"] != spec.get("selector"):
        yield "spec.selector", "Invalid", f"{_json(spec.get('selector'))}: field is immutable"


def _stateful(obj: Json, before: Json | None) -> Iterator[Fault]:
    yield from _served(obj, None)
    if before is not None:
        fixed = [{k: v for k, v in one["spec"].items() if k not in _STATEFUL_MAY} for one in (obj, before)]
        if fixed[0] != fixed[1]:
            yield "spec", "Forbidden", _STATEFUL


def _job(obj: Json, before: Json | None) -> Iterator[Fault]:
    spec = obj["spec"]
    yield from _containers(spec["template"]["spec"], "spec.template.spec", ("OnFailure", "Never"))
    if before is None:
        return
    suspended = bool(before["spec"].get("suspend"))
    for name in ("completions", "selector", "template"):
        if spec.get(name) != before["spec"].get(name) and not (name == "template" and suspended):
            yield f"spec.{name}", "Invalid", f"{_json(spec.get(name))}: {_KEEP_TEMPLATED}"


def _cron_job(obj: Json, _: Json | None) -> Iterator[Fault]:
    schedule = str(obj["spec"].get("schedule", ""))
    fields = schedule.split()
    if not fields:
        yield "spec.schedule", "Required", ""
    elif len(fields) != 5 and not schedule.startswith("@"):
        words = f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
        yield "spec.schedule", "Invalid", f"{_json(schedule)}: {words}"
    inner = obj["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    yield from _containers(inner, "spec.jobTemplate.spec.template.spec", ("OnFailure", "Never"))


def _pod(obj: Json, before: Json | None) -> Iterator[Fault]:
    if before is None:
        yield from _containers(obj["spec"], "spec")
    elif _fixed(obj["spec"]) != _fixed(before["spec"]):
        yield "spec", "Forbidden", _POD_FIELDS


def _fixed(spec: Json) -> Json:
    """Return what of a pod's spec may not change."""
    kept = {k: v for k, v in spec.items() if k not in {"activeDeadlineSeconds", "tolerations"}}
    for kind in ("containers", "initContainers"):
        if kind in kept:
            kept[kind] = [{k: v for k, v in one.items() if k != "image"} for one in kept[kind]]
    return kept


def _lease(obj: Json, _: Json | None) -> Iterator[Fault]:
    seconds = obj.get("spec", {}).get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        yield "spec.leaseDurationSeconds", "Invalid", f"{seconds}: must be greater than 0"


def _event(obj: Json, before: Json | None) -> Iterator[Fault]:
    if before is None:
        namespace = obj.get("involvedObject", {}).get("namespace", "")
        if namespace != obj["metadata"].get("namespace") and (namespace or obj["metadata"]["namespace"] != "default"):
            yield "involvedObject.namespace", "Invalid", f"{_json(namespace)}: does not match event.namespace"


_CHECKS: dict[str, Callable[[Json, Json | None], Iterator[Fault]]] = {
    resources.DEPLOYMENTS.key: _served,
    resources.REPLICA_SETS.key: _served,
    resources.DAEMON_SETS.key: _served,
    resources.STATEFUL_SETS.key: _stateful,
    resources.JOBS.key: _job,
    resources.CRON_JOBS.key: _cron_job,
    resources.PODS.key: _pod,
    resources.LEASES.key: _lease,
    resources.EVENTS.key: _event,
}
