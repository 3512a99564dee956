from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.model.message import OutboxState
from services.notifications.model import Settled, Verdict
from services.notifications.outbox_policy import DENIED_SECONDS, Limits, may_send, next_step, wait_after
from tests.unit.notifications.telling import NOW, claimed

LIMITS = Limits()
JITTERS = st.floats(0.0, 1.0, exclude_max=True)
SETTLED = st.builds(
    Settled, st.sampled_from(Verdict), st.sampled_from(["", "failed with 500"]), st.floats(0.0, 100_000.0)
)
CLAIMS = st.builds(claimed, st.integers(1, 40), st.integers(0, 5), st.floats(-100.0, 100_000.0))


@pytest.mark.parametrize(
    ("attempts", "doubts", "settled", "repeatable", "state", "next_in", "words"),
    [
        (1, 0, Settled(Verdict.ACCEPTED), False, OutboxState.ACCEPTED, 0, ""),
        (1, 0, Settled(Verdict.REJECTED, "no_service"), False, OutboxState.DEAD, 0, "no_service"),
        (1, 0, Settled(Verdict.RETRY, "failed with 500"), False, OutboxState.QUEUED, 1.0, "500"),
        (3, 0, Settled(Verdict.RETRY, "failed with 500"), False, OutboxState.QUEUED, 4.0, "500"),
        (11, 0, Settled(Verdict.RETRY, "failed with 500"), False, OutboxState.QUEUED, 150.0, "500"),
        (12, 0, Settled(Verdict.RETRY, "failed with 500"), False, OutboxState.DEAD, 0, "given up after 12 attempts"),
        (12, 1, Settled(Verdict.RETRY, "failed with 500"), True, OutboxState.UNKNOWN, 0, "given up after 12 attempts"),
        (1, 0, Settled(Verdict.RETRY, "429", 30.0), False, OutboxState.QUEUED, 30.0, "429"),
        (1, 0, Settled(Verdict.RETRY, "429", 86400.0), False, OutboxState.QUEUED, 3600.0, "429"),
        (1, 0, Settled(Verdict.DENIED, "401"), False, OutboxState.QUEUED, DENIED_SECONDS, "401"),
        (1, 0, Settled(Verdict.UNKNOWN, "hung"), False, OutboxState.UNKNOWN, 1.0, "hung"),
        (2, 1, Settled(Verdict.UNKNOWN, "hung"), False, OutboxState.UNKNOWN, 0, "it may have arrived"),
        (2, 1, Settled(Verdict.UNKNOWN, "hung"), True, OutboxState.UNKNOWN, 2.0, "hung"),
    ],
)
def test_what_becomes_of_a_message(
    attempts: int, doubts: int, settled: Settled, repeatable: bool, state: OutboxState, next_in: float, words: str
) -> None:
    step = next_step(claimed(attempts, doubts), settled, NOW, 0.5, LIMITS, repeatable=repeatable)
    assert step.state is state
    assert step.next_at == (NOW + next_in if next_in else 0.0)
    assert words in step.reason


@given(CLAIMS, SETTLED, JITTERS, st.booleans())
def test_nothing_is_tried_for_ever_or_sooner_than_the_server_wants(
    claim: object, settled: Settled, jitter: float, repeatable: bool
) -> None:
    step = next_step(claim, settled, NOW, jitter, LIMITS, repeatable=repeatable)  # type: ignore[arg-type]
    assert (step.state in (OutboxState.ACCEPTED, OutboxState.DEAD)) <= (step.next_at == 0)
    assert (step.state is OutboxState.ACCEPTED) == (settled.verdict is Verdict.ACCEPTED)
    if step.next_at:
        assert claim.attempts < LIMITS.attempts  # type: ignore[attr-defined]
        assert NOW <= step.next_at < claim.expires_at  # type: ignore[attr-defined]
        assert step.next_at - NOW <= LIMITS.longest_told
        assert step.next_at - NOW >= min(settled.retry_after, LIMITS.longest_told) - 1e-3
    if not repeatable and step.next_at:
        assert step.doubts <= 1, "what may be there twice is sent again once at most"
    if step.doubts and step.state is OutboxState.DEAD:
        assert settled.verdict is Verdict.REJECTED, "what may have arrived is never called dead for its age"


@given(st.integers(1, 1000), JITTERS)
def test_the_wait_is_jittered_over_all_of_its_window(attempts: int, jitter: float) -> None:
    window = min(LIMITS.longest, LIMITS.first * 2.0 ** min(attempts - 1, 30))
    assert wait_after(attempts, Settled(Verdict.RETRY), jitter, LIMITS) == pytest.approx(jitter * window)


@pytest.mark.parametrize(
    ("attempts", "doubts", "expires_in", "repeatable", "state"),
    [
        (1, 0, 60.0, False, None),
        (2, 1, 60.0, False, None),
        (3, 2, 60.0, True, None),
        (3, 2, 60.0, False, OutboxState.UNKNOWN),
        (13, 0, 60.0, True, OutboxState.DEAD),
        (13, 4, 60.0, True, OutboxState.UNKNOWN),
        (1, 0, 0.0, True, OutboxState.DEAD),
    ],
)
def test_whether_a_claimed_message_may_go_out(
    attempts: int, doubts: int, expires_in: float, repeatable: bool, state: OutboxState | None
) -> None:
    step = may_send(claimed(attempts, doubts, expires_in), NOW, LIMITS, repeatable=repeatable)
    assert (step.state if step is not None else None) is state
