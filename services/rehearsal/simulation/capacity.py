"""What the nodes have and what pods have taken of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.rehearsal.simulation.sameness import quantity

if TYPE_CHECKING:
    from services.rehearsal.jsonic import Json

_UNITS = {"Ki": 1 / 1024, "Mi": 1.0, "Gi": 1024.0, "Ti": 1024.0**2}


def millicores(text: str) -> int:
    """Read a cpu quantity: `250m` or `2`."""
    return int(text[:-1]) if text.endswith("m") and text[:-1].isdecimal() else int(quantity(text) * 1000)


def mebibytes(text: str) -> int:
    """Read a memory quantity: `512Mi`, `1G`, or plain bytes."""
    if text[-2:] in _UNITS:
        return int(float(text[:-2]) * _UNITS[text[-2:]])
    return int(quantity(text) / 1024**2)


def requests(spec: Json) -> tuple[int, int]:
    """Return the millicores and MiB that a pod spec asks for."""
    cpu = memory = 0
    for container in spec["containers"]:
        asked = container.get("resources", {}).get("requests", {})
        cpu += millicores(asked.get("cpu", "0m"))
        memory += mebibytes(asked.get("memory", "0Mi"))
    return cpu, memory


@dataclass(slots=True)
class Room:
    """One node: what it offers, what is taken, and whether pods may come."""

    cpu: int
    memory: int
    pods: int
    address: str
    cpu_taken: int = 0
    memory_taken: int = 0
    pods_taken: int = 0
    open: bool = True
    taint: str = ""
    """The taint that keeps pods away, where it is one; else a closed room is a cordoned node."""

    @property
    def load(self) -> float:
        """Return the larger share taken of cpu and memory."""
        return max(self.cpu_taken / self.cpu, self.memory_taken / self.memory)

    def lacks(self, cpu: int, memory: int) -> list[str]:
        """Return why a pod does not fit, in the scheduler's words."""
        reasons = []
        if self.pods_taken >= self.pods:
            reasons.append("Too many pods")
        if self.cpu_taken + cpu > self.cpu:
            reasons.append("Insufficient cpu")
        if self.memory_taken + memory > self.memory:
            reasons.append("Insufficient memory")
        return reasons


class Capacity:
    """All nodes' rooms and which pod sits where."""

    def __init__(self) -> None:
        self.rooms: dict[str, Room] = {}
        self._seats: dict[str, tuple[str, int, int]] = {}
        self._per_owner: dict[tuple[str, str], int] = {}
        self._owners: dict[str, str] = {}

    def take(self, uid: str, owner: str, node: str, cpu: int, memory: int) -> None:
        """Seat a pod on a node; a pod that is seated already stays."""
        if uid in self._seats or node not in self.rooms:
            return
        self._seats[uid] = (node, cpu, memory)
        self._owners[uid] = owner
        self._per_owner[owner, node] = self._per_owner.get((owner, node), 0) + 1
        room = self.rooms[node]
        room.cpu_taken += cpu
        room.memory_taken += memory
        room.pods_taken += 1

    def release(self, uid: str) -> bool:
        """Free a pod's seat; return whether it had one."""
        seat = self._seats.pop(uid, None)
        if seat is None:
            return False
        node, cpu, memory = seat
        self._per_owner[self._owners.pop(uid), node] -= 1
        room = self.rooms[node]
        room.cpu_taken -= cpu
        room.memory_taken -= memory
        room.pods_taken -= 1
        return True

    def choose(self, owner: str, cpu: int, memory: int) -> str | None:
        """Return the node for a pod: spread by owner, then the least loaded; None when it fits nowhere."""
        best: tuple[int, float, str] | None = None
        for name, room in self.rooms.items():
            if not room.open or room.lacks(cpu, memory):
                continue
            rank = (self._per_owner.get((owner, name), 0), room.load, name)
            if best is None or rank < best:
                best = rank
        return best[2] if best else None

    def why_not(self, cpu: int, memory: int) -> str:
        """Return the scheduler's sentence for a pod that fits nowhere."""
        counts: dict[str, int] = {}
        preemptible = 0
        for room in self.rooms.values():
            if not room.open:
                why = (
                    f"node(s) had untolerated taint {{{room.taint}: }}" if room.taint else "node(s) were unschedulable"
                )
                counts[why] = counts.get(why, 0) + 1
                continue
            preemptible += 1
            for reason in room.lacks(cpu, memory):
                counts[reason] = counts.get(reason, 0) + 1
        total = len(self.rooms)
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
        shut = total - preemptible
        helpless = ([f"{shut} Preemption is not helpful for scheduling"] if shut else []) + (
            [f"{preemptible} No preemption victims found for incoming pod"] if preemptible else []
        )
        none = f"0/{total} nodes are available"
        return f"{none}: {reasons}. preemption: {none}: {', '.join(helpless)}."
