"""Judges every pod of a node before a drain begins: who goes, who stays, who blocks it, and what its budget says.

Sources: kubectl pkg/drain/filters.go (order and verdicts); kubernetes pkg/registry/core/pod/storage/eviction.go (which
pods a PodDisruptionBudget does not protect).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct

from services.kubernetes.wire import epoch
from services.model.text import SafeText
from services.sanitize import safe_text

MIRROR = "kubernetes.io/config.mirror"
FINISHED = frozenset({"Succeeded", "Failed"})
GRACE = 30.0

Document = Mapping[str, Any]


class Verdict(StrEnum):
    """What a drain does with a pod; those after MIRROR block it as a whole, as in kubectl."""

    EVICT = "evict"
    LEAVING = "skip: it is shutting down"
    DAEMONSET = "skip: its DaemonSet would make it again"
    MIRROR = "skip: a static pod of the node"
    ORPHANED = "its DaemonSet is gone"
    LOCAL = "what it keeps in its emptyDir would be lost"
    UNMANAGED = "nothing manages it: it would not come back"
    MANY_BUDGETS = "more than one disruption budget covers it: the server never evicts such a pod"

    @property
    def blocks(self) -> bool:
        """Whether nothing is evicted as long as one pod is like that."""
        return self in {Verdict.ORPHANED, Verdict.LOCAL, Verdict.UNMANAGED, Verdict.MANY_BUDGETS}


class Allowed(Struct, frozen=True):
    """What the operator allows beyond the ordinary: the data in emptyDirs to be lost, unmanaged pods to go for good.

    `skip_leaving` is for how many seconds a pod may shut down before nobody waits for it any more (0: for ever).
    """

    empty_dirs: bool = False
    unmanaged: bool = False
    skip_leaving: float = 0.0


class Budget(Struct, frozen=True):
    """A PodDisruptionBudget that covers a pod: how many more may go now, how many it needs and has."""

    name: str
    allowed: int
    needed: int
    healthy: int

    @property
    def sentence(self) -> str:
        """The budget in the words of the API server's refusal."""
        return f"The disruption budget {self.name} needs {self.needed} healthy pods and has {self.healthy} currently"


class PodVerdict(Struct, frozen=True):
    """One pod of the node. `warnings` are what its eviction costs; `stuck` why its budget will not let it go now.

    `owner` is "ReplicaSet web-1" or "", `grace` seconds that it may take to stop, `singleton` that it is its owner's
    only one, `running` that it is a Job's and has not ended: its work begins anew. Names are raw.
    """

    namespace: str
    name: str
    uid: str
    verdict: Verdict
    warnings: tuple[str, ...] = ()
    owner: str = ""
    grace: float = GRACE
    empty_dir: bool = False
    singleton: bool = False
    budgets: tuple[Budget, ...] = ()
    stuck: str = ""
    running: bool = False

    @property
    def key(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"


class DrainPlan(Struct, frozen=True):
    """Every pod of a node, judged; sorted by verdict, namespace and name."""

    node: str
    pods: tuple[PodVerdict, ...]

    @property
    def evicted(self) -> tuple[PodVerdict, ...]:
        """Those that go."""
        return tuple(one for one in self.pods if one.verdict is Verdict.EVICT)

    @property
    def blocked(self) -> tuple[PodVerdict, ...]:
        """Those because of which nothing goes."""
        return tuple(one for one in self.pods if one.verdict.blocks)

    @property
    def skipped(self) -> tuple[PodVerdict, ...]:
        """Those that stay."""
        return tuple(one for one in self.pods if one.verdict is not Verdict.EVICT and not one.verdict.blocks)

    @property
    def summary(self) -> str:
        """The head of the plan: "evict 23, skip 6, blocked 1, singletons 2, longest grace 300 s"."""
        singletons = sum(one.singleton for one in self.evicted)
        grace = max((one.grace for one in self.evicted), default=0.0)
        counts = f"evict {len(self.evicted)}, skip {len(self.skipped)}, blocked {len(self.blocked)}"
        return f"{counts}, singletons {singletons}, longest grace {grace:.0f} s"


def plan_drain(
    node: str,
    pods: Sequence[Document],
    *,
    budgets: Sequence[Document] = (),
    owners: Sequence[Document] = (),
    daemonsets: Collection[str] | None = None,
    allowed: Allowed | None = None,
    now: float = 0.0,
) -> DrainPlan:
    """Judge the pods of a node (`spec.nodeName` is it), in kubectl's order; the first that does not let it go counts.

    `budgets` are the PodDisruptionBudgets, `owners` the ReplicaSets and StatefulSets of their namespaces, `daemonsets`
    the keys ("namespace/name") of those that exist (None: all that are named), `now` epoch seconds.
    """
    sizes = {_at(one, "metadata", "uid"): _at(one, "spec", "replicas") for one in owners}
    judged = [
        _judge(pod, budgets=budgets, sizes=sizes, daemonsets=daemonsets, allowed=allowed or Allowed(), now=now)
        for pod in pods
        if _at(pod, "spec", "nodeName") == node
    ]
    order = list(Verdict)
    return DrainPlan(node, tuple(sorted(judged, key=lambda one: (-order.index(one.verdict), one.key))))


def _judge(
    pod: Document,
    *,
    budgets: Sequence[Document],
    sizes: Mapping[Any, Any],
    daemonsets: Collection[str] | None,
    allowed: Allowed,
    now: float,
) -> PodVerdict:
    metadata = pod.get("metadata") or {}
    owner = controller(pod)
    covering = tuple(covers(pod, budgets))
    verdict, warnings = _filtered(pod, daemonsets, allowed, now)
    protected = not (_finished(pod) or _at(pod, "status", "phase") == "Pending" or metadata.get("deletionTimestamp"))
    if verdict is Verdict.EVICT and len(covering) > 1 and protected:
        verdict = Verdict.MANY_BUDGETS
    found = tuple(_budget(one) for one in covering)
    stuck = _stuck(pod, covering[0]) if verdict is Verdict.EVICT and len(covering) == 1 and protected else ""
    grace = _at(pod, "spec", "terminationGracePeriodSeconds")
    return PodVerdict(
        str(metadata.get("namespace") or ""),
        str(metadata.get("name") or ""),
        str(metadata.get("uid") or ""),
        verdict,
        tuple(warnings),
        f"{owner.get('kind')} {owner.get('name')}" if owner else "",
        float(grace if grace is not None else GRACE),
        _has_empty_dir(pod),
        bool(owner) and sizes.get(owner.get("uid")) == 1,
        found,
        stuck,
        owner.get("kind") == "Job" and not _finished(pod),
    )


def _filtered(
    pod: Document, daemonsets: Collection[str] | None, allowed: Allowed, now: float
) -> tuple[Verdict, list[str]]:
    """Run kubectl's filters; unlike there, the warning of one filter is not lost to the next."""
    warnings: list[str] = []
    if _left_long_ago(pod, allowed, now):
        return Verdict.LEAVING, warnings
    owner, finished = controller(pod), _finished(pod)
    if owner.get("kind") == "DaemonSet" and str(owner.get("apiVersion", "")).startswith("apps/") and not finished:
        known = f"{_at(pod, 'metadata', 'namespace')}/{owner.get('name')}"
        if daemonsets is None or known in daemonsets:
            return Verdict.DAEMONSET, warnings
        if not allowed.unmanaged:
            return Verdict.ORPHANED, warnings
        warnings.append(Verdict.ORPHANED.value)
    if MIRROR in (_at(pod, "metadata", "annotations") or {}):
        return Verdict.MIRROR, warnings
    if _has_empty_dir(pod) and not finished:
        if not allowed.empty_dirs:
            return Verdict.LOCAL, warnings
        warnings.append(Verdict.LOCAL.value)
    if not owner and not finished:
        if not allowed.unmanaged:
            return Verdict.UNMANAGED, warnings
        warnings.append(Verdict.UNMANAGED.value)
    return Verdict.EVICT, warnings


def _left_long_ago(pod: Document, allowed: Allowed, now: float) -> bool:
    leaving = _at(pod, "metadata", "deletionTimestamp")
    return bool(leaving) and 0 < allowed.skip_leaving < now - epoch(leaving)


def controller(pod: Document) -> Document:
    """Return the owner reference of what manages a pod, {} for none."""
    for owner in _entries(_at(pod, "metadata", "ownerReferences")):
        if owner.get("controller"):
            return owner
    return {}


def covers(pod: Document, budgets: Sequence[Document]) -> Iterator[Document]:
    """Return the PodDisruptionBudgets (policy/v1) that cover a pod: an empty selector covers all, none covers none."""
    namespace, labels = _at(pod, "metadata", "namespace"), _at(pod, "metadata", "labels") or {}
    for budget in budgets:
        selector = _at(budget, "spec", "selector")
        if selector is not None and _at(budget, "metadata", "namespace") == namespace and selects(selector, labels):
            yield budget


def selects(selector: Document, labels: Mapping[str, str]) -> bool:
    """Tell whether a label selector (matchLabels and matchExpressions) matches labels."""
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(name) == value for name, value in wanted.items()) and all(
        _matches(one, labels) for one in _entries(selector.get("matchExpressions"))
    )


def _matches(expression: Document, labels: Mapping[str, str]) -> bool:
    name, values = str(expression.get("key", "")), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return labels.get(name) in values and name in labels
        case "NotIn":
            return labels.get(name) not in values
        case "Exists":
            return name in labels
        case "DoesNotExist":
            return name not in labels
        case _:
            return False


def _budget(document: Document) -> Budget:
    status = document.get("status") or {}
    return Budget(
        str(_at(document, "metadata", "name") or ""),
        int(status.get("disruptionsAllowed") or 0),
        int(status.get("desiredHealthy") or 0),
        int(status.get("currentHealthy") or 0),
    )


def _stuck(pod: Document, document: Document) -> str:
    """Return why a budget does not let a pod go as things are, "" where it does."""
    budget = _budget(document)
    if budget.allowed > 0:
        return ""
    ready = any(
        one.get("type") == "Ready" and one.get("status") == "True" for one in _entries(_at(pod, "status", "conditions"))
    )
    policy = _at(document, "spec", "unhealthyPodEvictionPolicy") or "IfHealthyBudget"
    if not ready and (policy == "AlwaysAllow" or budget.healthy >= budget.needed > 0):
        return ""
    advice = (
        "; it is not ready itself: unhealthyPodEvictionPolicy AlwaysAllow in the budget would let it go"
        if not ready
        else ""
    )
    return safe_text(f"{budget.sentence}{advice}")


def refusals(pod: Document, budgets: Sequence[Document]) -> tuple[SafeText, ...]:
    """Return why the PodDisruptionBudgets that cover a pod would not let it be evicted now, a sentence each."""
    return tuple(safe_text(said) for one in covers(pod, budgets) if (said := _stuck(pod, one)))


def closed(nodes: Sequence[Document]) -> tuple[int, int]:
    """Return how many nodes take no pods now (cordoned or not ready), and how many there are."""
    count = 0
    for node in nodes:
        ready = any(
            one.get("type") == "Ready" and one.get("status") == "True"
            for one in _entries(_at(node, "status", "conditions"))
        )
        count += bool(_at(node, "spec", "unschedulable")) or not ready
    return count, len(nodes)


def _finished(pod: Document) -> bool:
    return _at(pod, "status", "phase") in FINISHED


def _has_empty_dir(pod: Document) -> bool:
    return any(one.get("emptyDir") is not None for one in _entries(_at(pod, "spec", "volumes")))


def _at(value: object, *path: str) -> Any:  # noqa: ANN401 - JSON
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _entries(value: object) -> list[Document]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
