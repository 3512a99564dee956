"""All is well: releases succeed, a pod restarts now and then."""

from __future__ import annotations

from services.rehearsal.scenarios.registry import Scenario

SCENARIO = Scenario("calm", "everything healthy, a quiet life")
