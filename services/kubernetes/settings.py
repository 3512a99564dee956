"""Turns a pinned identity into what a connection needs: server, authority, credentials, proxy."""

from __future__ import annotations

import ipaddress
import os
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from services.errors import Problem
from services.kubernetes import kubeconfig
from services.kubernetes.kubeconfig import ClusterEntry, ExecSpec, Identity, Kubeconfig, UserEntry
from services.model.text import Secret
from services.sanitize import safe_text


class Impersonation(Struct, frozen=True):
    """Whom requests act as (`--as`): sent in the Impersonate-* headers."""

    user: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = {}


class ConnectionSettings(Struct, frozen=True):
    """One cluster's address and credentials; nothing in it can be printed by accident.

    `ca` is PEM (b"" for the system's store), `proxy` a URL ("" for none), `basic` "user:password".
    """

    identity: Identity
    server: str
    ca: bytes = b""
    verify: bool = True
    tls_server_name: str = ""
    proxy: Secret | None = None
    certificate: bytes = b""
    key: Secret | None = None
    token: Secret | None = None
    token_file: str = ""
    basic: Secret | None = None
    exec: ExecSpec | None = None
    auth_provider: str = ""
    impersonate: Impersonation | None = None


def load(identity: Identity, environ: Mapping[str, str] | None = None) -> ConnectionSettings:
    """Read the credentials of a pinned identity; called again after a 401, and then held to the same server.

    Reads files, so call it off the loop. Raises Problem where a file is missing or the context now names
    another server or authority than the one pinned at the start.
    """
    environ = os.environ if environ is None else environ
    if identity == kubeconfig.NO_CLUSTER:
        raise Problem(safe_text("No kubeconfig was found: only the monitoring is shown. Set KUBECONFIG for a cluster."))
    if identity.in_cluster:
        return _in_cluster(identity, environ)
    config = kubeconfig.read(identity.paths)
    context = kubeconfig.entry_of(config, identity.context)
    cluster = config.clusters[context.cluster or ""]
    user = config.users.get(context.user or "", UserEntry())
    server = kubeconfig.server_of(cluster, identity.context)
    ca = kubeconfig.authority(cluster, identity.context)
    if kubeconfig.cluster_key(server, ca) != identity.cluster_key:
        raise Problem(
            safe_text(
                f'Context "{identity.context}" of the kubeconfig now names another cluster than at the start: '
                "restart to use it."
            )
        )
    proxy = cluster.proxy_url or environment_proxy(server, environ)
    certificate, key = _certificate(user, identity.context)
    return ConnectionSettings(
        identity=identity,
        server=server,
        ca=ca,
        verify=not cluster.insecure_skip_tls_verify,
        tls_server_name=cluster.tls_server_name or "",
        proxy=Secret(_proxy_url(proxy, identity.context)) if proxy else None,
        certificate=certificate,
        key=key,
        token=_token(config, identity.context, user),
        token_file=user.token_file or "",
        basic=Secret(f"{user.username}:{user.password or ''}") if user.username else None,
        exec=user.exec,
        auth_provider=str((user.auth_provider or {}).get("name", "")),
        impersonate=_impersonation(user),
    )


def environment_proxy(server: str, environ: Mapping[str, str]) -> str:
    """Return the proxy the environment names for this server, "" for none, as kubectl decides it.

    Source: golang.org/x/net/http/httpproxy (loopback is never proxied; NO_PROXY takes names, suffixes, IPs and CIDRs).
    """
    parts = urllib.parse.urlsplit(server)
    host = (parts.hostname or "").lower()
    prefix = "HTTPS" if parts.scheme == "https" else "HTTP"
    proxy = environ.get(f"{prefix}_PROXY") or environ.get(f"{prefix.lower()}_proxy") or ""
    if not proxy or _is_loopback(host):
        return ""
    bypass = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if any(_bypassed(entry.strip().lower(), host, port) for entry in bypass.split(",")):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _bypassed(entry: str, host: str, port: int) -> bool:
    if entry in {"", "*"}:
        return entry == "*"
    name, _, entry_port = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "")
    if entry_port and entry_port != str(port):
        return False
    address = _address(host)
    if address is not None:
        return _within(address, name)
    bare = name.removeprefix("*").removeprefix(".")
    return host.endswith("." + bare) or (host == bare and name == bare)


def _within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, network: str) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _proxy_url(url: str, context: str) -> str:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in {"http", "https", "socks5", "socks5h"} or not parts.hostname:
        raise Problem(
            safe_text(f'The proxy of context "{context}" must be an http, https or socks5 URL: repair proxy-url.')
        )
    return url


def _certificate(user: UserEntry, context: str) -> tuple[bytes, Secret | None]:
    what = f'the client certificate of context "{context}"'
    certificate = kubeconfig.pem(user.client_certificate_data, user.client_certificate, what)
    if not certificate:
        return b"", None
    key = kubeconfig.pem(user.client_key_data, user.client_key, f'the client key of context "{context}"')
    return certificate, Secret(key.decode("ascii", "replace")) if key else None


def _token(config: Kubeconfig, context: str, user: UserEntry) -> Secret | None:
    if user.auth_provider:
        return _provider_token(config, context)
    return Secret(user.token) if user.token else None


def _provider_token(config: Kubeconfig, context: str) -> Secret | None:
    """Let the official client's loader speak to an `auth-provider` (OIDC refresh and the like).

    It costs 0.2 s and 18 MiB to import, so only the users of these old entries pay for it; every other entry is
    read here, and a differential test holds both readings equal.
    """
    bearer = loaded_by_package(config, context).get("token", "")
    if not bearer:
        raise Problem(
            safe_text(
                f'The auth-provider of context "{context}" gave no token: log in again, or move the user to an exec '
                "plugin (kubectl no longer knows auth-providers either)."
            )
        )
    return Secret(bearer.removeprefix("Bearer "))


def loaded_by_package(config: Kubeconfig, context: str) -> dict[str, Any]:
    """Return what `kubernetes.config` makes of a context, without its exec plugin and without any global default.

    Keys: host, token (the whole Authorization value), ssl_ca_cert, cert_file, key_file (paths), verify_ssl,
    tls_server_name, proxy. Raises Problem with the package's own words.
    """
    from kubernetes.client import Configuration
    from kubernetes.config import kube_config
    from kubernetes.config.config_exception import ConfigException

    entry = config.contexts[context]
    cluster, user = config.clusters[entry.cluster or ""], config.users.get(entry.user or "", UserEntry())
    document = {
        "current-context": context,
        "contexts": [{"name": context, "context": {"cluster": "pinned", "user": "pinned"}}],
        "clusters": [{"name": "pinned", "cluster": _plain(cluster)}],
        "users": [{"name": "pinned", "user": _plain(user)}],
    }
    settings = Configuration()
    try:
        loader: Any = kube_config.KubeConfigLoader
        loader(document, active_context=context).load_and_set(settings)
    except (ConfigException, OSError, ValueError, KeyError) as error:
        raise Problem(safe_text(f'The credentials of context "{context}" could not be loaded: {error}.')) from None
    names = ("host", "ssl_ca_cert", "cert_file", "key_file", "verify_ssl", "tls_server_name", "proxy")
    values = {name: getattr(settings, name, None) for name in names}
    return values | {"token": settings.api_key.get("BearerToken", "")}


def _plain(entry: ClusterEntry | UserEntry) -> dict[str, Any]:
    mapping: dict[str, Any] = msgspec.to_builtins(entry)
    return {name: value for name, value in mapping.items() if value and name not in {"exec", "as", "as-groups"}}


def _impersonation(user: UserEntry) -> Impersonation | None:
    if not user.as_user:
        return None
    extra = {name: tuple(values) for name, values in (user.as_user_extra or {}).items()}
    return Impersonation(user.as_user, user.as_uid or "", user.as_groups or (), extra)


def _in_cluster(identity: Identity, environ: Mapping[str, str]) -> ConnectionSettings:
    folder = Path(identity.paths[0])
    ca = kubeconfig.pem(None, str(folder / "ca.crt"), "the service account's authority")
    proxy = environment_proxy(identity.server, environ)
    return ConnectionSettings(
        identity=identity,
        server=identity.server,
        ca=ca,
        proxy=Secret(proxy) if proxy else None,
        token_file=str(folder / "token"),
    )
