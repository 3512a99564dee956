from __future__ import annotations

import base64
import json
import signal
import ssl
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

_PATIENCE = 90


def start(folder: Path, *more: str) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    command = [sys.executable, "-m", "services.rehearsal", "--folder", str(folder), *more]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate(timeout=_PATIENCE)[1].decode()
    return process, json.loads(line)


def end(process: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    _, errors = process.communicate(timeout=_PATIENCE)
    return process.returncode, errors


def test_a_process_of_its_own(tmp_path: Path) -> None:
    process, said = start(tmp_path, "--scenario", "bad-deploy", "--seed", "11", "--hostile")
    path = Path(said["kubeconfig"])
    assert "kubeconfig" in path.name
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
    config = yaml.safe_load(path.read_text())
    assert config["current-context"] == said["contexts"]["admin"] == said["cluster"]
    assert {one["name"] for one in config["contexts"]} == set(said["contexts"].values())
    narrow = next(one for one in config["contexts"] if one["name"] == said["contexts"]["narrow"])
    assert narrow["context"]["namespace"] in said["narrow_namespaces"]
    cluster = config["clusters"][0]["cluster"]
    assert cluster["server"] == said["url"]
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    token = next(one for one in config["users"] if one["name"].endswith("-admin"))["user"]["token"]
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.get(f"{said['url']}/api/v1/nodes", headers=headers, verify=context, timeout=_PATIENCE)
    assert len(answer.json()["items"]) == 12
    process.send_signal(signal.SIGTERM)
    assert end(process) == (0, b"")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGHUP])
def test_signals_end_it_cleanly(tmp_path: Path, how: signal.Signals) -> None:
    process, _ = start(tmp_path)
    process.send_signal(how)
    assert end(process) == (0, b"")


def test_it_goes_with_its_parent(tmp_path: Path) -> None:
    process, _ = start(tmp_path, "--exit-with-parent")
    assert process.stdin is not None
    process.stdin.close()
    process.stdin = None
    assert end(process) == (0, b"")


def test_a_taken_port_is_said_in_one_sentence(tmp_path: Path) -> None:
    first, said = start(tmp_path / "one")
    port = said["url"].rsplit(":", 1)[1]
    command = [sys.executable, "-m", "services.rehearsal", "--port", port, "--folder", str(tmp_path / "two")]
    second = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False)
    assert second.returncode == 1
    assert b"could not start" in second.stderr
    assert b"Traceback" not in second.stderr
    first.terminate()
    assert end(first)[0] == 0
