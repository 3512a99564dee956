"""First all is well, then the API server hangs, refuses and comes back, again and again."""

from __future__ import annotations

from services.rehearsal.scenarios.registry import Outage, Scenario

SCENARIO = Scenario("everything-down", "the API server hangs, then refuses, then comes back", outage=Outage())
