"""The API server's way to a Service: `.../services/NAME:PORT/proxy/PATH`, behind the same tokens and rights."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from services.rehearsal import resources
from services.rehearsal.wire import errors
from services.rehearsal.wire.access import Attributes

if TYPE_CHECKING:
    from services.rehearsal.store import Store
    from services.rehearsal.wire.access import Access, Account
    from services.rehearsal.wire.http1 import Reply, Request

NAMESPACE = "monitoring"
_PATH = re.compile(r"/api/v1/namespaces/([^/]+)/services/(?:(https?):)?([^/:]+)(?::([^/:]*))?:?/proxy(/.*)?")
_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
SERVED = {"prometheus": 9090, "alertmanager": 9093, "alertmanager-0": 9093, "alertmanager-1": 9093}
"""Services in the namespace `monitoring` behind which something answers, and their ports, all named `web`."""


class ServiceProxy:
    """Hands requests on to what runs in the estate; `answer` is asked by the server's name."""

    def __init__(
        self,
        store: Store,
        access: Access,
        answer: Callable[[str, Request], Awaitable[Reply]],
        answers: Callable[[str], bool],
    ) -> None:
        self._store = store
        self._access = access
        self._answer = answer
        self._answers = answers

    def takes(self, request: Request) -> bool:
        """Tell whether the path leads through a Service."""
        return "/proxy" in request.path and _PATH.fullmatch(request.path) is not None

    async def handle(self, request: Request, account: Account) -> Reply:
        """Return what the server behind the Service answers; raise ApiError where there is none."""
        match = _PATH.fullmatch(request.path)
        if match is None:
            raise errors.no_such_path()
        namespace, _, name, port, path = match.groups()
        verb = _VERBS.get(request.method, "get")
        self._access.demand(account, Attributes(verb, "services", "", namespace, name, "proxy"))
        if (namespace, name) not in self._store.collection(resources.SERVICES).entries:
            raise errors.not_found(resources.SERVICES, name)
        number = SERVED.get(name) if namespace == NAMESPACE else None
        if number is None:
            raise errors.unavailable(f'no endpoints available for service "{name}"')
        if port not in {None, "", str(number), "web"}:
            raise errors.unavailable(f'no service port "{port}" found for service "{name}"')
        server = self._behind(name)
        if not server:
            reason = f"dial tcp 10.244.0.7:{number}: connect: connection refused"
            raise errors.unavailable(f"error trying to reach service: {reason}")
        request.path = path or "/"
        request.headers.pop("authorization", None)
        return await self._answer(server, request)

    def _behind(self, name: str) -> str:
        candidates = ("alertmanager-0", "alertmanager-1") if name == "alertmanager" else (name,)
        return next((one for one in candidates if self._answers(one)), "")
