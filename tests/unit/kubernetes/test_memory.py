"""The allocator's setting is taken where there is one, and missing it is no failure."""

from __future__ import annotations

import ctypes
import platform

import pytest

from services.memory import share_one_arena


def test_the_setting_is_taken_on_glibc() -> None:
    assert share_one_arena() is (platform.libc_ver()[0] == "glibc")


def test_a_library_without_it_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: object) -> object:
        return object()

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert share_one_arena() is False
