"""What changed, and how strongly each change is suspected of what broke after it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from services.model.ref import Ref


class ChangeKind(StrEnum):
    """What kind of thing was changed."""

    ROLLOUT = "rollout"
    SCALE = "scale"
    CONFIG = "config"
    NODE = "node"
    ACTION = "action"
    SILENCE = "silence"


class Change(Struct, frozen=True, gc=False):
    """One change. `start` to `end` (epoch seconds UTC; `end` 0 while it goes on) is when it took place.

    `text` says it in a few words ("rev 17 <- 16  v2.0.0 -> v2.0.1"), `actor` who did it where known. `healthy` is None
    while unknown. `template_hash` is the pod-template-hash of the pods a rollout made. `ref` may lack its uid.
    `founding` is what came with the cluster itself: a first revision, or a node that joined an empty timeline.
    """

    id: str
    ref: Ref
    kind: ChangeKind
    start: float
    end: float = 0.0
    text: str = ""
    actor: str = ""
    revision: int = 0
    healthy: bool | None = None
    template_hash: str = ""
    founding: bool = False


class ScoreLine(Struct, frozen=True, gc=False):
    """One reason of a score, as the operator reads it: "same workload", 45."""

    reason: str
    points: int


class Suspect(Struct, frozen=True, gc=False):
    """A change that may have caused something, with each line of its score (0 to 100).

    `band` is "likely" (75 and more), "possible" (50 and more) or "nearby" (30 and more). Only a person says "cause".
    """

    change: Change
    score: int
    lines: tuple[ScoreLine, ...]
    band: str
