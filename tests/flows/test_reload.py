"""The configuration changes while the console runs: a good one is applied and said, a bad one is refused and said."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.rehearsal.server import Rehearsal
from tests.flows.program import Program, kubeconfig_of, program
from tui import assembly, reload
from tui.screens.logs import LogScreen
from tui.themes import CONTEXT_COLOURS


@pytest.fixture
def config(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of its own, looked at often; returns the path of its configuration."""
    monkeypatch.setattr(assembly, "HISTORY_AFTER", 0.05)
    monkeypatch.setattr(reload, "EVERY", 0.05)
    path = home / "config" / "quarterdeck" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


def write(path: Path, text: str) -> None:
    """Change the configuration as editors do, so that nobody ever reads half of it."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def background(console: Program) -> str:
    """Return the ground that the screen is painted on."""
    strips = console.app.screen._compositor.render_strips()
    style = next(segment.style for segment in strips[10] if segment.style and segment.style.bgcolor)
    assert style is not None
    assert style.bgcolor is not None
    return style.bgcolor.name


async def test_a_theme_is_painted_and_the_change_said(config: Path, estate: Rehearsal) -> None:
    write(config, '[ui]\ntheme = "dark"\n')
    async with program("--kubeconfig", kubeconfig_of(estate)) as console:
        await console.until_seen("CrashLoop")
        dark = background(console)
        write(config, '[ui]\ntheme = "light"\nmouse = "off"\n')
        await console.until_seen(
            "config reloaded: ui.mouse auto -> off, ui.theme dark -> light; ui.mouse only from the next start"
        )
        await console.until(lambda: background(console) != dark)


async def test_what_concerns_the_cluster_is_applied_at_once(config: Path, estate: Rehearsal) -> None:
    async with program("--kubeconfig", kubeconfig_of(estate)) as console:
        await console.until_seen("CrashLoop", "PROD?")
        context = console.assembly.console.scope.context
        await console.until(lambda: "namespaces" in console.assembly.live.snapshot().tables)
        namespaces = sorted(console.assembly.live.snapshot().tables["namespaces"])
        quiet = next(name for name in namespaces if name.startswith("kube-"))
        write(
            config,
            f'[contexts."{context}"]\nenvironment = "staging"\nnamespaces = ["{quiet}"]\nlogin = ["true"]\n'
            "[rollouts]\nwarning_burst = 1\n[logs]\ntail = 7\n",
        )
        await console.until_seen("STAGING", f"ns {quiet}", "CRIT outside", "config reloaded: contexts.", "and 3 more")
        await console.until(lambda: "warnings" in console.assembly.live.snapshot().tables["symptoms"])
        assert console.assembly.login_command() == (("true",), {})
        assert console.assembly.console.log_tail == 7


async def test_a_bad_file_is_refused_with_its_place_and_the_old_one_stays(config: Path, estate: Rehearsal) -> None:
    write(config, '[keys]\nlogs = "ctrl-e"\n')
    async with program("--kubeconfig", kubeconfig_of(estate)) as console:
        await console.until_seen("CrashLoop", "ctrl-e logs")
        write(config, '[keys]\nlogs = "ctrl-e"\n[ui]\nthem = "light"\n')
        await console.until_seen(
            " CONFIG ", '~/config/quarterdeck/config.toml:4: unknown key "them" in [ui]', "stays in use"
        )
        write(config, '# moved\n[keys]\nlogs = "d"\n')
        await console.until_seen('config.toml:3: keys.logs "d" is describe')
        await console.press("ctrl+e")
        assert isinstance(console.app.screen, LogScreen)
        await console.until_seen(" CONFIG ")
        await console.press("escape")
        write(config, '[keys]\nlogs = "ctrl-t"\n')
        await console.until(lambda: " CONFIG " not in console.text)
        await console.until_seen("config reloaded: keys.logs ctrl-e -> ctrl-t")
        await console.press("ctrl+t")
        assert isinstance(console.app.screen, LogScreen)


async def test_it_can_be_asked_for_from_the_palette(
    config: Path, estate: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "EVERY", 3600.0)
    async with program("--kubeconfig", kubeconfig_of(estate)) as console:
        await console.until_seen("CrashLoop")
        await console.press("colon", *"reload", "enter")
        await console.until_seen("says what is in use already")
        write(config, '[ui]\nascii = "on"\n')
        await console.press("colon", *"reload", "enter")
        await console.until_seen("config reloaded: ui.ascii auto -> on")
        await console.until(lambda: console.text.isascii() and "live" in console.text)
        write(config, "[ui\n")
        await console.press("colon", *"reload", "enter")
        await console.until_seen("config.toml:1: not valid TOML")


async def test_flags_and_a_wrong_key_at_the_start(config: Path, estate: Rehearsal) -> None:
    async with program("--kubeconfig", kubeconfig_of(estate), "--theme", "contrast") as console:
        await console.until_seen("CrashLoop")
        write(config, '[ui]\ntheme = "light"\n')
        await console.press("colon", *"reload", "enter")
        await console.until_seen("says what is in use already")


async def test_the_clusters_colour_and_the_size_of_history_come_from_the_configuration(
    config: Path, estate: Rehearsal
) -> None:
    def ground() -> str:
        strip = console.app.screen._compositor.render_strips()[0]
        name = console.assembly.console.scope.cluster
        [style] = [segment.style for segment in strip if name in segment.text]
        assert style is not None
        assert style.bgcolor is not None
        return style.bgcolor.name.upper()

    write(config, '[contexts."*"]\ncolour = "violet"\n[history]\nmax_megabytes = 32\n')
    async with program("--kubeconfig", kubeconfig_of(estate)) as console:
        await console.until_seen("CrashLoop")
        assert ground() == CONTEXT_COLOURS["violet"]
        store = console.assembly._new_store()
        assert store._writer._retention.most_bytes == 32 << 20
        assert store.close()
        write(config, '[contexts."*"]\ncolour = "teal"\n[history]\nmax_megabytes = 64\n')
        await console.until(lambda: ground() == CONTEXT_COLOURS["teal"])
        await console.until_seen("history.max_megabytes only from the next start")
