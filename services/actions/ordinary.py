"""What most actions share: they are always offered, and what they plan is sent in its order, once."""

from __future__ import annotations

from services.actions.spec import Hands, Note
from services.kubernetes.writing import WriteProblem
from services.model.action import Plan, Progress, Stage
from services.ports import Snapshot


class Ordinary:
    """The rest of an `Action` for those whose plan holds every request they make."""

    def available(self, _row: object, _snapshot: Snapshot, /) -> str:
        """Always."""
        return ""

    async def execute(self, plan: Plan, hands: Hands, note: Note, /) -> None:
        """Send each request of the plan, the next one only when the one before was taken."""
        for number, write in enumerate(plan.writes):
            await note(Progress(Stage.EXECUTE, write.what))
            try:
                await hands.send(write)
            except WriteProblem as problem:
                problem.partly = number > 0
                raise
