"""Crashes of a real app on a real terminal: one line, no secret, a private report, a non-zero code."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from pty_program import PtyProgram

from services.errors import Problem
from services.model.text import SafeText
from tui.crash import CrashLog, guarded, loop_handler, scrub, summary, trace
from tui.exitcodes import ExitCode

CANARY = "cAnArY-7f3a9c1e55"

APP = """
    import asyncio, sys, threading
    from pathlib import Path
    from textual.app import App
    from textual.widgets import Static
    from tui.crash import CrashHygiene, CrashLog, install

    class Bad:
        def __rich__(self):
            raise ValueError("token=" + CANARY)

    class Loud(Exception):
        def __rich__(self):
            return CANARY

    class Boom(CrashHygiene, App):
        crash_log = CrashLog(Path(sys.argv[1]))
        def compose(self):
            yield Static("ready to go")
        def on_key(self, event):
            token = CANARY
            secret = {"password": token}
            getattr(self, "do_" + sys.argv[2])(token)
        def do_handler(self, token):
            raise ValueError("token is " + token)
        def do_rich(self, token):
            raise Loud(token)
        def do_worker(self, token):
            async def work():
                raise ValueError(token)
            self.run_worker(work())
        def do_thread(self, token):
            def work():
                held = token
                raise ValueError(held)
            self.run_worker(work, thread=True)
        def do_render(self, token):
            self.query_one(Static).update(Bad())
        def do_panic(self, token):
            self.panic("the secret is " + token)
        def do_later(self, token):
            self.call_later(lambda: {}[token])

    CANARY = "cAnArY-" + "7f3a9c1e55"
    install(Boom.crash_log)
    app = Boom()
    app.run()
    sys.exit(app.return_code)
"""


def program(source: str, tmp_path: Path, *arguments: str) -> list[str]:
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(source))
    return [sys.executable, str(file), *arguments]


@pytest.mark.parametrize("way", ["handler", "rich", "worker", "thread", "render", "panic", "later"])
def test_a_crash_of_the_screen_leaks_nothing(way: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with PtyProgram(program(APP, tmp_path, str(state), way)) as child:
        before = child.attributes()
        child.read_until(b"ready to go")
        child.write(b"k")
        assert child.finish() == ExitCode.CRASH
        assert child.attributes() == before
        shown = child.output.partition(b"\x1b[?1049l")[2].decode()
    assert "quarterdeck stopped: an error of its own" in shown
    assert CANARY not in child.output.decode()
    assert "Traceback" not in shown
    (report,) = state.iterdir()
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    text = report.read_text()
    assert CANARY not in text
    assert way == "panic" or "Error" in text or "Loud" in text


HOOKS = """
    import asyncio, logging, sys, threading
    from pathlib import Path
    from tui.crash import CrashLog, install, loop_handler
    CANARY = "cAnArY-" + "7f3a9c1e55"
    log = CrashLog(Path(sys.argv[1]))
    told = []
    install(log, told.append)

    def fail(token):
        raise ValueError("password=" + token)

    thread = threading.Thread(target=fail, args=(CANARY,), name="services")
    thread.start(); thread.join()
    assert len(told) == 1 and CANARY not in told[0], told

    def loses_its_terminal():
        raise OSError(5, "Input/output error")

    thread = threading.Thread(target=loses_its_terminal, name="textual-output")
    thread.start(); thread.join()
    assert told[1:] == ["The terminal is gone."], "told, and no report is left"

    async def main():
        asyncio.get_running_loop().set_exception_handler(loop_handler(log))
        async def fails():
            fail(CANARY)
        task = asyncio.create_task(fails())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task
    asyncio.run(main())

    class Falls:
        def __del__(self):
            fail(CANARY)
    Falls()
    logging.getLogger("kubernetes").error("token %s", CANARY)
    import warnings
    warnings.warn(CANARY)
    fail(CANARY)
"""


def test_nothing_that_python_prints_by_itself_leaks(tmp_path: Path) -> None:
    run = subprocess.run(
        program(HOOKS, tmp_path, str(tmp_path / "state")),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert run.returncode == 1
    assert run.stdout == ""
    assert CANARY not in run.stderr
    assert "Traceback" not in run.stderr
    assert run.stderr.count("\n") == 1
    reports = [report.read_text() for report in (tmp_path / "state").iterdir()]
    assert len(reports) == 4
    assert not any(CANARY in report for report in reports)
    for where in ("thread services", "a task", "a finaliser", "the main thread"):
        assert any(where in report for report in reports), where


def _raise_chain() -> None:
    hidden = CANARY
    try:
        raise KeyError(hidden)
    except KeyError as error:
        raise ExceptionGroup(
            "several", [OSError(f"Authorization: Bearer {hidden}"), ValueError("plain words")]
        ) from error


def test_a_trace_holds_places_and_causes_without_locals() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        _raise_chain()
    text = trace(caught.value)
    assert CANARY not in text
    assert "KeyError: '***'" in text
    assert "which led to:" in text
    assert "ValueError: plain words" in text
    assert "tests/unit/tui_base/test_crash.py:" in text
    assert "ExceptionGroup in tests/unit/tui_base/test_crash.py" in summary(caught.value)


def test_a_message_is_made_safe_and_short() -> None:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert scrub(ValueError("\x1b]52;c;eA==\x07 pod web-1 failed")) == " pod web-1 failed"
    assert len(scrub("word " * 900)) <= 300
    assert scrub(SilentError()) == "(no message)"


def test_an_endless_chain_ends() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert trace(one).count("ValueError") == 2


def test_reports_are_few_and_a_full_disk_is_no_second_crash(tmp_path: Path) -> None:
    moments: Iterator[int] = iter(range(100))
    log = CrashLog(tmp_path, now=lambda: float(next(moments)))
    for old in range(30):
        (tmp_path / f"crash-0000{old:02}.txt").touch()
    for _ in range(40):
        log.write(ValueError("x"), "a test")
    assert len(list(tmp_path.iterdir())) == 20
    assert CrashLog(Path(os.devnull) / "no").report(ValueError("x"), "a test").endswith("please report it.")


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (Problem(SafeText("The server said no.")), ExitCode.UNKNOWN, "The server said no."),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, ""),
        (ValueError(CANARY), ExitCode.CRASH, "an error of its own, ValueError in"),
    ],
)
def test_whatever_escapes_the_command_becomes_a_line_and_a_code(
    error: BaseException, code: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    with told.open("w") as stream:
        monkeypatch.setattr(sys, "__stderr__", stream)

        def main() -> int:
            raise error

        assert guarded(main, CrashLog(tmp_path / "state")) == code
    assert says in told.read_text()
    assert CANARY not in told.read_text()


def test_a_reader_that_goes_away_is_no_crash(tmp_path: Path) -> None:
    source = """
        import sys
        from pathlib import Path
        from tui.crash import CrashLog, guarded
        def main():
            for _ in range(100000):
                print("row", flush=True)
            return 0
        sys.exit(guarded(main, CrashLog(Path(sys.argv[1]))))
    """
    command = program(source, tmp_path, str(tmp_path / "state"))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait() == 141


def test_a_loop_handler_takes_messages_without_an_error(tmp_path: Path) -> None:
    loop = asyncio.new_event_loop()
    loop_handler(CrashLog(tmp_path))(loop, {"message": "x"})
    loop.close()
    assert list(tmp_path.iterdir()) == []
