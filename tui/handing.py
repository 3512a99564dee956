"""Makes the hands of one console: for the cluster that is watched, or for Alertmanagers alone where there is none."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from services.clock import Clock
from services.config_secret import know_secrets_of
from services.kubernetes.kubeconfig import NO_CLUSTER
from services.kubernetes.lease import Leases
from tui.acting import Acting
from tui.locking import ClusterLocks, MachineLocks

if TYPE_CHECKING:
    from cache.ledger.ledger import Beside
    from cache.live import LiveState
    from cache.state.past import Past
    from services.actions.spec import Hands
    from services.alerts.alertmanagers import Alertmanagers
    from services.config_schema import Config
    from services.engine import Engine
    from services.kubernetes.hands import KubernetesHands
    from services.model.action import Ended
    from services.model.actor import Actor
    from services.model.ref import Ref
    from services.model.workload import Healthy
    from tui.commands.setup import Setup
    from tui.outgoing import Outgoing
    from tui.trail import Begun, LedgerTrail


def rule(acting: Acting, config: Config) -> None:
    """Let a console act on its cluster by what the configuration says of that now; any thread."""
    context = acting.hands.context
    acting.policy = config.policy_of(context)
    acting.production = config.context(context).counts_as_production


def make_acting(
    engine: Engine,
    live: LiveState,
    clock: Clock,
    setup: Setup,
    *,
    trail: LedgerTrail,
    past: Past | None,
    outgoing: Callable[[], Outgoing | None] = lambda: None,
    alertmanagers: Callable[[str], Alertmanagers | None] = lambda _: None,
) -> Acting | None:
    """Return the hands for the cluster that an engine watches now, None until it is connected.

    Where there is no cluster at all they reach Alertmanagers only. `trail` is that of the process, whatever cluster it
    acts on; `past` what was recorded of that cluster, None where history is off; `outgoing` where people are told;
    `alertmanagers` gives what silences are set at, for the identity of a cluster.
    """
    from services.alerts.hands import AlertingHands

    actor, config, context, folder = trail.actor, setup.loaded.config, setup.identity.context, setup.folder
    know_secrets_of(config)
    cluster = _cluster_hands(engine, live, clock, setup, actor=actor, past=past)
    hands: Hands | None = cluster
    if hands is None:
        if setup.identity != NO_CLUSTER:
            return None
        from services.alerts.alone import NoCluster

        hands = NoCluster(clock, live.snapshot, context, f"{actor.user}@{actor.host}")

    def told(begun: Begun, ended: Ended) -> Beside | None:
        box = outgoing()
        return box.beside_outcome(begun, ended, context) if box is not None else None

    acting = Acting(
        AlertingHands(hands, lambda: alertmanagers(engine.cluster)),
        trail.telling(told),
        ClusterLocks(Leases(hands, actor.console, trail.died), MachineLocks(folder), hands),
        config.policy_of(context),
        watched=live.snapshot,
        cluster=lambda: engine.cluster,
        tell=live.sink().happened,
        outgoing=outgoing,
    )
    rule(acting, config)
    if cluster is not None:
        acting.warnings, acting.introduce = cluster.warnings, cluster.introduce
    if setup.identity.paths:
        acting.kubectl_environment = {"KUBECONFIG": os.pathsep.join(setup.identity.paths)}
    return acting


def _cluster_hands(
    engine: Engine, live: LiveState, clock: Clock, setup: Setup, *, actor: Actor, past: Past | None
) -> KubernetesHands | None:
    """Return the hands of the cluster itself, None while none is connected."""
    from cache.state.past import observed_healthy
    from services.kubernetes.hands import KubernetesHands
    from services.kubernetes.session import KubernetesSession

    session, transport = engine.session, engine.transport
    if not isinstance(session, KubernetesSession) or transport is None:
        return None

    def observed(ref: Ref) -> Mapping[int, Healthy]:
        return observed_healthy(past, ref, clock.now()) if past is not None else {}

    return KubernetesHands(
        session,
        transport,
        clock,
        live.snapshot,
        context=setup.identity.context,
        user=actor.user,
        host=actor.host,
        observed=observed,
    )
