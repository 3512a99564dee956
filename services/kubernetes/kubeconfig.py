"""Reads the operator's kubeconfig as kubectl does, fast enough for the first paint and pinned to one context."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from services.errors import Problem
from services.sanitize import safe_text

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
MAX_BYTES = 16 << 20
_REPAIR = "repair it, or name another with --kubeconfig"


class EnvVar(Struct, frozen=True):
    """One variable an exec plugin is given."""

    name: str
    value: str = ""


class ExecSpec(Struct, frozen=True, rename="camel"):
    """`users[].user.exec` (client.authentication.k8s.io); `command` is resolved against the file's folder."""

    command: str
    api_version: str = ""
    args: tuple[str, ...] | None = None
    env: tuple[EnvVar, ...] | None = None
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: str = ""


class ClusterEntry(Struct, frozen=True, rename="kebab"):
    """`clusters[].cluster`, paths made absolute."""

    server: str | None = ""
    certificate_authority: str | None = ""
    certificate_authority_data: str | None = ""
    insecure_skip_tls_verify: bool | None = False
    tls_server_name: str | None = ""
    proxy_url: str | None = ""


class UserEntry(Struct, frozen=True, rename="kebab"):
    """`users[].user`, paths made absolute."""

    client_certificate: str | None = ""
    client_certificate_data: str | None = ""
    client_key: str | None = ""
    client_key_data: str | None = ""
    token: str | None = ""
    token_file: str | None = field(default="", name="tokenFile")
    username: str | None = ""
    password: str | None = ""
    as_user: str | None = field(default="", name="as")
    as_uid: str | None = ""
    as_groups: tuple[str, ...] | None = None
    as_user_extra: dict[str, list[str]] | None = None
    auth_provider: dict[str, Any] | None = None
    exec: ExecSpec | None = None


class ContextEntry(Struct, frozen=True):
    """`contexts[].context`."""

    cluster: str | None = ""
    user: str | None = ""
    namespace: str | None = ""


class _NamedCluster(Struct, frozen=True):
    name: str
    cluster: ClusterEntry | None = None


class _NamedUser(Struct, frozen=True):
    name: str
    user: UserEntry | None = None


class _NamedContext(Struct, frozen=True):
    name: str
    context: ContextEntry | None = None


class _File(Struct, frozen=True, rename="kebab"):
    current_context: str | None = ""
    clusters: list[_NamedCluster] | None = None
    users: list[_NamedUser] | None = None
    contexts: list[_NamedContext] | None = None


class Kubeconfig(Struct, frozen=True):
    """Every file of the list merged: of two entries with one name the first wins, whole."""

    paths: tuple[str, ...]
    current: str
    clusters: Mapping[str, ClusterEntry]
    users: Mapping[str, UserEntry]
    contexts: Mapping[str, ContextEntry]


class Identity(Struct, frozen=True):
    """Which cluster, as whom: all that the first paint needs to know whether cached rows belong here.

    `ca_fingerprint` is the SHA-256 of the authority's PEM ("" where the system's store or none is used),
    `cluster_key` a hash of server and CA: the cluster's id where kube-system's uid cannot be read, `authority_file`
    where the authority's PEM was read from ("" where the kubeconfig holds it).
    """

    context: str
    cluster_name: str
    server: str
    ca_fingerprint: str
    user: str
    namespace: str
    cluster_key: str
    paths: tuple[str, ...] = ()
    in_cluster: bool = False
    authority_file: str = ""


NO_CLUSTER = Identity("", "no cluster", "", "", "", "default", "")
"""Stands for the cluster where there is no kubeconfig: the monitoring alone is shown."""


def default_paths(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the files kubectl would read: KUBECONFIG's list, else ~/.kube/config."""
    environ = os.environ if environ is None else environ
    listed = [entry for entry in environ.get("KUBECONFIG", "").split(os.pathsep) if entry]
    if listed:
        return tuple(dict.fromkeys(listed))
    return (str(Path(environ.get("HOME") or "~").expanduser() / ".kube" / "config"),)


def contexts(paths: Sequence[str | Path] | None = None) -> tuple[str, ...]:
    """Return the names of every context, in the files' order. Raises Problem as `read` does."""
    return tuple(read(paths).contexts)


def read(paths: Sequence[str | Path] | None = None) -> Kubeconfig:
    """Read and merge the files as kubectl does (client-go `ClientConfigLoadingRules.Load`).

    Files of a list that are missing are passed over. Raises Problem when none exists, or one cannot be read or parsed.
    """
    wanted = tuple(str(path) for path in (paths or default_paths()))
    current = ""
    clusters: dict[str, ClusterEntry] = {}
    users: dict[str, UserEntry] = {}
    named: dict[str, ContextEntry] = {}
    found = False
    for path in wanted:
        parsed = _parse(Path(path).expanduser())
        if parsed is None:
            continue
        found = True
        folder = Path(path).expanduser().absolute().parent
        current = current or parsed.current_context or ""
        for cluster in parsed.clusters or ():
            clusters.setdefault(cluster.name, _anchor_cluster(cluster.cluster or ClusterEntry(), folder))
        for user in parsed.users or ():
            users.setdefault(user.name, _anchor_user(user.user or UserEntry(), folder))
        for context in parsed.contexts or ():
            named.setdefault(context.name, context.context or ContextEntry())
    if not found:
        raise Problem(
            safe_text(
                f"No kubeconfig found at {', '.join(wanted)}: set KUBECONFIG, or write one with your cloud's tool."
            )
        )
    return Kubeconfig(wanted, current, clusters, users, named)


def identify(
    paths: Sequence[str | Path] | None = None,
    context: str = "",
    environ: Mapping[str, str] | None = None,
    service_account: Path = SERVICE_ACCOUNT,
) -> Identity:
    """Resolve the context ("" for the current one) to a server, an authority and a user.

    Reads files only, with PyYAML; nothing of the network is imported. Inside a pod, and without any kubeconfig,
    the service account's is taken. Raises Problem with a sentence for everything that can be wrong.
    """
    wanted = tuple(str(path) for path in (paths or default_paths(environ)))
    if not paths and not context and not any(Path(path).expanduser().exists() for path in wanted):
        inside = in_cluster_identity(environ, service_account)
        if inside is not None:
            return inside
    config = read(wanted)
    name = context or config.current
    if not name:
        raise Problem(
            safe_text(
                "The kubeconfig names no current-context: choose one with --context "
                f"({_choice(config.contexts)}) or `kubectl config use-context`."
            )
        )
    entry = entry_of(config, name)
    cluster = config.clusters[entry.cluster or ""]
    server = server_of(cluster, name)
    ca = authority(cluster, name)
    return Identity(
        context=name,
        cluster_name=entry.cluster or "",
        server=server,
        ca_fingerprint=_fingerprint(ca),
        user=_user_identity(entry.user or "", config.users.get(entry.user or "")),
        namespace=entry.namespace or "default",
        cluster_key=cluster_key(server, ca),
        paths=wanted,
        authority_file="" if cluster.certificate_authority_data else cluster.certificate_authority or "",
    )


def entry_of(config: Kubeconfig, name: str) -> ContextEntry:
    """Return a context whose cluster and user exist, or raise Problem saying which is missing."""
    entry = config.contexts.get(name)
    if entry is None:
        raise Problem(
            safe_text(f'The kubeconfig has no context "{name}" (it has {_choice(config.contexts)}): check --context.')
        )
    if not entry.cluster or entry.cluster not in config.clusters:
        what = f'cluster "{entry.cluster}", which is not there' if entry.cluster else "no cluster"
        raise Problem(safe_text(f'Context "{name}" of the kubeconfig names {what}: repair the kubeconfig.'))
    if entry.user and entry.user not in config.users:
        raise Problem(
            safe_text(
                f'Context "{name}" of the kubeconfig names user "{entry.user}", which is not there: '
                "repair the kubeconfig."
            )
        )
    return entry


def server_of(cluster: ClusterEntry, context: str) -> str:
    """Return the server's URL without a trailing slash; raises Problem where there is none."""
    server = (cluster.server or "").strip()
    if not server.strip("/"):
        raise Problem(safe_text(f'The cluster of context "{context}" has no server address: repair the kubeconfig.'))
    if "://" not in server:
        secure = cluster.certificate_authority or cluster.certificate_authority_data or cluster.insecure_skip_tls_verify
        server = f"{'https' if secure else 'http'}://{server}"
    scheme, _, host = server.partition("://")
    if scheme.lower() not in ("http", "https") or not host.strip("/") or any(letter.isspace() for letter in server):
        raise Problem(safe_text(f'"{server}" of context "{context}" is no server address: repair the kubeconfig.'))
    return server.rstrip("/")


def cluster_key(server: str, ca: bytes) -> str:
    """Return the id of a cluster that is known by its address and authority only."""
    return hashlib.sha256(f"{server}\x00{_fingerprint(ca)}".encode()).hexdigest()[:32]


def authority(cluster: ClusterEntry, context: str) -> bytes:
    """Return the certificate authority's PEM, b"" for the system's own store; inline data wins over a file."""
    what = f'the certificate authority of context "{context}"'
    return pem(cluster.certificate_authority_data, cluster.certificate_authority, what)


def pem(data: str | None, path: str | None, what: str) -> bytes:
    """Return inline base64 data, else the file's content, else b"". Raises Problem naming `what`."""
    if data:
        try:
            return base64.b64decode(data, validate=False)
        except (binascii.Error, ValueError):
            raise Problem(safe_text(f"The inline data of {what} is not base64: repair the kubeconfig.")) from None
    if not path:
        return b""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Problem(safe_text(f"Could not read {what} ({path}): {error.strerror}.")) from None


def in_cluster_identity(
    environ: Mapping[str, str] | None = None, service_account: Path = SERVICE_ACCOUNT
) -> Identity | None:
    """Return the identity of the pod's own service account, None outside a pod (client-go `InClusterConfig`)."""
    environ = os.environ if environ is None else environ
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "")
    if not (host and port and (service_account / "token").is_file()):
        return None
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    ca = pem(None, str(service_account / "ca.crt"), "the service account's authority")
    try:
        namespace = (service_account / "namespace").read_text().strip()
    except OSError:
        namespace = ""
    return Identity(
        context="in-cluster",
        cluster_name="in-cluster",
        server=server,
        ca_fingerprint=_fingerprint(ca),
        user="service-account",
        namespace=namespace or "default",
        cluster_key=cluster_key(server, ca),
        paths=(str(service_account),),
        in_cluster=True,
    )


def _parse(path: Path) -> _File | None:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Problem(safe_text(f"Could not read the kubeconfig {path}: {error.strerror}.")) from None
    if len(raw) > MAX_BYTES:
        raise Problem(safe_text(f"The kubeconfig {path} is larger than 16 MiB: is it the right file?"))
    import yaml

    try:
        loaded = yaml.load(raw, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe ones
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        what = getattr(error, "problem", None) or "it cannot be parsed"
        raise Problem(safe_text(f"The kubeconfig {path} is not YAML{where}: {what}; {_REPAIR}.")) from None
    if loaded is None:
        return _File()
    try:
        return msgspec.convert(loaded, _File)
    except msgspec.ValidationError as error:
        raise Problem(safe_text(f"The kubeconfig {path} is not understood: {error}; {_REPAIR}.")) from None


_Entry = TypeVar("_Entry", ClusterEntry, UserEntry)


def _anchor(entry: _Entry, folder: Path, names: tuple[str, ...]) -> _Entry:
    changes = {}
    for name in names:
        path = getattr(entry, name)
        if path and not Path(path).is_absolute():
            changes[name] = str(folder / path)
    return msgspec.structs.replace(entry, **changes) if changes else entry


def _anchor_cluster(entry: ClusterEntry, folder: Path) -> ClusterEntry:
    return _anchor(entry, folder, ("certificate_authority",))


def _anchor_user(entry: UserEntry, folder: Path) -> UserEntry:
    plugin = entry.exec
    if plugin is not None and "/" in plugin.command and not Path(plugin.command).is_absolute():
        plugin = msgspec.structs.replace(plugin, command=str(folder / plugin.command))
        entry = msgspec.structs.replace(entry, exec=plugin)
    return _anchor(entry, folder, ("client_certificate", "client_key", "token_file"))


def _user_identity(name: str, entry: UserEntry | None) -> str:
    acting = entry.as_user if entry is not None else ""
    return f"{name} as {acting}" if acting else name


def _fingerprint(authority_pem: bytes) -> str:
    return hashlib.sha256(authority_pem).hexdigest() if authority_pem else ""


def _choice(names: Mapping[str, Any]) -> str:
    shown = list(names)[:8]
    more = len(names) - len(shown)
    return (", ".join(shown) + (f" and {more} more" if more else "")) if shown else "none"
