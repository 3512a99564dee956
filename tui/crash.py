"""When the program itself fails: one clean line for the operator, a scrubbed report on disk, a non-zero exit code.

A trace-back with its locals on a shared screen is a leak; here none is ever built. Nothing in this module imports
textual, so that the command line is guarded before there is a screen.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import platform
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from services.errors import Problem
from services.model.text import SafeText
from services.redact import redact
from services.sanitize import safe_line, safe_text
from tui import __version__
from tui.exitcodes import ExitCode

if TYPE_CHECKING:
    import asyncio

    from textual.app import App

    _Base = App[Any]
else:
    _Base = object

KEPT_REPORTS = 20
MAX_FRAMES = 60
MAX_CHAIN = 8
TERMINAL_THREADS = ("textual-input", "textual-output")
TERMINAL_GONE = SafeText("The terminal is gone.")

# In a report every long word with a digit in it goes: it may be a credential that no pattern knows.
_OPAQUE = re.compile(r"(?=[\w+/=.-]*\d)(?=[\w+/=.-]*[A-Za-z])[\w+/=.-]{12,}")
_ROOT = Path(__file__).resolve().parent.parent


def scrub(text: object, limit: int = 300) -> SafeText:
    """Return an exception's message as a report may hold it: safe, redacted, opaque words masked."""
    return SafeText(_OPAQUE.sub("***", redact(safe_text(_worded(text), limit))))


def trace(error: BaseException) -> str:
    """Return the trace-back of an error, its causes and its members, without locals and with scrubbed messages."""
    return "\n".join(_lines(error, "", set()))


def summary(error: BaseException) -> SafeText:
    """Return type and place of an error, never its message: `ValueError in tui/bridge.py:120 (pull)`."""
    error = _unwrapped(error)
    kind = safe_text(type(error).__name__, 60)
    frame = _own_frame(error.__traceback__)
    return SafeText(f"{kind} in {frame}" if frame else kind)


class CrashLog:
    """Writes reports into the state folder, readable by their owner alone; the newest twenty are kept."""

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._now = now
        self._lock = threading.Lock()
        self._written = 0

    def write(self, error: BaseException, where: str) -> Path | None:
        """Write a report and return its path; None where it cannot be written, or after many in one run."""
        with self._lock:
            if self._written >= KEPT_REPORTS:
                return None
            self._written += 1
            try:
                return self._write(error, where)
            except (OSError, ValueError):
                return None

    def _write(self, error: BaseException, where: str) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._now()))
        path = self._folder / f"crash-{stamp}-{os.getpid()}-{self._written}.txt"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(f"quarterdeck {__version__} crashed at {stamp} in {where}\n")
            file.write(
                f"Python {platform.python_version()} on {sys.platform}, TERM {safe_text(os.environ.get('TERM'))}\n\n"
            )
            file.write(trace(error) + "\n")
        for old in sorted(self._folder.glob("crash-*.txt"))[:-KEPT_REPORTS]:
            old.unlink(missing_ok=True)
        return path

    def report(self, error: BaseException, where: str) -> SafeText:
        """Write a report and return the line for the operator."""
        path = self.write(error, where)
        rest = f"Details, without secrets, are in {homely(path)}" if path else "No report could be written"
        return SafeText(f"quarterdeck stopped: an error of its own, {summary(error)}. {rest}; please report it.")


class CrashHygiene(_Base):
    """Mixed into the App before `App` itself: a crash shows one line, not a trace-back, and sets the return code.

    Overrides private methods of the pinned Textual; a test with a real terminal holds them.
    """

    crash_log: CrashLog | None = None

    def _handle_exception(self, error: Exception) -> None:
        self._return_code = ExitCode.CRASH
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._crashed(error)

    def _fatal_error(self) -> None:
        self._return_code = ExitCode.CRASH
        self._crashed(sys.exc_info()[1] or RuntimeError())

    def panic(self, *renderables: object) -> None:
        """Stop because of an error; what was to be printed is not, since it may hold anything."""
        del renderables
        self._fatal_error()

    def _crashed(self, error: BaseException) -> None:
        if not getattr(self, "_crash_told", False):
            self._crash_told = True
            log = self.crash_log or CrashLog(Path(os.devnull))
            from rich.text import Text

            line = error.sentence if isinstance(error, Problem) else log.report(_unwrapped(error), "the screen")
            self._exit_renderables[:] = [Text(line)]
        self._close_messages_no_wait()


def _lost(error: BaseException, thread: str) -> bool:
    """Tell whether a thread ended because the terminal that it reads or writes is gone: no fault of this program."""
    return isinstance(error, OSError) and error.errno == errno.EIO and thread in TERMINAL_THREADS


def install(log: CrashLog, on_thread: Callable[[SafeText], None] | None = None) -> None:
    """Route everything that Python would print about errors into `log`: the main thread's, threads', loggers'.

    `on_thread` is called on the thread that died, with the line for the operator.
    """

    def in_main(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt):
            return
        tell(error.sentence if isinstance(error, Problem) else log.report(error, "the main thread"))

    def in_thread(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is None or isinstance(failed.exc_value, SystemExit):
            return
        name = failed.thread.name if failed.thread else "?"
        line = TERMINAL_GONE if _lost(failed.exc_value, name) else log.report(failed.exc_value, f"thread {name}")
        if on_thread is not None:
            on_thread(line)

    def in_finaliser(failed: sys.UnraisableHookArgs) -> None:
        if failed.exc_value is not None:
            log.write(failed.exc_value, "a finaliser")

    sys.excepthook = in_main
    threading.excepthook = in_thread
    sys.unraisablehook = in_finaliser
    logging.captureWarnings(capture=True)
    hush()


def hush() -> None:
    """Let no logger print where nobody has asked for its words: a loop that ends with a failed task would trace it."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())


def loop_handler(log: CrashLog) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """Return a handler for `loop.set_exception_handler`: what nobody awaited goes into `log`, not on screen."""

    def handle(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            log.write(error, "a task")

    return handle


def guarded(main: Callable[[], int], log: CrashLog) -> int:
    """Run the command and return its exit code; whatever escapes becomes one line and a non-zero code."""
    try:
        return main()
    except Problem as problem:
        tell(problem.sentence)
        return ExitCode.UNKNOWN
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`| head`): nobody is left to tell, and the interpreter's last flush must not fail again.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ExitCode.of_signal(13)
    except Exception as error:  # noqa: BLE001 - the last line of defence
        tell(log.report(error, "the command"))
        return ExitCode.CRASH


def tell(line: str) -> None:
    """Print one line on the standard error that the process started with, if there still is one."""
    stream = sys.__stderr__
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(safe_line(line), file=stream, flush=True)


def _unwrapped(error: BaseException) -> BaseException:
    """Take the real error out of textual's WorkerFailed."""
    inner = getattr(error, "error", None)
    return inner if type(error).__name__ == "WorkerFailed" and isinstance(inner, BaseException) else error


def _worded(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a message that cannot be made is no reason to crash twice
        return "(no message)"


def _lines(error: BaseException, indent: str, seen: set[int]) -> Iterator[str]:
    if id(error) in seen or len(seen) >= MAX_CHAIN:
        return
    seen.add(id(error))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _lines(cause, indent, seen)
        yield f"{indent}which led to:"
    frames = traceback.extract_tb(error.__traceback__)
    if len(frames) > MAX_FRAMES:
        yield f"{indent}  ... {len(frames) - MAX_FRAMES} frames ..."
    for frame in frames[-MAX_FRAMES:]:
        yield f"{indent}  {_short(frame.filename)}:{frame.lineno} {safe_text(frame.name, 80)}"
        if frame.line and _short(frame.filename) != frame.filename:
            yield f"{indent}    {redact(safe_text(frame.line, 160))}"
    yield f"{indent}{safe_text(type(error).__qualname__, 80)}: {scrub(error)}"
    for member in getattr(error, "exceptions", ()):
        yield f"{indent}  member:"
        yield from _lines(member, indent + "  ", seen)


def _own_frame(tb: TracebackType | None) -> str:
    """Return the innermost frame of our own code, else the innermost of all, as `file:line (function)`."""
    frames = traceback.extract_tb(tb, limit=-MAX_FRAMES)
    own = [frame for frame in frames if frame.filename.startswith(str(_ROOT)) and "site-packages" not in frame.filename]
    for frame in reversed(own or frames):
        return f"{_short(frame.filename)}:{frame.lineno} ({safe_text(frame.name, 60)})"
    return ""


def _short(filename: str) -> str:
    """Cut the folders above the package, which may hold the operator's name; a file of nobody's keeps only its name."""
    path = Path(filename)
    for marker in ("site-packages", f"python{sys.version_info.major}.{sys.version_info.minor}"):
        if marker in path.parts:
            at = len(path.parts) - path.parts[::-1].index(marker)
            return safe_text("/".join(path.parts[at:]), 120)
    if path.is_relative_to(_ROOT):
        return safe_text(path.relative_to(_ROOT).as_posix(), 120)
    return safe_text(path.name, 80)


def homely(path: Path) -> str:
    """Return a path with the home folder as `~`, which spares the screen the user's name."""
    with contextlib.suppress(ValueError, RuntimeError):
        return str(safe_text(f"~/{path.relative_to(Path.home())}", 200))
    return str(safe_text(path, 200))
