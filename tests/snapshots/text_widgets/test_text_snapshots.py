"""How the text widgets look, at the three sizes, in ASCII and without colour."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.pilot import Pilot
from textual.widget import Widget

from tests.fixtures.text_widgets import BELOW, HOSTILE, Stage, entries
from tui.bindings import Group, commands_for, printed
from widgets.dialog import ChoiceMenu, ConfirmDialog, CopyDialog, MessageDialog
from widgets.help_screen import HelpScreen
from widgets.history import History
from widgets.log_view import LogView
from widgets.palette import Palette
from widgets.prompt import FilterBar
from widgets.text_view import TextView
from widgets.viewmodels import Choice, HelpEntry, HelpSection, KeyHint, LogEntry, Span, TextVM, Tone

SIZES = [(80, 24), (120, 40), (200, 60)]
Compare = Callable[..., bool]

CHOICES = (
    Choice("view pods", "pods", "view", "1"),
    Choice("view deployments", "deployments", "view"),
    Choice("view poddisruptionbudgets", "poddisruptionbudgets", "policy/v1"),
    Choice("ns payments", "payments", "namespace"),
    Choice("ns shop", "shop", "namespace"),
    Choice("ctx prod-eu-1", "prod-eu-1", "context"),
    Choice("roll-back", "roll back", "", "R", "read-only; ! arms"),
    Choice("hostile", HOSTILE[1], HOSTILE[1]),
    Choice("wide", "日本語のログ行です", "日本語"),
)
CONFIRM = (
    (Span("from   rev 17   v2.0.1   0 of 3 ready"),),
    (Span("to     rev 16   v2.0.0   observed healthy 26 d, until 02:58"),),
    (Span("diff   image v2.0.1 to v2.0.0     nothing else"),),
    (Span("◆ ", Tone.WARN), Span("ConfigMap cart-settings changed since rev 16 (key: tax); it is not rolled back")),
    (Span("runs   "), Span("kubectl --context prod-eu-1 -n shop rollout undo deployment/cart --to-revision=16")),
    (Span("tells  #payments-oncall, INC-42"),),
)


def log_stage(*, plain: bool = False) -> Stage:
    view = LogView(period=0.0)

    def begin(_: Stage) -> None:
        view.append(entries(180))
        view.append([LogEntry("", "checkout-7d9f8c-9qd/app", "", dropped=1204)])
        view.append([LogEntry("03:14:07.120", "cart/app", text[:200]) for text in HOSTILE[:3]])
        view.mark("03:14:07 mark")
        view.append(entries(12, 180))
        view.set_search("column")

    return Stage(view, plain=plain, run=begin)


def dialog_stage(name: str, *, plain: bool = False) -> Stage:
    title = (Span("Roll back shop/cart on prod-eu-1 ", Tone.STRONG), Span("PROD", Tone.PROD))
    sections = [
        HelpSection(
            group.value,
            tuple(
                HelpEntry(printed(command.key), command.label, command.text)
                for command in commands_for("logs")
                if command.group is group
            ),
        )
        for group in Group
    ]
    screens: dict[str, Callable[[], Widget]] = {
        "palette": lambda: Palette(CHOICES, history=History(["pods /crash"])),
        "help": lambda: HelpScreen((Span("Keys", Tone.STRONG), Span("  logs", Tone.MUTED)), sections),
        "confirm": lambda: ConfirmDialog(title, CONFIRM, key="R", label="Roll back", clock=lambda: 0.0),
        "menu": lambda: ChoiceMenu((Span("shop/cart", Tone.STRONG),), CHOICES, chosen="ns shop"),
        "copy": lambda: CopyDialog("kubectl --context prod-eu-1 -n shop rollout undo deployment/cart"),
        "message": lambda: MessageDialog(title, CONFIRM[:2], [KeyHint("r", "retry"), KeyHint("d", "details", "none")]),
    }
    return Stage(plain=plain, run=lambda app: app.push_screen(screens[name]()))  # type: ignore[arg-type, func-returns-value]


def document_stage() -> Stage:
    lines = tuple(
        (Span(f"{'  ' * (number % 4)}field{number}: ", Tone.MUTED), Span(f"value {number}")) for number in range(90)
    )
    wide = tuple((Span(text[:400], Tone.WARN),) for text in HOSTILE[:3])
    view, bar = TextView(TextVM((), (*wide, *lines, *BELOW))), FilterBar()

    def begin(_: Stage) -> None:
        bar.open("value 1(")
        bar.set_error(view.set_search("value 1(", regex=True))
        view.set_search("value 1")

    return Stage(view, bar, run=begin)


def keys(*pressed: str) -> Callable[[Pilot[None]], object]:
    async def press(pilot: Pilot[None]) -> None:
        await pilot.pause()
        await pilot.press(*pressed)
        await pilot.pause()

    return press


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_log(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(log_stage(), terminal_size=size, run_before=keys("N"))


def test_log_filtered_and_wrapped(snap_compare: Compare) -> None:
    stage = log_stage()

    async def narrow(pilot: Pilot[None]) -> None:
        await pilot.pause()
        view = stage.query_one(LogView)
        view.show(wrap=True, stamps=False)
        view.set_filter("column", context=1)
        await pilot.press("n")
        await pilot.pause()

    assert snap_compare(stage, terminal_size=(80, 24), run_before=narrow)


def test_log_in_ascii(snap_compare: Compare) -> None:
    assert snap_compare(log_stage(plain=True), terminal_size=(80, 24), run_before=keys("N"))


def test_log_without_colour(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(log_stage(), terminal_size=(80, 24), run_before=keys("N"))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_document_with_a_wrong_search(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(document_stage(), terminal_size=size, run_before=keys())


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_palette(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(dialog_stage("palette"), terminal_size=size, run_before=keys("p", "o", "down"))


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_help(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(dialog_stage("help"), terminal_size=size, run_before=keys())


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_confirm(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(dialog_stage("confirm"), terminal_size=size, run_before=keys())


def test_menu(snap_compare: Compare) -> None:
    assert snap_compare(dialog_stage("menu"), terminal_size=(80, 24), run_before=keys())


def test_copy(snap_compare: Compare) -> None:
    assert snap_compare(dialog_stage("copy"), terminal_size=(80, 24), run_before=keys())


def test_message(snap_compare: Compare) -> None:
    assert snap_compare(dialog_stage("message"), terminal_size=(80, 24), run_before=keys("d"))


def test_palette_in_ascii(snap_compare: Compare) -> None:
    stage = dialog_stage("palette", plain=True)
    assert snap_compare(stage, terminal_size=(80, 24), run_before=keys("r", "o", "l", "l", "enter"))


def test_confirm_without_colour(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(dialog_stage("confirm"), terminal_size=(80, 24), run_before=keys())
