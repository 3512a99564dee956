"""Every action there is, a line each: keys, menu, footer, help, palette, README and `act` are made from it.

The modules are loaded when an action is wanted first: a console that only looks pays nothing for its hands.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from msgspec import Struct

from services.model.action import Parameter, Right, Target
from services.model.ref import (
    ALERTS,
    ARGO_ROLLOUTS,
    CRONJOBS,
    DAEMONSETS,
    DEPLOYMENTS,
    JOBS,
    NODES,
    PODS,
    SILENCES,
    STATEFULSETS,
    Resource,
)

if TYPE_CHECKING:
    from services.actions.spec import Action

WORKLOADS = (DEPLOYMENTS, STATEFULSETS, DAEMONSETS, ARGO_ROLLOUTS)
SCALED = (DEPLOYMENTS, STATEFULSETS, ARGO_ROLLOUTS)
HELD = (DEPLOYMENTS, ARGO_ROLLOUTS)


class Listed(Struct, frozen=True):
    """One action as it is offered: `place` is its class ("rollback:Rollback"), `key` its straight key ("" for none).

    `footer` orders it among the keys that the footer shows (0: not shown); `kinds` are those it is offered for. Its
    request is a `verb` on the object, its `subresource`, or another kind (`on`). `screened` is what needs the console's
    screen, and cannot be done by command.
    """

    id: str
    place: str
    label: str
    text: str
    kinds: tuple[Resource, ...]
    key: str = ""
    footer: int = 0
    parameters: tuple[Parameter, ...] = ()
    verb: str = "patch"
    subresource: str = ""
    on: Resource | None = None
    screened: bool = False

    @property
    def fits(self) -> frozenset[tuple[str, str]]:
        """The group and kind of everything that it is offered for."""
        return frozenset((one.group, one.kind) for one in self.kinds)

    @property
    def title(self) -> str:
        """The label as a dialog's title begins with it: names in it keep their capitals."""
        return self.label[:1].upper() + self.label[1:]

    def right(self, target: Target) -> Right:
        """Return the right that its request needs: what greys it before anything is planned."""
        return Right(self.verb, self.on or target.resource, target.ref.namespace, self.subresource)


_LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
_REPLICAS = Parameter("replicas", "replicas", required=True)
_IMAGE = (Parameter("image", "image", required=True), Parameter("container", "container"))

_TO = Parameter("to", "revision")
_DRAIN = (
    Parameter("empty_dirs", "lose emptyDir", "bool", "false"),
    Parameter("unmanaged", "unmanaged go", "bool", "false"),
)
_COMMENT, _FOR = Parameter("comment", "comment", required=True), Parameter("for", "for", "text", "1h")
_SILENCE = (Parameter("matchers", "what"), _FOR, _COMMENT)
_ACK = (Parameter("for", "for", "text", "15m"), Parameter("comment", "comment"))
_LONGER = Parameter("for", "longer by", "text", "1h", required=True)
_ALERTING = (ALERTS, SILENCES)

LISTED = (
    Listed("rollback", "rollback:Rollback", "roll back", "to the last good revision", WORKLOADS, "R", 4, (_TO,)),
    Listed("restart", "restart:Restart", "restart", "its pods, a few at a time", WORKLOADS, "B"),
    Listed(
        "scale",
        "scale:Scale",
        "scale",
        "set how many pods it has",
        SCALED,
        parameters=(_REPLICAS,),
        subresource="scale",
    ),
    Listed("pause", "pause:Pause", "pause", "hold its roll-out", HELD),
    Listed("resume", "pause:Resume", "resume", "let its roll-out go on", HELD),
    Listed("promote", "promote:Promote", "promote", "to the next step", (ARGO_ROLLOUTS,), subresource="status"),
    Listed(
        "promote-full",
        "promote:PromoteFull",
        "promote in full",
        "to the end, without steps or analysis",
        (ARGO_ROLLOUTS,),
        subresource="status",
    ),
    Listed("abort", "abort:Abort", "abort", "back to the stable version", (ARGO_ROLLOUTS,), subresource="status"),
    Listed("retry", "abort:Retry", "retry", "what was aborted, again", (ARGO_ROLLOUTS,), subresource="status"),
    Listed("set-image", "image:SetImage", "set image", "another image", WORKLOADS, parameters=_IMAGE),
    Listed(
        "evict-pod",
        "pods:EvictPod",
        "evict",
        "let the pod go, if its budget allows",
        (PODS,),
        verb="create",
        subresource="eviction",
    ),
    Listed("delete-pod", "pods:DeletePod", "delete", "the pod, whatever budgets say", (PODS,), verb="delete"),
    Listed("cordon", "nodes:Cordon", "cordon", "keep new pods away from the node", (NODES,)),
    Listed("uncordon", "nodes:Uncordon", "uncordon", "let pods come to the node again", (NODES,)),
    Listed("drain", "drain:Drain", "drain", "move every pod elsewhere", (NODES,), parameters=_DRAIN),
    Listed(
        "shell",
        "shell:Shell",
        "shell",
        "in one of its containers",
        (PODS, *WORKLOADS),
        "s",
        verb="create",
        subresource="exec",
        on=PODS,
        screened=True,
    ),
    Listed(
        "suspend-gitops",
        "keepers:SuspendGitOps",
        "hold GitOps off",
        "so that it undoes nothing done by hand",
        WORKLOADS,
    ),
    Listed("resume-gitops", "keepers:ResumeGitOps", "let GitOps work", "where it was held off", ()),
    Listed("suspend-cronjob", "jobs:SuspendCronJob", "suspend", "begin no new run", (CRONJOBS,)),
    Listed("resume-cronjob", "jobs:ResumeCronJob", "resume", "run by the schedule again", (CRONJOBS,)),
    Listed(
        "trigger-cronjob", "jobs:TriggerCronJob", "trigger", "run it once, now", (CRONJOBS,), verb="create", on=JOBS
    ),
    Listed("retry-job", "jobs:RetryJob", "retry", "run the failed job again", (JOBS,), verb="create"),
    Listed(
        "break-lock",
        "locks:BreakLock",
        "break the lock",
        "of another operator; their name has to be typed",
        (*WORKLOADS, PODS, NODES, JOBS, CRONJOBS),
        on=_LEASES,
    ),
    Listed(
        "ack",
        "silences:Acknowledge",
        "acknowledge",
        "a short silence: you are at it",
        (ALERTS,),
        "a",
        4,
        _ACK,
        "create",
        on=SILENCES,
    ),
    Listed(
        "silence",
        "silences:SetSilence",
        "silence",
        "tell nobody for a while",
        _ALERTING,
        "M",
        5,
        _SILENCE,
        "create",
        on=SILENCES,
    ),
    Listed(
        "extend",
        "silences:Extend",
        "extend",
        "let its silence last longer",
        _ALERTING,
        "",
        0,
        (_LONGER,),
        "create",
        on=SILENCES,
    ),
    Listed(
        "expire", "silences:Expire", "end the silence", "now, and tell again", _ALERTING, verb="delete", on=SILENCES
    ),
)

BY_ID: Mapping[str, Listed] = {one.id: one for one in LISTED}


def listed_for(group: str, kind: str) -> tuple[Listed, ...]:
    """Return the actions that an object of a kind is offered, in the order of the menu."""
    return tuple(one for one in LISTED if any((group, kind) == (each.group, each.kind) for each in one.kinds))


@cache
def action(name: str) -> Action:
    """Return an action by its id. Raises KeyError."""
    module, _, made = BY_ID[name].place.partition(":")
    found: Action = getattr(import_module(f"services.actions.{module}"), made)()
    return found
