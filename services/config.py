"""Finds, loads and watches the configuration: flag over environment over file over default."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from msgspec import NODEFAULT, Struct, structs

from services.config_locate import KeyPath, did_you_mean, dotted, key_lines, line_of
from services.config_schema import Config, ContextSettings
from services.config_secret import SecretRef
from services.errors import Problem
from services.model.text import SafeText
from services.redact import redact
from services.sanitize import safe_line

if TYPE_CHECKING:
    from services.config_decode import Fault, Override

__all__ = ["Config", "ConfigProblem", "ConfigWatch", "ContextSettings", "Loaded", "SecretRef", "difference", "load"]

MAX_BYTES = 262_144
PREFIX = "QUARTERDECK_"
PATH_VARIABLE = "QUARTERDECK_CONFIG"
# Sections whose settings the environment can name, as QUARTERDECK_<SECTION>_<SETTING>.
_OPEN_SECTIONS = ("ui", "history", "rollouts", "logs", "costs")
_OPEN_PREFIXES = tuple(f"{PREFIX}{section.upper()}_" for section in _OPEN_SECTIONS)

Stamp = tuple[int, int, int] | None


class ConfigProblem(Problem):
    """The configuration cannot be used; `faults` are whole sentences, one a fault, `sentence` is the first of them."""

    def __init__(self, faults: tuple[SafeText, ...]) -> None:
        more = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(SafeText(faults[0] + more))
        self.faults = faults


class Difference(Struct, frozen=True):
    """One setting that changed: its dotted path and both values, as the file would write them."""

    path: str
    old: SafeText
    new: SafeText


class Loaded(Struct, frozen=True):
    """A configuration and where it came from.

    `stamp` is for `changed`; `found` says whether there was a file; `notes` are sentences worth showing that stop
    nothing; `origins` names the source of each setting that is not at its default.
    """

    config: Config
    path: Path
    found: bool = False
    stamp: Stamp = None
    notes: tuple[SafeText, ...] = ()
    origins: Mapping[str, str] = MappingProxyType({})


def config_path(explicit: str | Path | None = None, env: Mapping[str, str] = os.environ) -> tuple[Path, bool]:
    """Return where the file is to be, and whether somebody asked for it by name (then it must exist)."""
    if named := explicit or env.get(PATH_VARIABLE):
        return Path(named).expanduser(), True
    if root := env.get("XDG_CONFIG_HOME"):
        return Path(root) / "quarterdeck" / "config.toml", False
    import platformdirs

    return platformdirs.user_config_path("quarterdeck") / "config.toml", False


def load(
    explicit: str | Path | None = None,
    env: Mapping[str, str] = os.environ,
    flags: Mapping[str, object] = MappingProxyType({}),
) -> Loaded:
    """Load the configuration.

    `explicit` is what `--config` said. `flags` holds settings given on the command line by dotted path
    (`{"ui.theme": "light"}`); None means not given. A missing file is no fault unless it was asked for by name.
    Raises ConfigProblem with a sentence for each fault.
    """
    path, named = config_path(explicit, env)
    stamp = stamp_of(path)
    text = _read(path, named)
    overrides, notes = _overrides(env, flags)
    if not text and not overrides:  # most of this room is not even loaded where nothing was configured
        return Loaded(_with_urls(Config(), env), path, stamp is not None, stamp, tuple(notes))
    from services.config_decode import decode

    raw = _parse(path, text)
    config, faults = decode(raw, overrides)
    lines = key_lines(text) if raw else {}
    if faults:
        raise ConfigProblem(tuple(_sentence(path, lines, fault) for fault in faults))
    if text and stamp is not None and path.stat().st_mode & 0o022:
        notes.append(_safe(f"{path} can be changed by other users; run: chmod go-w {path}"))
    origins = {dotted(key): f"{path}:{line}" for key, line in lines.items() if not _is_table(raw, key)}
    origins |= {dotted(key): override.origin for key, override in overrides.items()}
    return Loaded(_with_urls(config, env), path, stamp is not None, stamp, tuple(notes), MappingProxyType(origins))


def _with_urls(config: Config, env: Mapping[str, str]) -> Config:
    """Put the servers that the environment names in the place of those of the file. Raises ConfigProblem."""
    for section in ("prometheus", "alertmanager"):
        name = f"{PREFIX}{section.upper()}_URLS"
        urls = [url.strip() for url in env.get(name, "").split(",") if url.strip()]
        if not urls:
            continue
        from services.config_endpoints import EndpointSettings

        for url in urls:
            if not url.startswith(("http://", "https://")):
                raise _refused(f"{name}: {url} is no http or https URL")
        servers = {
            section if len(urls) == 1 else f"{section}-{number}": EndpointSettings(url=url)
            for number, url in enumerate(urls, 1)
        }
        config = structs.replace(config, **{section: servers})
    return config


def variables() -> dict[str, KeyPath]:
    """Map each environment variable that is read as a setting to the setting's path."""
    named: dict[str, KeyPath] = {}
    for section in structs.fields(Config):
        if section.name in _OPEN_SECTIONS:
            for setting in structs.fields(type(section.default)):
                if setting.default is NODEFAULT:  # a table of its own
                    continue
                named[f"{PREFIX}{section.name}_{setting.name}".upper()] = (section.name, setting.name)
    return named


def stamp_of(path: Path) -> Stamp:
    """Return what changes when the file does (modification time in ns, size, inode), None where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def changed(path: Path, stamp: Stamp) -> bool:
    """Say whether the file is another one than when it was stamped; came and went count."""
    return stamp_of(path) != stamp


def difference(old: Config, new: Config) -> tuple[Difference, ...]:
    """List the settings that differ, in the order of their paths; a context that one lacks has its defaults there."""
    names = old.contexts.keys() | new.contexts.keys()
    before, after = (
        _flat(structs.replace(one, contexts={name: one.contexts.get(name, ContextSettings()) for name in names}), ())
        for one in (old, new)
    )
    paths = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return tuple(Difference(dotted(path), _shown(before.get(path, "")), _shown(after.get(path, ""))) for path in paths)


class ConfigWatch:
    """Keeps the configuration in use, and takes a new one only when it is good.

    `check` may refuse what has been read (ConfigProblem), or amend it; `problem` is why the file as it is now is not
    in use, None where it is.
    """

    def __init__(
        self,
        loaded: Loaded,
        env: Mapping[str, str],
        flags: Mapping[str, object],
        check: Callable[[Loaded], Loaded] | None = None,
    ) -> None:
        self.loaded = loaded
        self.problem: ConfigProblem | None = None
        self._env = env
        self._flags = flags
        self._check = check
        self._seen = loaded.stamp

    def poll(self, *, anew: bool = False) -> tuple[Difference, ...]:
        """Look once (one `stat`); return what changed, or nothing. `anew` reads the file even where it is the same.

        Raises ConfigProblem, once for each new state of the file, when it is bad: `loaded` then stays what it was.
        """
        if not anew and not changed(self.loaded.path, self._seen):
            return ()
        self._seen = stamp_of(self.loaded.path)
        try:
            fresh = load(self.loaded.path if self.loaded.found else None, self._env, self._flags)
            fresh = self._check(fresh) if self._check is not None else fresh
        except ConfigProblem as problem:
            self.problem = problem
            raise
        self.problem = None
        differences = difference(self.loaded.config, fresh.config)
        self.loaded = fresh
        return differences


def _read(path: Path, named: bool) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        if not named:
            return ""
        raise _refused(f"{path} is not there; check --config and {PATH_VARIABLE}") from None
    except OSError as error:
        why = (error.strerror or "it failed").lower()
        raise _refused(f"{path} could not be read: {why}; check the path and its rights") from None
    if len(raw) > MAX_BYTES:
        raise _refused(f"{path} is longer than {MAX_BYTES // 1024} KiB; is it the right file?")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _refused(f"{path}:{line}: not UTF-8 text; save the file as UTF-8") from None


def _parse(path: Path, text: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, column, reason = _syntax(text, str(error))
        raise _refused(f"{path}:{line}: not valid TOML at column {column}: {reason}") from None
    except RecursionError:
        raise _refused(f"{path}: not valid TOML: nested too deeply") from None


def _syntax(text: str, message: str) -> tuple[int, int, str]:
    """Split the parser's message into line, column and reason, lower-cased; the end of the file is its last line."""
    reason, _, place = message.rpartition(" (at ")
    numbers = [int(word) for word in place.rstrip(")").replace(",", " ").split() if word.isdigit()]
    if len(numbers) == 2:
        line, column = numbers
    else:
        lines = text.splitlines() or [""]
        line, column = len(lines), len(lines[-1]) + 1
    reason = reason or message
    return line, column, reason[:1].lower() + reason[1:]


def _overrides(env: Mapping[str, str], flags: Mapping[str, object]) -> tuple[dict[KeyPath, Override], list[SafeText]]:
    overrides: dict[KeyPath, Override] = {}
    notes: list[SafeText] = []
    told = [name for name in sorted(env) if name.startswith(_OPEN_PREFIXES)]
    given = {name: value for name, value in flags.items() if value is not None}
    if not told and not given:
        return overrides, notes
    from services.config_decode import Override

    known = variables()
    for name in told:
        if name in known:
            overrides[known[name]] = Override(name, env[name])
        else:
            notes.append(_safe(f"{name} is set but names no setting{did_you_mean(name, known)}"))
    for dotted_path, value in given.items():
        path = tuple(dotted_path.split("."))
        overrides[path] = Override("--" + path[-1].replace("_", "-"), value)
    return overrides, notes


def _sentence(path: Path, lines: Mapping[KeyPath, int], fault: Fault) -> SafeText:
    if fault.origin:
        return _safe(f"{fault.origin}: {fault.reason}")
    subject = "" if fault.reason.startswith("unknown ") else f"{dotted(fault.path)} "
    line = line_of(lines, fault.path)
    return _safe(f"{path}:{line}: {subject}{fault.reason}" if line else f"{path}: {subject}{fault.reason}")


def _is_table(raw: Mapping[str, Any], path: KeyPath) -> bool:
    value: Any = raw
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return isinstance(value, Mapping)


def _flat(value: object, path: KeyPath) -> dict[KeyPath, object]:
    if isinstance(value, Struct):
        pairs = ((name, getattr(value, name)) for name in value.__struct_fields__)
    elif isinstance(value, Mapping):
        pairs = ((str(key), inner) for key, inner in value.items())
    else:
        return {path: value}
    flat: dict[KeyPath, object] = {}
    for name, inner in pairs:
        flat |= _flat(inner, (*path, name))
    return flat


def _shown(value: object) -> SafeText:
    if value is None:
        return _safe("unset")
    if isinstance(value, bool):
        return _safe("true" if value else "false")
    if isinstance(value, tuple):
        return _safe(", ".join(map(str, value)))
    return _safe(str(value))


def _safe(text: str) -> SafeText:
    return redact(safe_line(text))


def _refused(text: str) -> ConfigProblem:
    return ConfigProblem((_safe(text),))
