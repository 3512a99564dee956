"""What Argo Rollouts knows of a delivery that no Deployment does: its phase, its steps, who serves, what was judged."""

from __future__ import annotations

from msgspec import Struct

CANARY = "Canary"
BLUE_GREEN = "BlueGreen"

HEALTHY = "Healthy"
PAUSED = "Paused"
PROGRESSING = "Progressing"
DEGRADED = "Degraded"


class Judgement(Struct, frozen=True, gc=False):
    """An AnalysisRun as the Rollout's status names it: `role` is "step", "background", "pre" or "post" promotion."""

    role: str
    name: str
    phase: str
    message: str = ""


class Delivery(Struct, frozen=True, gc=False):
    """The part of a Rollout (argoproj.io/v1alpha1) that a Deployment has not.

    `phase` and `message` are those of the controller, by the rule that its own clients follow; both raw. `steps` are
    the canary's in the words of `kubectl argo rollouts`; `step` is the index of the present one, len(steps) behind the
    last, None where there are none. `weight` is the share (of `full_weight`) that the present step asks for, `routed`
    what the `router` ("nginx", "istio, alb") was told to give the canary (None without), `verified` whether that was
    found to be so (None where the router cannot be asked), `besides` what experiments get, and `leaving` what a version
    still gets that was gone back on, where the stable one has to grow first. `canary_scale` is the step that says how
    many pods the canary has apart from its share ("" for none). `stable`, `current`, `active`, `preview` are the pod
    template hashes of the ReplicaSets in these parts. `pauses` are the reasons of `pauseConditions`, `paused_at` the
    first one's time, `pause_ends_at` when a timed pause is over. `follows` names the workload whose template it takes
    ("deployment/cart", "" for its own). All times are epoch seconds, 0 for none.
    """

    strategy: str
    phase: str
    message: str = ""
    steps: tuple[str, ...] = ()
    step: int | None = None
    weight: int = 0
    full_weight: int = 100
    routed: int | None = None
    besides: int = 0
    leaving: int = 0
    stable: str = ""
    current: str = ""
    active: str = ""
    preview: str = ""
    aborted: bool = False
    aborted_at: float = 0.0
    full: bool = False
    pauses: tuple[str, ...] = ()
    paused_at: float = 0.0
    pause_ends_at: float = 0.0
    held: bool = False
    judgements: tuple[Judgement, ...] = ()
    restart_at: float = 0.0
    restarted_at: float = 0.0
    follows: str = ""
    router: str = ""
    verified: bool | None = None
    canary_scale: str = ""

    @property
    def promoted(self) -> bool:
        """Whether the present template is the stable one: nothing is on its way."""
        return self.stable == self.current

    @property
    def inconclusive(self) -> bool:
        """Whether the present step waits because its analysis could not tell good from bad."""
        return any(one.role == "step" and one.phase == "Inconclusive" for one in self.judgements)
