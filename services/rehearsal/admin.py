"""The levers over HTTP, on a port of their own behind a secret path: for tests, never for the program."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec

from services.rehearsal import resources
from services.rehearsal.churn import Churn
from services.rehearsal.jsonic import Json, decode, encode
from services.rehearsal.monitoring.rulebook import Rule
from services.rehearsal.simulation import operations
from services.rehearsal.wire.http1 import HttpServer, Reply, Request, Stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.rehearsal.resources import Resource
    from services.rehearsal.server import Rehearsal


class Admin:
    """Answers `POST /SECRET/LEVER` with a JSON body; `GET /SECRET` lists the levers."""

    def __init__(self, estate: Rehearsal) -> None:
        self._estate = estate
        self.secret = secrets.token_urlsafe(12)
        self._server = HttpServer(self._handle, _open_gate)
        self._churn = Churn(estate.engine.world, estate.clock)
        self._levers: dict[str, Callable[[Json], Awaitable[Json | None]]] = {
            "hang": self._hang,
            "resume": self._resume,
            "refuse": self._refuse,
            "accept": self._accept,
            "revoke": self._revoke,
            "restore": self._restore,
            "forbid": self._forbid,
            "compact": self._compact,
            "slow": self._slow,
            "inject": self._inject,
            "close-watches": self._close_watches,
            "gone-as-status": self._gone_as_status,
            "refuse-initial-events": self._refuse_initial_events,
            "merge": self._merge,
            "set-image": self._set_image,
            "scale": self._scale,
            "pause": self._pause,
            "delete-pod": self._delete_pod,
            "cordon": self._cordon,
            "lose-node": self._lose_node,
            "recover-node": self._recover_node,
            "press-node": self._press_node,
            "churn": self._set_churn,
            "stop-server": self._stop_server,
            "start-server": self._start_server,
            "hang-server": self._hang_server,
            "flood-alerts": self._flood_alerts,
            "slow-queries": self._slow_queries,
            "add-rule": self._add_rule,
            "remove-rule": self._remove_rule,
            "heal": self._heal,
            "plan": self._plan,
        }

    async def open(self, host: str) -> int:
        """Open the port and return it."""
        self._server.listen(host, 0)
        return self._server.port

    async def close(self) -> None:
        """Close the port."""
        self._churn.stop()
        await self._server.close()

    async def _handle(self, request: Request) -> Reply | Stream:
        steps = request.path.strip("/").split("/")
        if not secrets.compare_digest(steps[0].encode(), self.secret.encode()):
            return _answer(404, {"error": "not found"})
        if request.method == "GET" and len(steps) == 1:
            return _answer(200, {"levers": sorted(self._levers)})
        lever = self._levers.get(steps[1] if len(steps) == 2 else "")
        if lever is None or request.method != "POST":
            return _answer(404, {"error": "no such lever"})
        try:
            result = await lever(decode(request.body) if request.body else {})
        except (KeyError, ValueError, TypeError, AttributeError, msgspec.DecodeError) as error:
            return _answer(400, {"error": f"{type(error).__name__}: {error}"})
        return _answer(200, result or {})

    async def _hang(self, _: Json) -> None:
        self._estate.faults.hang()

    async def _resume(self, _: Json) -> None:
        self._estate.faults.resume()

    async def _refuse(self, _: Json) -> None:
        await self._estate.refuse()

    async def _accept(self, _: Json) -> None:
        await self._estate.accept()

    async def _revoke(self, body: Json) -> None:
        self._estate.revoke(body.get("account", "admin"))

    async def _restore(self, body: Json) -> None:
        self._estate.restore(body.get("account", "admin"))

    async def _forbid(self, body: Json) -> None:
        self._estate.access.refused_cluster_wide = set(body["resources"])

    async def _compact(self, _: Json) -> None:
        self._estate.compact()

    async def _slow(self, body: Json) -> None:
        self._estate.faults.slow = float(body["seconds"])

    async def _inject(self, body: Json) -> None:
        raw = body["raw"].encode() if "raw" in body else encode(body["object"])
        self._estate.faults.inject(self._resource(body).key, raw)

    async def _close_watches(self, _: Json) -> None:
        self._estate.faults.close_watches()

    async def _gone_as_status(self, body: Json) -> None:
        self._estate.faults.gone_as_status = bool(body.get("on", True))

    async def _refuse_initial_events(self, body: Json) -> None:
        self._estate.faults.refuse_initial_events = bool(body.get("on", True))

    async def _merge(self, body: Json) -> Json:
        world = self._estate.engine.world
        done = operations.merge(world, self._resource(body), body.get("namespace", ""), body["name"], body["patch"])
        return {"found": done}

    async def _set_image(self, body: Json) -> Json:
        world, where = self._estate.engine.world, (body["namespace"], body["name"])
        cause, actor = body.get("cause", "admin"), body.get("actor", "kubectl-set")
        return {
            "found": operations.set_image(
                world, self._resource(body), *where, image=body["image"], cause=cause, actor=actor
            )
        }

    async def _scale(self, body: Json) -> Json:
        world, replicas = self._estate.engine.world, int(body["replicas"])
        return {"found": operations.scale(world, self._resource(body), body["namespace"], body["name"], replicas)}

    async def _pause(self, body: Json) -> Json:
        world, paused = self._estate.engine.world, bool(body.get("on", True))
        return {"found": operations.pause(world, body["namespace"], body["name"], paused=paused)}

    async def _delete_pod(self, body: Json) -> None:
        self._estate.engine.kubelet.stop(body["namespace"], body["name"])

    async def _cordon(self, body: Json) -> Json:
        closed = bool(body.get("on", True))
        return {"found": operations.cordon(self._estate.engine.world, body["name"], closed=closed)}

    async def _lose_node(self, body: Json) -> Json:
        return {"found": self._estate.engine.nodes.lose(body["name"])}

    async def _recover_node(self, body: Json) -> Json:
        return {"found": self._estate.engine.nodes.recover(body["name"])}

    async def _press_node(self, body: Json) -> Json:
        kind = body.get("kind", "MemoryPressure")
        return {"found": self._estate.engine.nodes.press(body["name"], kind)}

    async def _set_churn(self, body: Json) -> None:
        self._churn.set_rate(float(body["per_second"]))

    async def _stop_server(self, body: Json) -> None:
        await self._estate.watchtower.stop(body["name"])

    async def _start_server(self, body: Json) -> None:
        await self._estate.watchtower.start(body["name"])

    async def _hang_server(self, body: Json) -> None:
        self._estate.watchtower.hang(body["name"], on=bool(body.get("on", True)))

    async def _flood_alerts(self, body: Json) -> None:
        self._estate.watchtower.flood(int(body["count"]))

    async def _slow_queries(self, body: Json) -> None:
        self._estate.watchtower.slow(str(body["containing"]), float(body["seconds"]))

    async def _add_rule(self, body: Json) -> None:
        labels, notes = body.get("labels", {}), body.get("annotations", {})
        rule = Rule(str(body["alert"]), str(body["expr"]), float(body.get("for", 0)), labels, notes)
        await self._estate.watchtower.add_rule(rule)

    async def _remove_rule(self, body: Json) -> None:
        self._estate.watchtower.remove_rule(str(body["alert"]))

    async def _heal(self, _: Json) -> None:
        self._estate.faults.heal()
        self._estate.access.revoked.clear()
        self._estate.access.refused_cluster_wide.clear()
        self._churn.set_rate(0)
        await self._estate.watchtower.heal()

    async def _plan(self, _: Json) -> Json:
        plan = self._estate.plan
        return {
            "cluster": plan.cluster,
            "namespaces": plan.namespaces,
            "apps": [{"namespace": one.namespace, "name": one.name, "kind": one.kind} for one in plan.apps],
            "chatty": [f"{one.namespace}/{one.name}" for one in plan.apps if one.chatty],
        }

    def _resource(self, body: Json) -> Resource:
        for resource in resources.BUILT_IN:
            if body["resource"] in {resource.key, resource.plural}:
                return resource
        raise ValueError(f"no resource is called {body['resource']!r}")


async def _open_gate() -> None:
    """Let everything pass: the admin port never hangs."""


def _answer(status: int, body: Json) -> Reply:
    return Reply(status, encode(body), {"Content-Type": "application/json"})
