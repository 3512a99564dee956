"""The one way from raw text to a screen: a lens, which masks; nothing goes past it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from services.pseudonyms import Pseudonyms
from tui.presenters.lens import Lens
from tui.sharing import Sharing

ROOT = Path(__file__).parents[3] / "tui"
PAST_IT = {"lens.py", "header.py"}
"""Where text may be made safe without being masked: the lens itself, and the word PROD."""


@pytest.mark.parametrize(
    "path", [*ROOT.glob("presenters/*.py"), *ROOT.glob("screens/*.py")], ids=lambda path: path.name
)
def test_presenters_and_screens_make_text_safe_through_a_lens_alone(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert path.name in PAST_IT or not called & {"safe_text", "safe_line", "SafeText"}


def test_a_text_is_masked_before_it_is_cut() -> None:
    sharing = Sharing(b"salt")
    sharing.learn("host", ["canarynode-with-a-long-name"])
    lens = Lens(0.0, mask=sharing.mask, names=sharing.name)
    for limit in range(5, 40):
        assert "canary" not in lens.text("on canarynode-with-a-long-name, ready", limit)


def test_a_name_is_known_from_the_first_time_on() -> None:
    sharing = Sharing(b"salt")
    lens = Lens(0.0, mask=sharing.mask, names=sharing.name)
    stand_in = lens.name("user", "alice")
    assert stand_in.startswith("user-")
    assert lens.text("released by alice") == f"released by {stand_in}"
    assert Lens(0.0).name("user", "alice") == "alice"


def test_what_a_name_is_put_together_from_is_masked_too() -> None:
    sharing = Sharing(b"salt")
    sharing.learn("user", ["duty1@bastion-2", "admin/tenant7:6443"])
    masked = sharing.mask("duty1 at bastion-2, tenant7, 6443")
    assert not any(name in masked for name in ("duty1", "bastion-2", "tenant7"))
    assert "6443" in masked


def test_two_sessions_of_one_salt_agree() -> None:
    assert Sharing(b"team").name("host", "node-1") == Pseudonyms(b"team").name("host", "node-1")
