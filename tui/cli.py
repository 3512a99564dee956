"""The command `quarterdeck`: reads the words and hands them to a command; no textual until a screen is wanted."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from tui.exitcodes import ExitCode

COMMANDS = {
    "run": ("run", "run"),
    "open": ("open", "open_what"),
    "demo": ("demo", "demo"),
    "status": ("report", "report"),
    "alerts": ("alerts", "alerts"),
    "rollouts": ("report", "report"),
    "timeline": ("timeline", "timeline"),
    "costs": ("costs", "costs"),
    "incidents": ("incidents", "incidents"),
    "act": ("act", "act"),
    "audit": ("audit", "audit"),
    "outbox": ("outbox", "outbox"),
    "doctor": ("examine", "examine_all"),
    "config": ("settings", "settings"),
    "completion": ("", ""),
}
"""Each command, with the module of `tui.commands` and the function that runs it."""

SCREENS = ("run", "open", "demo")
"""The commands that open a screen."""

SCENARIOS = ("calm", "bad-deploy", "node-down", "noisy-neighbour", "everything-down", "node-trouble", "bad-canary")
"""What the rehearsal estate can play, as its own list says; named here too, so that help needs nothing loaded."""

COMPLETED = ("bash", "zsh", "fish", "tcsh", "contexts", "namespaces", "views")
"""What `completion` prints: the script of a shell, or the names that such a script asks for."""


if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def _selection() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--context", default="", metavar="C", help="the kubeconfig context; pinned from then on")
    where = shared.add_mutually_exclusive_group()
    where.add_argument("-n", "--namespace", default="", metavar="NS", help="watch this namespace only")
    where.add_argument("-A", "--all-namespaces", action="store_true", help="watch every namespace (the default)")
    shared.add_argument("--kubeconfig", default="", metavar="F", help="the kubeconfig, instead of KUBECONFIG")
    shared.add_argument("--config", default="", metavar="F", help="the configuration file")
    return shared


def _screen() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--view", default="", metavar="NAME", help="the table to open: pods, nodes, events, any kind")
    shared.add_argument("--theme", default=None, choices=["dark", "cvd", "light", "contrast", "mono"])
    shared.add_argument("--ascii", action="store_const", const="on", default=None, help="draw with ASCII only")
    shared.add_argument("--slow-link", action="store_const", const="on", default=None, help="paint once a second")
    return shared


ALTERED_TOO = (
    "What actions from this machine left altered (cordons, pauses, manual scale, suspended GitOps, silences) is listed "
    "until it is put back; it does not change the exit code."
)


def parser(*, screens_alone: bool = False, completed: bool = False) -> argparse.ArgumentParser:
    """Return the parser of every command, or of those that open a screen: theirs is waited for with an empty screen.

    `completed` puts the options of the default command beside the commands too, as a shell is to offer them.
    """
    from tui import __version__

    selection, screen = _selection(), _screen()
    root = argparse.ArgumentParser(
        prog="quarterdeck",
        parents=[selection, screen] if completed else [],
        description="The control room for the engineer on call: what is broken, what changed, what can I do about it.",
        epilog="Exit codes: 0 all clear or done, 1 something is failing or was refused, 2 could not tell or bad usage, "
        "3 it is not known how an action ended.",
    )
    root.add_argument("--version", action="version", version=f"quarterdeck {__version__}")
    commands = root.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("run", parents=[selection, screen], help="open the control room (the default)")

    page = commands.add_parser("open", parents=[selection, screen], help="open what a page is about, on one screen")
    page.add_argument("what", metavar="WHAT", help="an alert's name or fingerprint, its link, or NAMESPACE/deploy/NAME")

    demo = commands.add_parser("demo", parents=[screen], help="open it on a rehearsal estate, no cluster needed")
    demo.add_argument("--scenario", default="bad-deploy", choices=SCENARIOS, help="what goes wrong there")
    demo.add_argument("--size", default="small", choices=["small", "large"], help="12 nodes, or 10,000 pods")
    demo.add_argument("--rollouts", action="store_true", help="with Argo Rollouts, a canary and a blue-green workload")
    demo.add_argument("--seed", type=int, default=7, help="names, images and reasons come from it")
    demo.add_argument("--serve", action="store_true", help="no screen: serve, print the kubeconfig's path and URLs")
    demo.add_argument("--port", type=int, default=0, help="with --serve: the port to listen on")
    demo.add_argument("--config", default="", metavar="F", help="the configuration file")
    if screens_alone:
        return root

    _reports(commands, selection)
    commands.add_parser("doctor", parents=[selection], help="check terminal, config, credentials, rights, endpoints")
    config = commands.add_parser("config", help="print an example configuration, its path, its faults, or the keys")
    config.add_argument("what", choices=["example", "path", "check", "keys"], nargs="?", default="example")
    config.add_argument("--config", default="", metavar="F", help="the configuration file")
    completion = commands.add_parser("completion", help="print the completion script of a shell")
    completion.add_argument("what", metavar="SHELL", choices=COMPLETED, help="bash, zsh, fish or tcsh")
    return root


def _reports(commands: Commands, selection: argparse.ArgumentParser) -> None:
    """Add what answers without a screen."""
    for name, text in (("status", "say whether all is clear"), ("rollouts", "list the workloads, worst first")):
        more = ALTERED_TOO if name == "status" else ""
        report = commands.add_parser(name, parents=[selection], help=f"{text}; no screen", description=more)
        report.add_argument("--output", "-o", default="table", choices=["table", "json"])
        report.add_argument("--live", action="store_true", help="ask the cluster instead of the cache")
        report.add_argument("--timeout", type=float, default=20.0, metavar="S", help="with --live: seconds to wait")
    firing = commands.add_parser("alerts", parents=[selection], help="list the alerts, worst first; no screen")
    firing.add_argument("filter", nargs="*", metavar="TERM", help="as after / on the screen: is:firing, ns:shop, text")
    firing.add_argument("--since", default="", metavar="T", help="also those that began and ended within: 1h, 30m, 7d")
    firing.add_argument("--output", "-o", default="table", choices=["table", "json"])
    firing.add_argument("--live", action="store_true", help="ask the servers instead of the cache")
    firing.add_argument("--timeout", type=float, default=20.0, metavar="S", help="with --live: seconds to wait")
    past = commands.add_parser("timeline", parents=[selection], help="list what happened, newest first; no screen")
    past.add_argument("filter", nargs="*", metavar="TERM", help="as after / on the screen: kind:rollout, ns:shop, text")
    past.add_argument("--since", default="24h", metavar="T", help="how far back: 1h, 30m, 7d, or 2026-03-14T03:00Z")
    past.add_argument("--output", "-o", default="table", choices=["table", "json"])
    past.add_argument("--live", action="store_true", help="ask the cluster, not what consoles recorded")
    past.add_argument("--timeout", type=float, default=20.0, metavar="S", help="with --live: seconds to wait")
    costs = commands.add_parser("costs", parents=[selection], help="say what the cluster costs, an estimate; no screen")
    costs.add_argument("--by", default="namespace", choices=["namespace", "team", "workload"])
    costs.add_argument("--since", default="", metavar="T", help="also what it cost within: 6h, 7d, by the kept hours")
    costs.add_argument("--output", "-o", default="table", choices=["table", "json"])
    costs.add_argument("--live", action="store_true", help="ask the cluster instead of the kept hours")
    costs.add_argument("--timeout", type=float, default=20.0, metavar="S", help="with --live: seconds to wait")
    incidents = commands.add_parser("incidents", help="list the open incidents, or print one; no screen, no cluster")
    incidents.add_argument("what", nargs="?", default="", metavar="INC", help="one incident: INC-42")
    incidents.add_argument("--all", action="store_true", help="those that are over too")
    incidents.add_argument("--since", default="", metavar="T", help="also those that ended within: 1h, 30m, 7d")
    incidents.add_argument("--live", action="store_true", help=argparse.SUPPRESS)
    incidents.add_argument("--output", "-o", default="table", choices=["table", "json", "markdown"])
    _of_hands(commands, selection)


def _of_hands(commands: Commands, selection: argparse.ArgumentParser) -> None:
    """Add what acts, and says what was done and told."""
    act = commands.add_parser("act", parents=[selection], help="plan an action, and run it with --yes; no screen")
    act.add_argument("action", metavar="ACTION", help="restart, scale, pause, cordon, ...: as in the action menu")
    act.add_argument("target", nargs="+", metavar="TARGET", help="NAMESPACE/deployment/NAME, node/NAME; ALERT...")
    asked = (("to", "rollback"), ("replicas", "scale"), ("image", "set-image"), ("container", "set-image"))
    silenced = (("for", "silence, ack, extend: 15m, 1h"), ("comment", "silence, ack"), ("matchers", "silence"))
    for name, text in (*asked, *silenced):
        act.add_argument(f"--{name}", default="", metavar="V", help=f"for {text}")
    for name, text in (("empty-dirs", "lose what pods keep in emptyDirs"), ("unmanaged", "evict what nobody manages")):
        act.add_argument(f"--{name}", default="", action="store_const", const="true", help=f"for drain: {text}")
    act.add_argument("--dry-run", action="store_true", help="print the plan alone")
    act.add_argument("--yes", nargs="?", const="yes", default="", metavar="NAME", help="do it; =NAME types its name")
    act.add_argument("--reason", default="", metavar="TEXT", help="why: it stands in the audit trail")
    act.add_argument("--output", "-o", default="table", choices=["table", "json"])
    act.add_argument("--timeout", type=float, default=20.0, metavar="S", help="seconds to wait for the cluster")
    act.add_argument("--tell-timeout", type=float, default=10.0, metavar="S", help="seconds to deliver what is told")
    audit = commands.add_parser("audit", help="say what was done from this machine, and whether its record holds")
    audit.add_argument("what", nargs="?", default="list", choices=["list", "show", "verify", "export"])
    audit.add_argument("intent", nargs="?", default="", metavar="N", help="with show: the number of an entry")
    audit.add_argument("--since", default="", metavar="T", help="how far back: 1h, 30m, 7d; everything without it")
    audit.add_argument("--steps", action="store_true", help="the steps in between too")
    audit.add_argument("--output", "-o", default="table", choices=["table", "json"])
    told = commands.add_parser("outbox", help="list what is told to people, try it again, or drop it; no screen")
    told.add_argument("what", nargs="?", default="list", choices=["list", "retry", "drop", "send"])
    told.add_argument("id", nargs="?", default="", metavar="ID", help="with retry and drop: the message, or all")
    told.add_argument("--all", action="store_true", help="those that were accepted long ago too")
    told.add_argument("--reason", default="", metavar="TEXT", help="with drop: why; it stands in the audit trail")
    told.add_argument("--timeout", type=float, default=20.0, metavar="S", help="with send: seconds to deliver")
    told.add_argument("--config", default="", metavar="F", help="the configuration file")
    told.add_argument("--output", "-o", default="table", choices=["table", "json"])


def words(argv: Sequence[str]) -> list[str]:
    """Return the words with the default command put in where none was given."""
    if argv and (argv[0] in COMMANDS or argv[0] in ("-h", "--help", "--version")):
        return list(argv)
    return ["run", *argv]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    said = words(sys.argv[1:] if argv is None else argv)
    arguments = parser(screens_alone=said[0] in SCREENS).parse_args(said)
    from services.errors import Problem

    if said[0] not in SCREENS:
        from tui.crash import hush

        hush()
    try:
        return dispatch(arguments)
    except Problem as problem:
        from services.redact import redact

        print(redact(problem.sentence), file=sys.stderr)  # noqa: T201 - the command line answers in print
        return ExitCode.UNKNOWN
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001 - one sentence and a report, never a trace
        from cache.folder import state_folder
        from tui.crash import CrashLog

        print(CrashLog(state_folder()).report(error, "the command"), file=sys.stderr)  # noqa: T201
        return ExitCode.CRASH


def dispatch(arguments: argparse.Namespace) -> int:
    """Hand the parsed words to their command; each imports only what it needs."""
    if arguments.command == "completion":
        from tui.completion import completed

        sys.stdout.write(completed(arguments.what, parser(completed=True)))
        return ExitCode.OK
    room, name = COMMANDS[arguments.command]
    command: Callable[[argparse.Namespace], int] = getattr(import_module(f"tui.commands.{room}"), name)
    return command(arguments)


if __name__ == "__main__":
    sys.exit(main())
