"""Resource quotas: what a namespace may request and what its pods have taken."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Quota:
    """One namespace's hard limits and use, in millicores, MiB and pods."""

    name: str
    cpu: int
    memory: int
    pods: int
    cpu_used: int = 0
    memory_used: int = 0
    pods_used: int = 0


class Quotas:
    """The quotas of all namespaces that have one."""

    def __init__(self) -> None:
        self.by_namespace: dict[str, Quota] = {}
        self._charged: dict[str, tuple[str, int, int]] = {}

    def refusal(self, namespace: str, cpu: int, memory: int) -> str:
        """Return why a pod may not be made (quota admission's words), or an empty string."""
        quota = self.by_namespace.get(namespace)
        if quota is None:
            return ""
        over: list[tuple[str, str, str, str]] = []
        if quota.cpu_used + cpu > quota.cpu:
            over.append(("requests.cpu", cores(cpu), cores(quota.cpu_used), cores(quota.cpu)))
        if quota.memory_used + memory > quota.memory:
            over.append(
                ("requests.memory", bytes_text(memory), bytes_text(quota.memory_used), bytes_text(quota.memory))
            )
        if quota.pods_used + 1 > quota.pods:
            over.append(("pods", "1", str(quota.pods_used), str(quota.pods)))
        if not over:
            return ""
        asked, used, limited = (",".join(f"{one[0]}={one[index]}" for one in over) for index in (1, 2, 3))
        return f"exceeded quota: {quota.name}, requested: {asked}, used: {used}, limited: {limited}"

    def charge(self, uid: str, namespace: str, cpu: int, memory: int) -> None:
        """Count a new pod."""
        quota = self.by_namespace.get(namespace)
        if quota is None or uid in self._charged:
            return
        self._charged[uid] = (namespace, cpu, memory)
        quota.cpu_used += cpu
        quota.memory_used += memory
        quota.pods_used += 1

    def credit(self, uid: str) -> str:
        """Stop counting a pod; return its namespace when it was counted."""
        charged = self._charged.pop(uid, None)
        if charged is None:
            return ""
        namespace, cpu, memory = charged
        quota = self.by_namespace[namespace]
        quota.cpu_used -= cpu
        quota.memory_used -= memory
        quota.pods_used -= 1
        return namespace


def cores(millicores: int) -> str:
    """Write millicores as a canonical quantity."""
    return str(millicores // 1000) if millicores % 1000 == 0 else f"{millicores}m"


def bytes_text(mebibytes: int) -> str:
    """Write MiB as a canonical quantity: the largest binary unit that leaves a whole number."""
    unit = 0
    while mebibytes and mebibytes % 1024 == 0 and unit < 2:
        mebibytes, unit = mebibytes // 1024, unit + 1
    return f"{mebibytes}{('Mi', 'Gi', 'Ti')[unit]}"
