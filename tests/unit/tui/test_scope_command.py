"""The command that stands in a plan can be copied and run: kubectl takes no flags before the name of a plugin."""

from __future__ import annotations

import pytest

from tui.console import Scope


@pytest.mark.parametrize(
    ("namespace", "words", "command"),
    [
        ("shop", "rollout undo deployment/cart", "kubectl --context eu -n shop rollout undo deployment/cart"),
        ("shop", "-n argocd patch a b", "kubectl --context eu -n argocd patch a b"),
        ("", "cordon worker-1", "kubectl --context eu cordon worker-1"),
        ("shop", "argo rollouts abort cart", "kubectl argo rollouts --context eu -n shop abort cart"),
    ],
)
def test_a_plugin_is_named_before_the_flags(namespace: str, words: str, command: str) -> None:
    assert Scope("eu", "eu").command(namespace, words) == command


def test_a_context_is_quoted() -> None:
    assert Scope("a b", "c").command("", "argo rollouts list").startswith("kubectl argo rollouts --context 'a b' ")
