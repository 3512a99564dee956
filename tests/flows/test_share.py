"""Share mode: on no screen, in no copy and in no sentence is a name that the room must not see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from screenshots import scene
from services.clock import ManualClock
from services.errors import Problem
from services.model.source import SourceState, SourceStatus
from services.ports import Delta
from services.sanitize import safe_text
from tests.flows.canaries import SAID, SEEN, CanarySession, CanarySteering, canary, canary_scene
from tests.flows.conftest import Deck, Open
from tui import sharemode
from tui.console import Scope
from tui.presenters.banner import Notice, present_login
from tui.presenters.views import VIEWS
from tui.screens.deck import DeckScreen
from tui.screens.document import TextScreen
from tui.screens.logs import LogScreen

SIZES = [(80, 24), (220, 60)]


def assert_masked(deck: Deck, where: str) -> None:
    """Look at the whole screen."""
    low = deck.text.casefold()
    for name in SEEN:
        at = low.find(name)
        assert at < 0, (where, name, deck.text[max(0, at - 60) : at + 60])
    assert "SHARE" in deck.header or len(deck.header) < 100 or not isinstance(deck.app.screen, DeckScreen), where


@asynccontextmanager
async def shared(open_deck: Open, size: tuple[int, int] = (160, 48), share: bool = True) -> AsyncIterator[Deck]:
    """Open the cluster of canaries, and share it."""
    clock = ManualClock(scene.NOW)
    parts: dict[str, Any] = {
        "scope": Scope("canarycluster", "canarycluster", "PROD"),
        "actor": "canaryperson@canarybastion",
        "steering": CanarySteering(),
        "private": lambda: [("user", ("canaryadmin@canarycluster",)), ("host", ("api.canary.example",)),
                            ("cluster", ("canarystaging-2",))],
    }  # fmt: skip
    async with open_deck(size, live=canary_scene(clock), console=parts) as deck:
        deck.runtime.session = CanarySession()
        if share:
            await deck.press("H")
            await deck.press("g")
        yield deck


async def test_without_it_the_canaries_are_seen(open_deck: Open) -> None:
    async with shared(open_deck, share=False) as deck:
        assert "canarycluster" in deck.header
        assert "canaryshop/cart" in deck.text
        assert "SHARE" not in deck.header


@pytest.mark.parametrize("size", SIZES)
async def test_the_control_room(open_deck: Open, size: tuple[int, int]) -> None:
    async with shared(open_deck, size) as deck:
        assert "SHARE" in deck.text
        assert "/cart" in deck.text
        for key in ("j", "j", "2", "1", "e", "z"):
            await deck.press(key)
            assert_masked(deck, f"control room {size}, {key}")
        await deck.tick(1)
        assert_masked(deck, "a second later")


async def test_every_table_and_what_is_described(open_deck: Open) -> None:
    async with shared(open_deck, (220, 60)) as deck:
        for name in (*(view.id for view in VIEWS), "ingresses"):
            if name == "ingresses":
                deck.app.open_kind(scene.INGRESSES)
            else:
                deck.app.open_view(name)
            await deck.settle()
            assert_masked(deck, name)
            await deck.press("d")
            assert_masked(deck, f"{name}, described")
            await deck.press("escape", "escape")
            assert isinstance(deck.app.screen, DeckScreen)


async def test_the_workload_its_history_and_its_logs(open_deck: Open) -> None:
    async with shared(open_deck, (220, 60)) as deck:
        for keys in (
            ("enter",),
            ("D",),
            ("escape",),
            ("d",),
            ("escape",),
            ("l",),
            ("w",),
            ("s",),
            ("slash", *"tcp", "enter"),
        ):
            await deck.press(*keys)
            assert_masked(deck, f"workload, {keys}")
        assert isinstance(deck.app.screen, LogScreen)
        assert "dial tcp ip-" in deck.text


async def test_palette_contexts_and_sentences(open_deck: Open) -> None:
    async with shared(open_deck) as deck:
        await deck.press("colon")
        assert_masked(deck, "palette")
        await deck.press(*"ns")
        assert "ns ns-" in deck.text
        assert_masked(deck, "palette, namespaces")
        await deck.press("escape", "colon", *"ctx", "enter")
        assert_masked(deck, "contexts")
        await deck.press("escape", "question_mark")
        assert_masked(deck, "help")
        await deck.press("escape")
        deck.app.enter_namespace("canaryshop")
        await deck.settle()
        assert_masked(deck, "a namespace alone")
        deck.app.say(SAID)
        await deck.settle()
        assert_masked(deck, "a sentence")


async def test_what_stands_above_and_why_nothing_comes(open_deck: Open) -> None:
    from services.kubernetes.exec_plugin import LoginNeeded

    async with shared(open_deck) as deck:
        needed = LoginNeeded(
            safe_text(SAID), safe_text("https://login.canary.example/device"), safe_text("WXYZ"), (), safe_text("")
        )
        deck.app.console_state.notify(Notice.LOGIN, lambda lens: present_login(needed, "L", lens))
        deck.app.show_banner()
        await deck.settle()
        assert "LOGIN" in deck.text
        assert_masked(deck, "banner")
        now = deck.clock.now()
        for source in scene.SOURCES:
            deck.live.status(SourceStatus(source, SourceState.FAILED, now - 9, now - 9, now, SAID))
        await deck.settle()
        assert_masked(deck, "not live")
        deck.app.open_view("pods")
        await deck.settle()
        assert_masked(deck, "pods, not live")


async def test_problems_of_a_document_and_of_logs(open_deck: Open) -> None:
    class Refusing(CanarySession):
        async def describe(self, *_: object) -> list[str]:  # type: ignore[override]
            raise Problem(safe_text(SAID))

        yaml = history = events = describe  # type: ignore[assignment]

        async def logs(self, *_: object) -> AsyncIterator[Any]:  # type: ignore[override]
            raise Problem(safe_text(SAID))
            yield

    async with shared(open_deck) as deck:
        deck.runtime.session = Refusing()
        for keys in (("d",), ("escape", "l"), ("escape", "enter")):
            await deck.press(*keys)
            assert_masked(deck, f"refused, {keys}")


async def test_what_was_drawn_before_is_masked_too_and_the_place_stays(open_deck: Open) -> None:
    async with shared(open_deck, share=False) as deck:
        await deck.press("d")
        assert "canarynode-007" in deck.text
        await deck.press("H")
        assert isinstance(deck.app.screen, TextScreen)
        await deck.press("g")
        assert_masked(deck, "a document that was open")
        await deck.press("escape")
        assert isinstance(deck.app.screen, DeckScreen)
        assert_masked(deck, "the control room below")
    async with shared(open_deck, share=False) as deck:
        await deck.press("l", "H", "g")
        assert isinstance(deck.app.screen, LogScreen)
        assert_masked(deck, "logs that were open")


async def test_a_node_that_comes_later_is_masked_at_once(open_deck: Open) -> None:
    async with shared(open_deck) as deck:
        deck.app.open_view("nodes")
        await deck.settle()
        node = next(iter(scene.cluster_tables()["nodes"].values()))
        late = canary(node)
        ref = type(late.ref)(late.ref.cluster, "", "Node", "", "canarylate-1", "uid-late")
        deck.live.apply("k", Delta("nodes", {ref.key: type(late)(ref, "Ready", late.severity, scene.NOW)}))
        await deck.tick(20)
        assert "Nodes ─ 13" in deck.text
        assert_masked(deck, "a late node")


async def test_copying_copies_what_is_seen_and_says_so(open_deck: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    from tui.clipboard import clean

    sent: list[str] = []

    def send(_: object, text: str, mask: Any = None) -> str:
        sent.append(clean(text, mask))
        return "sent to terminal"

    monkeypatch.setattr(sharemode, "copy_to_terminal", send)
    async with shared(open_deck) as deck:
        await deck.press("c")
        assert "names masked (share mode)" in deck.footer
        assert_masked(deck, "copied")
        await deck.press("d", "c")
        await deck.press("escape", "l", "c")
        assert len(sent) == 3
        assert "kubectl --context cluster-" in sent[0]
        assert "deployments/cart" in sent[0]
        assert not [text for text in sent for name in SEEN if name in text.casefold()]


async def test_one_press_hides_and_two_show(open_deck: Open) -> None:
    async with shared(open_deck) as deck:
        await deck.press("H")
        assert "H again shows real names" in deck.footer
        assert_masked(deck, "asked")
        await deck.tick(6)
        await deck.press("H")
        assert_masked(deck, "too late: asked again")
        await deck.press("H")
        assert "canarycluster" in deck.header
        assert "SHARE" not in deck.header


async def test_stand_ins_are_the_same_everywhere_and_for_one_salt(open_deck: Open) -> None:
    async def salt() -> bytes:
        return b"team"

    seen = []
    for _ in range(2):
        async with open_deck((160, 48), console={"salt": salt}) as deck:
            await deck.press("H", "g")
            seen.append(deck.header.split()[1])
            node = next(word for word in deck.text.split() if word.startswith("host-"))
            deck.app.open_view("nodes", "is:crit")
            await deck.settle()
            assert node.rstrip(",│") in deck.text
    assert seen[0] == seen[1]
    assert seen[0].startswith("cluster-")


async def test_a_salt_that_cannot_be_had_masks_all_the_same(open_deck: Open) -> None:
    async def salt() -> bytes:
        raise Problem(safe_text("env:SALT is not set"))

    async with open_deck((160, 48), console={"salt": salt}) as deck:
        await deck.press("H")
        assert "prod-eu-1" not in deck.text
        assert "names are this session's own: env:SALT is not set" in deck.footer


async def test_words_of_the_configuration_are_masked_within_names(open_deck: Open) -> None:
    async with open_deck((160, 48), console={"share_names": ("checkout",)}) as deck:
        assert "checkout" in deck.text
        await deck.press("H", "g")
        assert "checkout" not in deck.text
