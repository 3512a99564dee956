"""Builds the wheel and the self-contained file, and runs both from a folder that is not the checkout."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


def call(*words: str | Path, cwd: Path, expect: int = 0, **environment: str) -> str:
    """Run a command; returns what it printed. Exits with its output when its code is not the expected one."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(words, cwd=cwd, env=clean | environment, capture_output=True, text=True, check=False)
    if done.returncode != expect:
        sys.exit(f"{' '.join(map(str, words))} ended with {done.returncode}, not {expect}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def try_program(program: Path, folder: Path) -> None:
    """Ask the program what it can answer without a terminal and without a cluster."""
    state = {"QUARTERDECK_STATE_DIR": str(folder / "state"), "HOME": str(folder), "KUBECONFIG": str(folder / "none")}
    assert "quarterdeck" in call(program, "--version", cwd=folder, **state)
    assert "[ui]" in call(program, "config", "example", cwd=folder, **state)
    assert "_quarterdeck" in call(program, "completion", "bash", cwd=folder, **state)
    told = call(program, "status", cwd=folder, expect=2, **state)
    assert "kubeconfig" in told, told
    assert "Traceback" not in told, told
    try_demo(program, folder, state)


def try_demo(program: Path, folder: Path, state: dict[str, str]) -> None:
    """Serve the estate, whose process has to find the program too, from a folder that has `services` of its own."""
    (folder / "services").mkdir(exist_ok=True)
    (folder / "services" / "__init__.py").touch()
    words = (program, "demo", "--serve", "--scenario", "calm")
    with subprocess.Popen(words, cwd=folder, env=os.environ | state, stdout=subprocess.PIPE, text=True) as served:
        try:
            line = served.stdout.readline() if served.stdout is not None else ""
        finally:
            served.send_signal(signal.SIGTERM)
    assert line.startswith("kubeconfig "), line
    assert served.returncode == 128 + signal.SIGTERM
    assert not Path(line.split()[1]).exists(), "what it made is taken away with it"


def main() -> None:
    """Build, install, run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        elsewhere = folder / "elsewhere"
        elsewhere.mkdir()
        call(sys.executable, "-m", "build", "--wheel", "--outdir", folder / "dist", ROOT, cwd=ROOT)
        (wheel,) = (folder / "dist").glob("*.whl")
        venv.create(folder / "venv", with_pip=True)
        pip = (folder / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet")
        call(*pip, "--constraint", ROOT / "constraints.txt", wheel, cwd=elsewhere)
        try_program(folder / "venv" / "bin" / "quarterdeck", elsewhere)
        bundle = folder / "quarterdeck"
        shiv = (Path(sys.executable).parent / "shiv", "--quiet", "--compile-pyc", "-e", "tui.cli:main", "-o", bundle)
        call(*shiv, "--constraint", ROOT / "constraints.txt", wheel, cwd=elsewhere)
        os.environ["SHIV_ROOT"] = str(folder / "shiv")
        try_program(bundle, elsewhere)
    sys.stdout.write("the wheel and the self-contained file run from another folder\n")


if __name__ == "__main__":
    main()
