"""A team's scope: from the configuration and from the screen, saying what it hides, and there again after a quit."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from screenshots import scene, scene_runtime
from services.rehearsal.server import Rehearsal
from tests.flows.conftest import Open
from tests.flows.program import Program, kubeconfig_of, program
from tui import palette
from tui.console import Scope
from tui.presenters.goto import read_going


def configure(home: Path, text: str) -> None:
    folder = home / "config" / "quarterdeck"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(text)


def troubled(console: Program) -> list[tuple[str, tuple[str, ...]]]:
    """Return namespace and labels of what is CRIT."""
    rows = console.assembly.live.snapshot().tables["rollouts"].values()
    return sorted((row.ref.namespace, tuple(row.workload.labels)) for row in rows if row.severity.name == "CRIT")


async def live(console: Program) -> None:
    await console.until(lambda: "   live" in console.header and "▲?" not in console.header)


async def type_in(console: Program, text: str) -> None:
    await console.press("colon", *("space" if letter == " " else letter for letter in text), "enter")


async def test_the_configuration_narrows_and_the_header_says_what_is_hidden(home: Path, estate: Rehearsal) -> None:
    words = ("--kubeconfig", kubeconfig_of(estate))
    async with program(*words) as console:
        await live(console)
        crit = troubled(console)
        assert len(crit) > 1
    mine = crit[0][0]
    outside = sum(namespace != mine for namespace, _ in crit)
    configure(home, f'[contexts."*"]\nnamespaces = ["{mine}"]\n')
    for flags in ((), (), ("--view", "rollouts")):
        async with program(*words, *flags) as console:
            await live(console)
            await console.until_seen(f"ns {mine}", f"+{outside} CRIT outside")
            assert f"▲{len(crit) - outside} CRIT" in console.header
            keys = console.app.front.driver.widget.vm.order
            assert not [key for key in keys if f"/{crit[-1][0]}/" in key]
            if flags:
                await console.until_seen("outside the scope")
    async with program(*words, "-A") as console:
        await live(console)
        assert "outside" not in console.header
    async with program(*words, "-n", crit[-1][0]) as console:
        await console.until_seen(f"ns {crit[-1][0]}")
    async with program(*words) as console:
        await live(console)
        assert f"ns {mine}" in console.header, "a flag narrows one run only"


async def test_labels_narrow_too(home: Path, estate: Rehearsal) -> None:
    words = ("--kubeconfig", kubeconfig_of(estate))
    async with program(*words) as console:
        await live(console)
        crit = troubled(console)
    label = next(one for one in crit[0][1] if sum(one in labels for _, labels in crit) < len(crit))
    outside = sum(label not in labels for _, labels in crit)
    configure(home, f'[contexts."*"]\nlabels = "{label}"\n')
    async with program(*words) as console:
        await live(console)
        await console.until_seen(label, f"+{outside} CRIT outside")


async def test_a_scope_chosen_on_the_screen_is_there_again(home: Path, estate: Rehearsal) -> None:
    words = ("--kubeconfig", kubeconfig_of(estate))
    configure(home, '[contexts."*"]\nnamespaces = ["kube-system"]\n')
    async with program(*words) as console:
        await live(console)
        crit = troubled(console)
        mine, label = crit[0][0], crit[0][1][0]
        await type_in(console, f"scope {mine},kube-system {label}")
        await console.until_seen(f"scope: {mine}, kube-system with {label}", "2 namespaces", "CRIT outside")
        await console.press("ctrl+c")
    async with program(*words) as console:
        await live(console)
        await console.until_seen("2 namespaces", label, "CRIT outside")
        await type_in(console, "scope all")
        await console.until(lambda: "outside" not in console.header)
        await console.press("ctrl+c")
    async with program(*words) as console:
        await live(console)
        assert "outside" not in console.header
        await type_in(console, "scope saved")
        await console.until_seen("ns kube-system", f"+{len(crit)} CRIT outside")
        await console.press("ctrl+c")
    async with program(*words) as console:
        await live(console)
        assert "ns kube-system" in console.header


async def test_the_keys_for_namespaces_leave_labels_and_say_so(open_deck: Open) -> None:
    scope = Scope("prod-eu-1", "prod-eu-1", "PROD", ("shop",), "team=shop")
    async with open_deck((160, 48), console={"scope": scope}) as deck:
        assert "ns shop, team=shop" in deck.header
        assert "+1 CRIT outside" in deck.header
        await deck.press("0")
        assert "all namespaces; labels team=shop still narrow it" in deck.footer
        assert (deck.places[-1].labels, deck.places[-1].chosen) == ("team=shop", True)
        deck.app.open_view("pods")
        await deck.settle()
        hidden = sum("team=shop" not in pod.labels for pod in scene.pods().values())
        assert f"{hidden} outside the scope" in deck.text


async def test_a_kubeconfig_that_reads_slowly_holds_up_neither_palette_nor_choice_of_context(
    home: Path, estate: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with program("--kubeconfig", kubeconfig_of(estate)) as console:
        await live(console)
        names = console.assembly.contexts()
        read, may = console.assembly.contexts, threading.Event()
        monkeypatch.setattr(console.assembly, "contexts", lambda: read() if may.wait(60) else ())
        await console.press("colon", "escape", "colon")
        await console.until_seen("Go", " of ")
        await console.press("escape")
        palette.open_contexts(console.app)
        await console.until_seen("Context", "nothing fits")
        may.set()
        await console.until_seen("Context", f"{len(names)} of {len(names)}", names[0], "another cluster, no restart")
        await console.press("escape")
        assert not list((home / "state").glob("crash-*"))


class SlowSteering(scene_runtime.SceneSteering):
    """Has a kubeconfig that is far away."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()

    def contexts(self) -> tuple[str, ...]:
        """Return two contexts, at last."""
        assert self.may.wait(60)
        return super().contexts()

    def find_context(self, name: str) -> Callable[[], None]:
        """Find one, at last."""
        assert self.may.wait(60)
        return super().find_context(name)


async def test_another_context_is_read_aside_and_a_dialog_keeps_the_one_there_is(open_deck: Open) -> None:
    steering = SlowSteering()
    async with open_deck((160, 48), console={"steering": steering}) as deck:
        deck.app.open_view("pods")
        await deck.settle()
        palette.go(deck.app, read_going("ctx elsewhere"))
        palette.go(deck.app, read_going("ctx staging-eu-1"))
        await deck.pilot.press("j")
        assert "Pods" in deck.text
        assert "prod-eu-1" in deck.header
        assert steering.done == []
        steering.may.set()
        await deck.settle()
        assert steering.done == [("context", "staging-eu-1")], "the last choice counts, and it alone"
        assert "context staging-eu-1; this console stays on it" in deck.footer
        steering.may.clear()
        palette.go(deck.app, read_going("ctx elsewhere"))
        await deck.pilot.pause()
        assert "reading context elsewhere" in deck.footer
        await deck.pilot.press("colon")
        steering.may.set()
        await deck.settle()
        assert len(steering.done) == 1
        await deck.press("escape")
        assert "context elsewhere was left alone" in deck.footer


async def test_share_mode_masks_before_the_kubeconfig_was_read(open_deck: Open) -> None:
    steering = SlowSteering()
    async with open_deck((160, 48), console={"steering": steering}) as deck:
        deck.app.say("prod-eu-1 and staging-eu-1")
        await deck.pilot.press("H")
        await deck.pilot.pause()
        assert "SHARE" in deck.header
        assert "prod-eu-1" not in deck.text
        steering.may.set()
        await deck.settle()
        deck.app.say("prod-eu-1 and staging-eu-1")
        await deck.settle()
        assert "prod-eu-1" not in deck.text
        assert "staging-eu-1" not in deck.text


def twice(estate: Rehearsal, path: Path) -> str:
    """Write a kubeconfig that has the estate under a second name too; return its path."""
    both = yaml.safe_load(Path(kubeconfig_of(estate)).read_text())
    both["contexts"].append({"name": "second", "context": both["contexts"][0]["context"]})
    path.write_text(json.dumps(both))
    return str(path)


async def test_another_context_of_the_kubeconfig_is_gone_to_in_place(home: Path, estate: Rehearsal) -> None:
    async with program("--kubeconfig", twice(estate, home / "both")) as console:
        await live(console)
        await type_in(console, "ctx second")
        await console.until_seen("context second; this console stays on it")
        await live(console)
        assert console.assembly.setup.identity.context == "second"
        await type_in(console, "ctx nowhere")
        await console.until_seen("nowhere")
        assert console.assembly.setup.identity.context == "second"
