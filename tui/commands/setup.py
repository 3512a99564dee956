"""What every command needs before it does anything: configuration, context, cached rows. No network, no textual."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from cache.folder import state_folder
from cache.live import LiveState
from cache.state.first_paint import FirstPaint
from cache.state.records import (
    Memo,
    Place,
    SavedTable,
    content_hash,
    identity_key,
    kubeconfig_fingerprint,
    narrowed_key,
)
from services.clock import Clock
from services.config import Loaded, load
from services.config_schema import ContextSettings
from services.kubernetes.kubeconfig import NO_CLUSTER, Identity, default_paths, identify, in_cluster_identity
from services.model.actor import Actor
from services.model.source import CONNECTION, SourceState, SourceStatus
from services.ports import Replace

FIRST_TABLES = ("rollouts", "symptoms")
"""Tables the first frame of the control room shows."""


class Setup(Struct, frozen=True):
    """Where the operator is going: configuration, cluster and user, and the key their cached rows stand under.

    `environ`, `flags` and `environment` are what the configuration was read with, and will be read with again. `lesson`
    is what is worth remembering of the kubeconfig for the next start, under its fingerprint. `namespaces` are those
    that alone are watched, () for all.
    """

    loaded: Loaded
    identity: Identity
    key: str
    folder: Path
    environ: Mapping[str, str] = {}
    flags: Mapping[str, object] = {}
    environment: str = ""
    lesson: tuple[str, Memo] | None = None
    namespaces: tuple[str, ...] = ()

    def amended(self, loaded: Loaded) -> Loaded:
        """Return a configuration with the environment that the command itself names (the demo's)."""
        return _amended(loaded, self.environment)


def prepare(arguments: argparse.Namespace, flags: Mapping[str, object] | None = None) -> Setup:
    """Read the configuration and the kubeconfig. Raises Problem."""
    environ = dict(os.environ)
    environment = getattr(arguments, "environment", "")
    loaded = _amended(load(getattr(arguments, "config", "") or None, environ, flags or {}), environment)
    explicit = getattr(arguments, "kubeconfig", "")
    folder = state_folder()
    monitored = bool(loaded.config.prometheus or loaded.config.alertmanager)
    identity, lesson = _resolve((explicit,) if explicit else (), getattr(arguments, "context", ""), folder, monitored)
    key = identity_key(identity.server, identity.ca_fingerprint, identity.user)
    alone = getattr(arguments, "namespace", "")
    namespaces = (alone,) if alone else ()
    return Setup(loaded, identity, key, folder, environ, flags or {}, environment, lesson, namespaces)


def _resolve(
    paths: tuple[str, ...], context: str, folder: Path, monitored: bool
) -> tuple[Identity, tuple[str, Memo] | None]:
    """Resolve the kubeconfig: as the last time where it is the same to the byte, which spares a YAML parser.

    Where there is none at all, servers that are `monitored` are reason enough to open the screen.
    """
    files = []
    for path in paths or default_paths():
        with contextlib.suppress(OSError):
            files.append((path, Path(path).expanduser().read_bytes()))
    if not files:
        if monitored and not paths and not context and in_cluster_identity() is None:
            return NO_CLUSTER, None
        return identify(paths, context), None
    fingerprint = kubeconfig_fingerprint(files, context)
    with FirstPaint(folder) as paint:
        memo = paint.memo(fingerprint)
    if memo is not None:
        with contextlib.suppress(msgspec.MsgspecError):
            return msgspec.msgpack.decode(memo.meaning, type=Identity), None
    identity = identify(paths, context)
    depends = identity.authority_file
    try:
        hashes = {depends: content_hash(Path(depends).read_bytes())} if depends else {}
    except OSError:
        return identity, None
    return identity, (fingerprint, Memo(msgspec.msgpack.encode(identity), hashes))


def _amended(loaded: Loaded, environment: str) -> Loaded:
    if not environment:
        return loaded
    contexts = {"*": ContextSettings(environment=environment)} | loaded.config.contexts
    return structs.replace(loaded, config=structs.replace(loaded.config, contexts=contexts))


def retarget(setup: Setup, context: str) -> Setup:
    """Return the setup for another context of the same kubeconfig. Raises Problem."""
    identity = identify(setup.identity.paths or None, context)
    key = identity_key(identity.server, identity.ca_fingerprint, identity.user)
    return structs.replace(setup, identity=identity, key=key, namespaces=())


def seed(live: LiveState, setup: Setup, tables: tuple[str, ...], clock: Clock) -> tuple[Place | None, float]:
    """Fill live state with the rows of the last time; returns the place that was left and since when the rows are old.

    That is when the oldest of them were right: epoch seconds, 0.0 where there are none. Their source says NEVER until
    the server has answered, so that they are shown as old and are counted by nobody.
    """
    saved, place = saved_of(setup, tables)
    return place, fill(live, saved, clock)


def saved_of(setup: Setup, tables: tuple[str, ...]) -> tuple[Mapping[str, SavedTable], Place | None]:
    """Read what the last time left of a cluster: rows of these tables, and the place. Blocks for the disk.

    Where some namespaces alone are watched, their own rows or the whole cluster's, whichever are younger.
    """
    with FirstPaint(setup.folder) as paint:
        saved = paint.tables(setup.key, tables)
        if setup.namespaces:
            alone = paint.tables(narrowed_key(setup.key, setup.namespaces), tables)
            saved |= {name: one for name, one in alone.items() if name not in saved or one.as_of > saved[name].as_of}
        return saved, paint.place(setup.key)


def fill(live: LiveState, saved: Mapping[str, SavedTable], clock: Clock) -> float:
    """Fill live state with rows that were read; returns since when they are old, as `seed` does."""
    as_of = min((table.as_of for table in saved.values()), default=0.0)
    for name, table in saved.items():
        rows: Mapping[str, Any] = table.rows
        live.apply("cache", Replace(name, rows))
    live.status(SourceStatus(CONNECTION, SourceState.NEVER, last_ok=as_of, last_byte=as_of, since=clock.now()))
    return as_of


def console_actor(who: str) -> Actor:
    """Return who acts in this process: user, machine, and an id that no other process has. To be asked for once."""
    user, _, host = who.partition("@")
    return Actor(user, host, f"{host}-{os.getpid()}-{os.urandom(3).hex()}")


def actor() -> str:
    """Return who drives: user@host, from the machine; not proof of identity, only a name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname().split('.')[0]}"
