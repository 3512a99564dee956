"""On the rehearsal estate, too, a console that has just come reads back what one that watched has recorded."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Any

import httpx

from services.model.timeline import EventKind
from services.rehearsal import resources
from services.rehearsal.server import Options, Rehearsal
from tests.contract.recorded import Console, console, said_of, unlike

GONE = (
    r"SCALE \S+: scaled to 4",
    r"NODE \S+: (un)?cordoned",
    r"CONFIG \S+: changed: greeting",
    r"UNHEALTHY ",
    r"RECOVERED ",
    r"ROLLOUT \S+: (rev \d+ )?complete",
)
"""What no object keeps: all but the last of its kind, and health; see `tests.contract.test_backfill`."""


async def test_what_is_read_back_is_what_was_recorded(tmp_path: Path) -> None:
    async with Rehearsal(Options(scenario="bad-deploy", size="tiny", seed=5, life=False)) as estate:
        address = estate.address
        async with console(address.kubeconfig, address.prometheus, tmp_path / "watching") as watching:
            await _much_happens(estate, watching)
            async with console(address.kubeconfig, address.prometheus, tmp_path / "late") as late:
                found, recorded = await late.recorded(), await watching.recorded()
    assert [said_of(event) for key, event in found.items() if key not in recorded] == []
    gone = [said_of(event) for key, event in recorded.items() if key not in found]
    assert [said for said in gone if not any(re.match(pattern, said) for pattern in GONE)] == []
    assert [line for key, event in found.items() for line in unlike(recorded[key], event)] == []
    told = {event.kind for event in found.values()}
    assert told >= {EventKind.ROLLOUT, EventKind.SCALE, EventKind.CONFIG, EventKind.NODE, EventKind.ALERT}


async def _much_happens(estate: Rehearsal, watching: Console) -> None:
    """Change a workload, a ConfigMap and a node as their users do."""
    world, address = estate.engine.world, estate.address
    node = next(iter(world.store.collection(resources.NODES).entries))[1]
    space, settings = next(iter(world.store.collection(resources.CONFIG_MAPS).entries))
    scaled, app = [one for one in estate.plan.apps if one.kind == "Deployment"][:2]
    deployments = "/apis/apps/v1/namespaces/{}/deployments/{}"
    container = {"name": app.name, "image": "registry.example/tried:9.9.9"}
    headers = {"Authorization": f"Bearer {address.tokens['admin']}"}
    trusted = ssl.create_default_context(cadata=address.authority.decode())
    async with httpx.AsyncClient(base_url=address.url, headers=headers, verify=trusted, trust_env=False) as client:

        async def patch(path: str, body: dict[str, Any], *told: str) -> None:
            kind = {"Content-Type": "application/strategic-merge-patch+json"}
            answer = await client.patch(path, json=body, headers=kind, params={"fieldManager": "tried"})
            assert answer.status_code == 200, answer.text
            await watching.until_told(*told)

        for replicas in (4, 3):
            scale = deployments.format(scaled.namespace, scaled.name) + "/scale"
            await patch(scale, {"spec": {"replicas": replicas}}, f"SCALE {scaled.name}: scaled to {replicas}")
        changed = {"data": {"greeting": "good day"}}
        await patch(f"/api/v1/namespaces/{space}/configmaps/{settings}", changed, f"CONFIG {settings}: changed")
        for closed, words in ((True, "cordoned"), (None, "uncordoned"), (True, "cordoned")):
            await patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": closed}}, f"NODE {node}: {words}")
        template = {"spec": {"template": {"spec": {"containers": [container]}}}}
        await patch(deployments.format(app.namespace, app.name), template, f"ROLLOUT {app.name}: rev")
