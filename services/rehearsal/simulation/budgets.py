"""The disruption controller: how many pods each PodDisruptionBudget can spare just now (pkg/controller/disruption)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.clock import parse_stamp, stamp
from services.rehearsal.simulation import pods
from services.rehearsal.simulation.strategy import share

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json
    from services.rehearsal.resources import Resource
    from services.rehearsal.simulation.world import World
    from services.rehearsal.store import Change, Entry, Key

_DELAY = 0.4
_UNDER_WAY = 120.0
_SCALED = {one.kind: one for one in (resources.REPLICA_SETS, resources.DEPLOYMENTS, resources.STATEFUL_SETS)}


class BudgetController:
    """Keeps the status of every budget true."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._selectors: dict[str, dict[str, Json]] = {}
        self._pods: dict[str, dict[Key, None]] = {}
        world.pod_listeners.append(self._pod_changed)

    def begin(self) -> None:
        """Take in the budgets that are there and follow the others."""
        for entry in self._world.store.collection(resources.BUDGETS).ordered():
            self._note(entry)
        for key in self._world.store.collection(resources.PODS).entries:
            self._pods.setdefault(key[0], {})[key] = None
        self._world.store.listeners.append(self._changed)

    def _note(self, entry: Entry) -> None:
        selector = entry.look()["spec"].get("selector")
        self._selectors.setdefault(entry.namespace, {})[entry.name] = {} if selector is None else selector

    def _changed(self, resource: Resource, change: Change) -> None:
        if resource is not resources.BUDGETS:
            return
        entry = change.entry
        if change.type == "DELETED":
            self._selectors.get(entry.namespace, {}).pop(entry.name, None)
        else:
            self._note(entry)

    def _pod_changed(self, change: Change) -> None:
        entry = change.entry
        if change.type == "DELETED":
            self._pods.get(entry.namespace, {}).pop(entry.key, None)
        else:
            self._pods.setdefault(entry.namespace, {})[entry.key] = None
        for name in self._matching(entry):
            self._world.enqueue("PodDisruptionBudget", entry.namespace, name, _DELAY)

    def _matching(self, entry: Entry) -> list[str]:
        selectors = self._selectors.get(entry.namespace, {})
        return [name for name, selector in selectors.items() if selects(selector, entry.labels)]

    def of(self, pod: Json) -> list[Json]:
        """Return copies of the budgets that a pod counts for."""
        namespace, labels = pod["metadata"]["namespace"], pod["metadata"].get("labels", {})
        names = [name for name, one in self._selectors.get(namespace, {}).items() if selects(one, labels)]
        found = (self._world.store.get(resources.BUDGETS, namespace, name) for name in names)
        return [one for one in found if one is not None]

    def sync(self, namespace: str, name: str) -> None:
        """Count the pods of one budget."""
        budget = self._world.store.get(resources.BUDGETS, namespace, name)
        if budget is None:
            return
        selector = self._selectors.get(namespace, {}).get(name, {})
        entries = self._world.store.collection(resources.PODS).entries
        living = (entries[key] for key in self._pods.get(namespace, ()))
        members = [
            entry
            for entry in living
            if entry.fields["status.phase"] not in {"Succeeded", "Failed"} and selects(selector, entry.labels)
        ]
        expected, desired = self._wanted(budget["spec"], members)
        told, now = budget["status"].get("disruptedPods", {}), self._world.now
        going = {name for name, moment in told.items() if _recent(moment, now)}
        healthy = sum(bool(pods.ready_since(one)) and pods.counts(one) and one.name not in going for one in members)
        self._report(budget, expected, desired, healthy, {one.name for one in members if pods.counts(one)})

    def _wanted(self, spec: Json, members: list[Entry]) -> tuple[int, int]:
        """Return how many pods there should be and how many of them must stay healthy."""
        least = spec.get("minAvailable")
        if isinstance(least, int):
            return len(members), least
        expected = self._scale(members)
        if least is not None:
            return expected, share(least, expected, up=True)
        return expected, max(0, expected - share(spec.get("maxUnavailable", 0), expected, up=True))

    def _scale(self, members: list[Entry]) -> int:
        """Return the sum of the replicas of the controllers behind these pods, each counted once."""
        store, seen, total = self._world.store, set[str](), 0
        for member in members:
            owner, place = member.owner, member.namespace
            found = member
            while owner is not None and owner[0] in _SCALED:
                above = store.collection(_SCALED[owner[0]]).entries.get((place, owner[1]))
                if above is None:
                    break
                found, owner = above, above.owner
            if found.uid not in seen:
                seen.add(found.uid)
                total += 1 if found is member else int(found.look()["spec"].get("replicas", 1))
        return total

    def _report(self, budget: Json, expected: int, desired: int, healthy: int, there: set[str]) -> None:
        status, now = budget["status"], self._world.now
        allowed = max(0, healthy - desired)
        told = status.pop("disruptedPods", {})
        going = {name: moment for name, moment in told.items() if name in there and _recent(moment, now)}
        if going:
            status["disruptedPods"] = going
            self._world.enqueue("PodDisruptionBudget", budget["metadata"]["namespace"], budget["metadata"]["name"], 5.0)
        generation = budget["metadata"].get("generation", 1)
        status.update(
            currentHealthy=healthy,
            desiredHealthy=desired,
            expectedPods=expected,
            disruptionsAllowed=allowed,
            observedGeneration=generation,
        )
        word, reason = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
        before = next((one for one in status.get("conditions", ()) if one["type"] == "DisruptionAllowed"), None)
        since = before["lastTransitionTime"] if before and before["status"] == word else stamp(now)
        status["conditions"] = [
            {
                "type": "DisruptionAllowed",
                "status": word,
                "observedGeneration": generation,
                "lastTransitionTime": since,
                "reason": reason,
                "message": "",
            }
        ]
        self._world.store.update(resources.BUDGETS, budget)


def _recent(moment: str, now: float) -> bool:
    """Tell whether an eviction may still be under way; what was allowed longer ago did not happen."""
    return now - parse_stamp(moment) < _UNDER_WAY


def selects(selector: Json, labels: dict[str, str]) -> bool:
    """Tell whether a LabelSelector matches; an empty one matches everything."""
    if not (selector.get("matchLabels") or {}).items() <= labels.items():
        return False
    return all(_meets(one, labels) for one in selector.get("matchExpressions") or ())


def _meets(expression: Json, labels: dict[str, str]) -> bool:
    value, operator = labels.get(expression["key"]), expression["operator"]
    if operator == "Exists":
        return value is not None
    if operator == "DoesNotExist":
        return value is None
    inside = value in (expression.get("values") or ())
    return inside if operator == "In" else not inside
