"""How the program inside an image behaves: it serves, crashes, completes, or is not there at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Conduct = Literal["serves", "crashes", "missing", "completes", "never-ready"]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One image's conduct; times in seconds."""

    conduct: Conduct = "serves"
    ready_after: float = 8.0
    """From start to ready, for what serves."""
    runs_for: float = 2.0
    """From start to exit, for what crashes or completes."""
    exit_code: int = 0
    reason: str = ""
    """Reason of the exit; empty for Error or Completed by the exit code."""
    last_words: tuple[str, ...] = ()
    """The lines that it writes before it exits; the last one tells why."""
    pull_seconds: float = 2.0
    appetite: float = 1.0
    """Processor use as a multiple of what such a program usually takes; from 2 on its neighbours feel it."""
    hoard: int = 0
    """MiB that it keeps beside what it needs, once it has run for `hoards_for` seconds."""
    hoards_for: float = 1.0

    def hoarded(self, running_for: float) -> float:
        """Return the MiB that it keeps after so many seconds: they grow evenly."""
        return self.hoard * min(1.0, max(0.0, running_for / self.hoards_for))

    @property
    def exit_reason(self) -> str:
        """Return the reason in the terminated state."""
        if self.reason:
            return self.reason
        return "Error" if self.exit_code else "Completed"


class Behaviours:
    """What is known of images: exact references first, then the repository's habit."""

    def __init__(self) -> None:
        self._exact: dict[str, Behaviour] = {}
        self._habits: dict[str, Behaviour] = {}
        self.greedy = False
        """Whether any image has an appetite."""

    def expect(self, image: str, behaviour: Behaviour) -> None:
        """Set the conduct of one image reference."""
        self._exact[image] = behaviour
        self.greedy = self.greedy or behaviour.appetite > 1

    def habit(self, repository: str, behaviour: Behaviour) -> None:
        """Set the conduct of every tag of a repository."""
        self._habits[repository] = behaviour
        self.greedy = self.greedy or behaviour.appetite > 1

    def knows(self, image: str) -> bool:
        """Tell whether the conduct of this very image is set."""
        return image in self._exact

    def habit_of(self, repository: str) -> Behaviour | None:
        """Return what the tags of a repository usually do, or None when the estate has no such repository."""
        return self._habits.get(repository)

    def in_a_known_registry(self, repository: str) -> bool:
        """Tell whether the estate has anything from the same registry."""
        host = repository.split("/", 1)[0]
        return any(one.split("/", 1)[0] == host for one in self._habits)

    def of(self, image: str) -> Behaviour:
        """Return the conduct of an image."""
        found = self._exact.get(image)
        if found is not None:
            return found
        repository = image.rsplit(":", 1)[0] if ":" in image.rsplit("/", 1)[-1] else image
        return self._habits.get(repository, _DEFAULT)


_DEFAULT = Behaviour()
