"""Who asks and what they may do: tokens, accounts and rights, refused in the server's own sentences."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.rehearsal.wire import errors

if TYPE_CHECKING:
    from collections.abc import Iterable

READ = frozenset(("get", "list", "watch"))
_VIEW_HIDDEN = frozenset(("secrets",))
_CLUSTER_SCOPED = frozenset(("nodes", "customresourcedefinitions", "persistentvolumes"))
_OPEN_PATHS = ("/healthz", "/livez", "/readyz", "/version", "/api", "/apis", "/openapi")


@dataclass(frozen=True, slots=True)
class Attributes:
    """What one request wants to do."""

    verb: str
    resource: str = ""
    group: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """A rule that lets an account change something; subresources are written `resource/subresource`."""

    verbs: tuple[str, ...]
    group: str
    resources: tuple[str, ...]

    def covers(self, asked: Attributes) -> bool:
        """Tell whether the rule allows this."""
        resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
        return asked.verb in self.verbs and asked.group == self.group and resource in self.resources


_RELEASES = (
    Grant(
        ("patch", "update"),
        "apps",
        ("deployments", "deployments/scale", "statefulsets", "statefulsets/scale", "daemonsets"),
    ),
    Grant(("create", "update", "patch"), "coordination.k8s.io", ("leases",)),
)
"""What who releases software may change: workloads and the locks on them, but neither pods nor nodes."""


@dataclass(frozen=True, slots=True)
class Account:
    """One identity. `namespaces` is None for rights in the whole cluster."""

    name: str
    groups: tuple[str, ...]
    everything: bool = False
    namespaces: frozenset[str] | None = None
    changes: tuple[Grant, ...] = ()
    """What it may change in its namespaces, beside reading."""

    def allows(self, asked: Attributes) -> bool:
        """Tell whether the account may do this; pure."""
        if self.everything:
            return True
        if asked.path:
            return asked.verb == "get" and asked.path.startswith(_OPEN_PATHS)
        if asked.group in {"authorization.k8s.io", "authentication.k8s.io"} and asked.resource.startswith("self"):
            return asked.verb == "create"
        if not self._reads(asked) and not any(one.covers(asked) for one in self.changes):
            return False
        if self.namespaces is None:
            return True
        return asked.namespace in self.namespaces and asked.resource not in _CLUSTER_SCOPED

    def _reads(self, asked: Attributes) -> bool:
        return asked.verb in READ and asked.resource not in _VIEW_HIDDEN and asked.subresource != "proxy"


ANONYMOUS = Account("system:anonymous", ("system:unauthenticated",), namespaces=frozenset())


@dataclass(slots=True)
class Access:
    """The tokens in force and the refusals that a test has asked for."""

    accounts: dict[str, Account] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    refused_cluster_wide: set[str] = field(default_factory=set)
    """Resources (plural) whose cluster-wide list and watch are refused to everyone."""

    def issue(self, token: str, account: Account) -> None:
        """Put a token in force."""
        self.accounts[token] = account

    def identify(self, authorization: str) -> Account:
        """Return the account of an Authorization header; raise ApiError 401 for an unknown or revoked token."""
        if not authorization:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        account = self.accounts.get(token.strip())
        if scheme.lower() != "bearer" or account is None or token.strip() in self.revoked:
            raise errors.unauthorized()
        return account

    def allowed(self, account: Account, asked: Attributes) -> bool:
        """Tell whether the request may go on."""
        cluster_wide = not asked.namespace and not asked.name and asked.verb in {"list", "watch"}
        if cluster_wide and asked.resource in self.refused_cluster_wide:
            return False
        return account.allows(asked)

    def demand(self, account: Account, asked: Attributes) -> None:
        """Raise ApiError 403 unless the request may go on."""
        if not self.allowed(account, asked):
            raise errors.forbidden(asked.resource, asked.group, asked.name, _sentence(account, asked))


def _sentence(account: Account, asked: Attributes) -> str:
    if asked.path:
        return f'forbidden: User "{account.name}" cannot {asked.verb} path "{asked.path}"'
    qualified = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    subject = f'{qualified} "{asked.name}"' if asked.name else qualified
    place = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    return (
        f'{subject} is forbidden: User "{account.name}" cannot {asked.verb} resource "{resource}" '
        f'in API group "{asked.group}" {place}'
    )


def standing_accounts(namespaces: Iterable[str]) -> dict[str, Account]:
    """Return the estate's accounts by name; `narrow` may read these namespaces only, `releaser` release in them too."""
    authenticated, own = "system:authenticated", frozenset(namespaces)
    return {
        "admin": Account("admin", ("system:masters", authenticated), everything=True),
        "viewer": Account("viewer", ("viewers", authenticated)),
        "narrow": Account("narrow", (authenticated,), namespaces=own),
        "releaser": Account("releaser", ("releasers", authenticated), namespaces=own, changes=_RELEASES),
    }
