"""Read from the pinned Kubernetes sources which fields each kind has, for the rehearsal estate to check writes by.

``python -m tests.controlplane.wire_schema`` writes ``services/rehearsal/wire/schema.txt`` anew. Each unindented line
names a struct; below it one line a field: JSON name (``-`` for an inlined struct), protobuf number, type, and then
``merge=`` the merge key of a strategic merge patch, ``map=`` the keys of a list that is a map, ``retain`` for keys that
go unless they are named, ``set``, ``atomic`` for what one manager owns whole, ``zero`` where a zero value is shown.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TARGET = Path(__file__).parents[2] / "services/rehearsal/wire/schema.txt"
PACKAGES = {
    "core": "api@{v}/core/v1",
    "apps": "api@{v}/apps/v1",
    "batch": "api@{v}/batch/v1",
    "coordination": "api@{v}/coordination/v1",
    "policy": "api@{v}/policy/v1",
    "hpa": "api@{v}/autoscaling/v2",
    "autoscaling": "api@{v}/autoscaling/v1",
    "networking": "api@{v}/networking/v1",
    "meta": "apimachinery@{v}/pkg/apis/meta/v1",
}
ROOTS = {
    "core": "Pod Node ConfigMap Secret Event Service Namespace ServiceAccount PersistentVolumeClaim ResourceQuota",
    "apps": "Deployment StatefulSet DaemonSet ReplicaSet ControllerRevision",
    "batch": "Job CronJob",
    "coordination": "Lease",
    "policy": "PodDisruptionBudget Eviction",
    "hpa": "HorizontalPodAutoscaler",
    "autoscaling": "Scale",
    "networking": "Ingress",
    "meta": "DeleteOptions",
}
VERSION = "v0.36.3"
_LEAVES = {
    "metav1.Time": "time",
    "metav1.MicroTime": "microtime",
    "Time": "time",
    "MicroTime": "microtime",
    "resource.Quantity": "quantity",
    "intstr.IntOrString": "intorstring",
    "runtime.RawExtension": "raw",
    "metav1.FieldsV1": "raw",
    "FieldsV1": "raw",
    "string": "string",
    "types.UID": "string",
    "bool": "bool",
    "int32": "int",
    "int64": "int",
    "uint32": "int",
    "float64": "float",
    "[]byte": "bytes",
}
_IMPORT = re.compile(r'^\s*(\w+)?\s*"k8s\.io/(api|apimachinery)/(?:pkg/apis/)?(\w+)/(v\d)"', re.MULTILINE)
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_ALIAS = re.compile(r"^type (\w+) (string|int32|int64|bool|map\[\w+\][\w.]+|\[\]\w+)\b", re.MULTILINE)
_ATOMIC = re.compile(r"\+structType=atomic\n(?://.*\n)*type (\w+) struct")
_FIELD = re.compile(r"^\t(?:(\w+)\s+)?([\w.*\[\]]+)\s+`([^`]*)`", re.MULTILINE)


@dataclass(frozen=True)
class Package:
    """One Go package: its structs' bodies, its named types, and what its imports are called here."""

    name: str
    structs: dict[str, str]
    aliases: dict[str, str]
    imports: dict[str, str]
    atomic: frozenset[str]


def read_package(root: Path, name: str) -> Package:
    """Read a package's ``types.go``; raise OSError when the module is not there."""
    text = (root / PACKAGES[name].format(v=VERSION) / "types.go").read_text()
    known = {"autoscaling/v2": "hpa"}
    imports = {
        (alias or version): known.get(f"{group}/{version}", group) for alias, _, group, version in _IMPORT.findall(text)
    }
    atomic = frozenset(_ATOMIC.findall(text))
    return Package(name, dict(_STRUCT.findall(text)), dict(_ALIAS.findall(text)), imports, atomic)


def lines(root: Path) -> Iterator[str]:
    """Yield the schema's lines: every struct that a root reaches, in alphabetical order."""
    packages = {name: read_package(root, name) for name in PACKAGES}
    todo = [f"{package}.{kind}" for package, kinds in ROOTS.items() for kind in kinds.split()]
    done: dict[str, list[str]] = {}
    while todo:
        name = todo.pop()
        if name in done:
            continue
        done[name] = list(_fields(packages, name, todo))
    for name in sorted(done):
        package, struct = name.split(".")
        yield f"{name} atomic" if struct in packages[package].atomic else name
        yield from done[name]


def _fields(packages: dict[str, Package], name: str, todo: list[str]) -> Iterator[str]:
    package, struct = name.split(".")
    body = packages[package].structs[struct]
    end = 0
    for found in _FIELD.finditer(body):
        comment, end = body[end : found.start()], found.end()
        kind, tags = found[2], dict(re.findall(r'(\w+):"([^"]*)"', found[3]))
        if kind.endswith("TypeMeta") or "protobuf" not in tags:
            continue
        json_name = tags["json"].split(",")[0] or "-"
        parts = ["", json_name, tags["protobuf"].split(",")[1], _type(packages, package, kind, todo)]
        if tags.get("patchStrategy", "").startswith("merge"):
            parts.append(f"merge={tags.get('patchMergeKey', '')}")
        if "retainKeys" in tags.get("patchStrategy", ""):
            parts.append("retain")
        keys = re.findall(r"\+listMapKey=(\w+)", comment)
        if keys:
            parts.append(f"map={','.join(keys)}")
        elif "+listType=set" in comment:
            parts.append("set")
        elif "+listType=atomic" in comment or "+structType=atomic" in comment or "+mapType=atomic" in comment:
            parts.append("atomic")
        if kind.startswith("*") or "omitempty" not in tags["json"]:
            parts.append("zero")
        yield " ".join(parts)


def _type(packages: dict[str, Package], package: str, kind: str, todo: list[str]) -> str:
    kind = kind.lstrip("*")
    if kind in _LEAVES:
        return _LEAVES[kind]
    if kind.startswith("[]"):
        return f"[]{_type(packages, package, kind[2:], todo)}"
    if kind.startswith("map["):
        return f"{{}}{_type(packages, package, kind.split(']', 1)[1], todo)}"
    home, _, plain = kind.rpartition(".")
    home = packages[package].imports[home] if home else package
    aliased = packages[home].aliases.get(plain)
    if aliased is not None:
        return _type(packages, home, aliased, todo)
    todo.append(f"{home}.{plain}")
    return f"{home}.{plain}"


def sources() -> Path | None:
    """Return the folder of the pinned modules in Go's cache, or None when they are not there."""
    go = shutil.which("go")
    if go is None:
        return None
    cache = subprocess.run([go, "env", "GOMODCACHE"], capture_output=True, text=True, check=True).stdout.strip()
    found = Path(cache) / "k8s.io"
    return found if (found / PACKAGES["core"].format(v=VERSION)).is_dir() else None


def main() -> int:
    """Write the file anew; return the exit code."""
    root = sources()
    if root is None:
        sys.stderr.write("The Kubernetes modules are not in Go's cache; run: make test-contract\n")
        return 1
    TARGET.write_text("\n".join(lines(root)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
