"""The control room and the tables, by their keys."""

from __future__ import annotations

import asyncio

import pytest

from cache.state.records import Place
from screenshots import scene
from screenshots.scene_alerts import nowhere
from screenshots.stage import NOWHERE
from services.model.source import SourceState, SourceStatus
from services.ports import Delta
from tests.flows.conftest import Open
from tui.glyphs import ASCII
from tui.presenters.banner import Notice, present_refused_config
from tui.screens.deck import DeckScreen
from tui.screens.deck_panes import HEALTHY
from tui.screens.logs import LogScreen
from tui.screens.table import TableScreen
from tui.screens.workload import WorkloadScreen
from widgets.log_view import LogView

SIZES = [(80, 24), (120, 40), (160, 48), (200, 60)]


@pytest.mark.parametrize("size", SIZES)
async def test_the_cause_is_on_screen_without_a_key(open_deck: Open, size: tuple[int, int]) -> None:
    async with open_deck(size) as deck:
        assert "shop/cart" in deck.text
        assert "CrashLoop exit 1" in deck.text
        assert "quota: cpu exceeded" in deck.text
        assert "v2.0.0 → v2.0.1" in deck.text
        assert "210 healthy" in deck.text
        assert "prod-eu-1" in deck.header
        assert "PROD" in deck.header
        assert "live" in deck.header
        assert "03:14:07Z" in deck.header
        assert all(len(line) <= size[0] for line in deck.text.splitlines())


async def test_worst_first_and_the_rest_is_a_count(open_deck: Open) -> None:
    async with open_deck() as deck:
        keys = [key for key in deck.app.front.contents.rollouts.vm.order if key != HEALTHY]
        assert keys[:3] == ["Deployment/shop/cart", "Deployment/payments/checkout", "Deployment/shop/search"]
        assert keys[3] == "Deployment/identity/login"
        assert len(keys) == 4


async def test_enter_opens_the_workload_and_escape_comes_back(open_deck: Open) -> None:
    async with open_deck() as deck:
        await deck.press("enter")
        assert isinstance(deck.app.screen, WorkloadScreen)
        assert "BECAUSE" in deck.text
        assert "no such column: vat" in deck.text
        assert "observed 25d, until 02:58" in deck.text
        assert "cart-7d9-2xk" in deck.text
        await deck.press("escape")
        assert isinstance(deck.app.screen, DeckScreen)


async def test_the_healthy_line_opens_the_whole_table(open_deck: Open) -> None:
    async with open_deck() as deck:
        await deck.press("G", "enter")
        assert isinstance(deck.app.screen, TableScreen)
        assert "Rollouts ─ 214" in deck.text


async def test_logs_of_every_pod(open_deck: Open) -> None:
    async with open_deck() as deck:
        await deck.press("l")
        assert isinstance(deck.app.screen, LogScreen)
        deck.app.screen.query_one(LogView).flush()
        await deck.settle()
        assert deck.text.count("no such column: vat") == 3
        await deck.press("escape")
        assert isinstance(deck.app.screen, DeckScreen)


async def test_describe_and_yaml(open_deck: Open) -> None:
    async with open_deck() as deck:
        await deck.press("d")
        assert "Name:        cart" in deck.text
        await deck.press("escape", "y")
        assert "kind: Deployment" in deck.text


async def test_diff_between_revisions_masks_what_is_secret(open_deck: Open) -> None:
    async with open_deck() as deck:
        await deck.press("enter", "D")
        assert "v2.0.0" in deck.text
        assert "0.16" in deck.text
        assert "0.19" in deck.text


async def test_filter_narrows_as_it_is_typed_and_escape_clears(open_deck: Open) -> None:
    async with open_deck() as deck:
        deck.app.open_view("pods")
        await deck.settle()
        assert "Pods ─ 10" in deck.text
        await deck.press("slash", *"crash")
        assert "Pods ─ 3 of 10" in deck.text
        await deck.press("enter", "escape")
        assert "Pods ─ 10" in deck.text
        assert isinstance(deck.app.screen, TableScreen)
        await deck.press("escape")
        assert isinstance(deck.app.screen, DeckScreen)


async def test_a_bad_filter_is_said_and_loses_nothing(open_deck: Open) -> None:
    async with open_deck() as deck:
        deck.app.open_view("pods")
        await deck.settle()
        await deck.press("slash", *"cart(")
        assert "not a regular expression" in deck.text
        assert "cart(" in deck.text


async def test_no_key_works_while_an_input_has_the_focus(open_deck: Open) -> None:
    async with open_deck() as deck:
        deck.app.open_view("pods")
        await deck.settle()
        await deck.press("slash", *"lyq")
        assert isinstance(deck.app.screen, TableScreen)
        assert "/lyq" in deck.text


async def test_where_there_is_no_cluster_the_monitoring_is_what_is_live(open_deck: Open) -> None:
    async with open_deck((80, 24), await asyncio.to_thread(nowhere), console={"scope": NOWHERE}) as deck:
        assert "CheckoutErrorRate" in deck.text, "the alerts are the first pane"
        assert "NOT LIVE" not in deck.header
        assert "PROD" not in deck.header
        assert "▲2 CRIT ◆2 WARN" in deck.header
        await deck.press("1")
        assert "No kubeconfig was found: only the monitoring is shown." in deck.text


async def test_number_keys_change_the_pane_on_a_small_screen(open_deck: Open) -> None:
    async with open_deck((80, 24)) as deck:
        assert "Rollouts ─ 3 of 214" in deck.text
        await deck.press("2")
        assert "2 Alerts ─" in deck.text
        assert "node not ready" in deck.text
        await deck.press("3")
        assert "3 Costs ─ estimate" in deck.text
        await deck.press("4")
        assert "4 Incidents ─ 1 open" in deck.text
        await deck.press("1")
        assert "shop/cart" in deck.text


async def test_faults_only(open_deck: Open) -> None:
    async with open_deck() as deck:
        deck.app.open_view("pods")
        await deck.settle()
        await deck.press("f")
        assert "Pods ─ 3 of 10" in deck.text
        await deck.press("f")
        assert "Pods ─ 10" in deck.text


async def test_freeze_holds_the_display_and_goes_on(open_deck: Open) -> None:
    async with open_deck() as deck:
        deck.app.open_view("pods")
        await deck.settle()
        await deck.press("z")
        assert "FROZEN" in deck.header
        pods = scene.pods()
        deck.live.apply("k", Delta("pods", {}, list(pods)[:2]))
        await deck.settle()
        await deck.tick()
        assert "Pods ─ 10" in deck.text
        await deck.press("z")
        assert "FROZEN" not in deck.header
        await deck.press("o")
        await deck.tick()
        assert "Pods ─ 8" in deck.text


async def test_a_k9s_key_that_is_not_ours_says_why(open_deck: Open) -> None:
    async with open_deck() as deck:
        await deck.press("ctrl+k")
        assert "nothing is killed" in deck.footer
        assert isinstance(deck.app.screen, DeckScreen)


async def test_a_dead_server_is_said_and_rows_stay(open_deck: Open) -> None:
    error = "API server not answering"
    live = scene.live(state=SourceState.FAILED, error=error)
    async with open_deck((160, 48), live) as deck:
        assert "NOT LIVE" in deck.header
        assert error in deck.text
        assert "03:14:07Z" in deck.header
        assert "▲?" in deck.header
        assert "as of 03:13:50" in deck.text
        assert "shop/cart" in deck.text


async def test_silence_makes_the_header_old_within_fifteen_seconds(open_deck: Open) -> None:
    async with open_deck() as deck:
        await deck.tick(8)
        assert "live 8s" in deck.header
        await deck.tick(8)
        assert "STALE 16s" in deck.header
        now = deck.clock.now()
        deck.live.status(SourceStatus("kubernetes", SourceState.LIVE, now, now, now))
        await deck.settle()
        assert "STALE" not in deck.header


async def test_the_place_is_kept_and_come_back_to(open_deck: Open) -> None:
    async with open_deck() as deck:
        deck.app.open_view("pods", "is:bad")
        await deck.settle()
        await deck.press("j", "ctrl+c")
        left = deck.places[-1]
    assert (left.view, left.filter) == ("pods", "is:bad")
    assert left.cursor
    async with open_deck(place=left) as deck:
        assert "Pods ─ 3 of 10" in deck.text
        assert deck.app.front.table.cursor_key == left.cursor


async def test_a_place_that_is_gone_leads_to_the_control_room(open_deck: Open) -> None:
    async with open_deck(place=Place(view="workload", subject="Deployment/shop/gone")) as deck:
        assert isinstance(deck.app.screen, DeckScreen)


async def test_namespace_scope_says_what_it_hides(open_deck: Open) -> None:
    async with open_deck((160, 48)) as deck:
        deck.app.enter_namespace("payments")
        await deck.settle()
        assert "ns payments" in deck.header
        assert "+1 CRIT outside" in deck.header
        assert "shop/cart" not in deck.text.split("03:", 1)[-1] or "shop/cart" not in deck.text.splitlines()[3]
        await deck.press("0")
        assert "ns payments" not in deck.header


async def test_too_small_still_counts(open_deck: Open) -> None:
    async with open_deck((20, 5)) as deck:
        assert "▲3" in deck.text


async def test_ascii(open_deck: Open) -> None:
    async with open_deck((80, 24), glyphs=ASCII, ascii_only=True) as deck:
        assert deck.text.isascii()


async def test_a_notice_that_goes_and_comes_back_is_seen_and_so_is_a_pane_that_was_hidden(open_deck: Open) -> None:
    async with open_deck((80, 24)) as deck:
        console = deck.app.console_state
        for word in ("first", "second", "third"):
            console.notify(Notice.CONFIG, lambda lens, word=word: present_refused_config(word, lens))
            deck.app.show_banner()
            await deck.settle()
            assert word in deck.text
            console.notify(Notice.CONFIG, None)
            deck.app.show_banner()
            await deck.pilot.pause()
        await deck.press("2")
        deck.live.apply("k", Delta("symptoms", {}, list(scene.symptoms())))
        await deck.tick()
        await deck.press("1", "2")
        assert "Alerts ─ no symptoms" in deck.text
