"""Loading: precedence, faults with their place, reload."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.config import (
    Config,
    ConfigProblem,
    ConfigWatch,
    ContextSettings,
    changed,
    config_path,
    difference,
    load,
    stamp_of,
    variables,
)
from services.config_example import generate_example
from services.config_locate import key_lines


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def refused(file: Path, text: str, env: dict[str, str] | None = None, **flags: object) -> list[str]:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigProblem) as caught:
        load(file, env or {}, flags)
    return [str(fault) for fault in caught.value.faults]


def test_flag_wins_over_environment_over_file_over_default(file: Path) -> None:
    file.write_text('[ui]\ntheme = "light"\nmouse = "on"\nascii = "on"\n')
    env = {"QUARTERDECK_UI_THEME": "cvd", "QUARTERDECK_UI_MOUSE": "off", "QUARTERDECK_LOGS_TAIL": "7"}
    loaded = load(file, env, {"ui.theme": "mono", "ui.share": None})
    ui = loaded.config.ui
    assert (ui.theme, ui.mouse, ui.ascii, ui.slow_link) == ("mono", "off", "on", "auto")
    assert loaded.config.logs.tail == 7
    assert loaded.origins["ui.theme"] == "--theme"
    assert loaded.origins["ui.mouse"] == "QUARTERDECK_UI_MOUSE"
    assert loaded.origins["ui.ascii"] == f"{file}:4"
    assert "ui.slow_link" not in loaded.origins


def test_every_open_setting_has_a_variable(file: Path) -> None:
    assert variables()["QUARTERDECK_UI_SLOW_LINK"] == ("ui", "slow_link")
    assert not any("CONTEXTS" in name or "KEYS" in name for name in variables())


@pytest.mark.parametrize(("text", "expected"), [("on", True), ("yes", True), ("1", True), ("off", False), ("0", False)])
def test_switches_in_the_environment_read_as_people_write_them(text: str, expected: bool, tmp_path: Path) -> None:
    env = {"QUARTERDECK_UI_SHARE": text, "XDG_CONFIG_HOME": str(tmp_path)}
    assert load(None, env).config.ui.share is expected


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        ("[ui]\n\nthem = 'dark'", ":3:", 'unknown key "them" in [ui]; did you mean "theme"?'),
        ("\n[uis]\ntheme = 'dark'", ":2:", 'unknown section "uis"; did you mean "ui"?'),
        ("[ui]\ntheme = 'drak'", ":2:", 'ui.theme must be one of "contrast", "cvd", "dark"'),
        ("[ui]\ntheme = 'drak'", ":2:", 'not "drak"; did you mean "dark"?'),
        ("[ui]\nshare = 'yes'", ":2:", 'ui.share must be true or false, not "yes"'),
        ("[logs]\nlines = 3", ":2:", "logs.lines must be a whole number from 100 to 200000, not 3"),
        ("[logs]\nlines = '500'", ":2:", "logs.lines must be a whole number"),
        ("ui = 3", ":1:", "ui must be a table: [ui]"),
        ("contexts = []", ":1:", "contexts must hold tables"),
        ("[contexts.'a.b']\nnamespaces = [\n 'x',\n 3]\n", ":2:", 'contexts."a.b".namespaces must be a list of texts'),
        ("[contexts]\na = {environment = 'x', lable = 'y'}", ":2:", 'did you mean "labels"?'),
        ("contexts.a.production = 'prod'", ":1:", "contexts.a.production must be true or false"),
        ("[contexts.a]\nenvironment = 'a b'", ":2:", "must be a text of letters, digits, _ and -"),
        ("[policy.a]\nfreeze = ['Sat 16:00']", ":2:", 'must be written like ["Fri 16:00 - Mon 08:00", '),
        ("[policy.a]\nfreeze = ['Sat 16:00 - Mon 08:00', 'Sun']", ":2:", 'not "Sun"'),
        ("[policy.a]\nhours = '9 to 5'", ":2:", 'must be written like "Mon-Fri 08:00-18:00", not "9 to 5"'),
        ("[policy.a]\ndeny = ['delete']", ":2:", 'deny names no action: "delete"; did you mean "delete-pod"?'),
        ("[policy.a]\ntyped = ['*', 'retsart']", ":2:", 'typed names no action: "retsart"; did you mean "restart"?'),
        ("x = [1,\n2\n[ui]\n", ":3:", "not valid TOML at column"),
        ("[ui]\ntheme = ", ":2:", "not valid TOML at column"),
        ("[ui]\nshare_salt = 'hunter2'", ":2:", "ui.share_salt must say where the secret is (env:NAME"),
    ],
)
def test_a_fault_names_file_line_key_and_reason(file: Path, text: str, where: str, says: str) -> None:
    sentence = refused(file, text)[0]
    assert sentence.startswith(f"{file}{where} ")
    assert says in sentence


def test_a_secret_written_out_is_never_repeated(file: Path) -> None:
    for secret in ("hunter2", "env:hunter2 hunter2", "file:hunter2"):
        assert "hunter2" not in " ".join(refused(file, f'[ui]\nshare_salt = "{secret}"'))


def test_all_faults_come_at_once(file: Path) -> None:
    faults = refused(
        file, "[ui]\nthem = 1\n[logs]\nlines = true\n", {"QUARTERDECK_UI_MOUSE": "maybe"}, **{"ui.ascii": "no"}
    )
    assert len(faults) == 4
    assert any(fault.startswith("QUARTERDECK_UI_MOUSE: must be one of") for fault in faults)
    assert any(fault.startswith("--ascii: must be one of") for fault in faults)


def test_files_that_cannot_be_read_give_a_sentence(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigProblem, match="is not there"):
        load(file, {})
    with pytest.raises(ConfigProblem, match="is not there"):
        load(None, {"QUARTERDECK_CONFIG": str(file)})
    with pytest.raises(ConfigProblem, match="could not be read: is a directory"):
        load(tmp_path, {})
    file.write_bytes(b"[ui]\n# \xff\n")
    with pytest.raises(ConfigProblem, match=r"config.toml:2: not UTF-8"):
        load(file, {})
    file.write_bytes(b"#" * 300_000)
    with pytest.raises(ConfigProblem, match="longer than 256 KiB"):
        load(file, {})


def test_no_file_is_no_fault_and_hostile_names_do_no_harm(tmp_path: Path) -> None:
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    loaded = load(None, env)
    assert loaded.config == Config()
    assert not loaded.found
    assert config_path(None, env)[0] == tmp_path / "quarterdeck" / "config.toml"
    sentence = refused(tmp_path / "config.toml", '"\\u001b]52;c;x\\u0007them" = 1')[0]
    assert "\x1b" not in sentence


def test_an_unknown_variable_of_ours_is_a_note(tmp_path: Path) -> None:
    env = {"XDG_CONFIG_HOME": str(tmp_path), "QUARTERDECK_UI_THEM": "x", "QUARTERDECK_UNIT": "theirs"}
    (note,) = load(None, env).notes
    assert "QUARTERDECK_UI_THEM " in note
    assert "QUARTERDECK_UI_THEME" in note


@pytest.mark.skipif(os.name != "posix", reason="rights are POSIX")
def test_a_file_others_may_change_is_a_note(file: Path) -> None:
    file.write_text("[ui]\n")
    file.chmod(0o666)
    assert "chmod go-w" in load(file, {}).notes[0]


def test_the_example_loads_as_it_stands_and_with_every_setting_on(file: Path) -> None:
    example = generate_example()
    file.write_text(example)
    assert load(file, {}).config == Config()
    file.write_text(re.sub(r"(?m)^#(?=\S)", "", example))
    full = load(file, {}).config
    assert full.contexts["staging-*"].namespaces == ("payments", "shop")
    assert (full.logs, full.history, full.rollouts) == (Config().logs, Config().history, Config().rollouts)
    assert max(map(len, example.splitlines())) <= 120


@pytest.mark.parametrize(
    ("settings", "guarded", "word"),
    [
        (ContextSettings(), True, "PROD?"),
        (ContextSettings(environment="prod"), True, "PROD"),
        (ContextSettings(environment="staging"), False, "STAGING"),
        (ContextSettings(environment="staging", production=True), True, "PROD"),
        (ContextSettings(production=False), False, "NON-PROD"),
        (ContextSettings(production=True), True, "PROD"),
        (ContextSettings(environment="prod", production=False), False, "NON-PROD"),
        (ContextSettings(environment="PRODUCTION"), True, "PROD"),
        (ContextSettings(environment="prod-eu"), True, "PROD-EU"),
        (ContextSettings(environment="eu_live"), True, "PROD"),
        (ContextSettings(environment="non-prod"), False, "NON-PROD"),
        (ContextSettings(environment="pre-prod"), False, "PRE-PROD"),
        (ContextSettings(environment="product-test"), False, "NON-PROD"),
    ],
)
def test_an_unset_cluster_counts_as_production(settings: ContextSettings, guarded: bool, word: str) -> None:
    assert (settings.counts_as_production, settings.word) == (guarded, word)


def test_a_context_takes_its_own_section_before_a_pattern() -> None:
    own, pattern = ContextSettings(environment="own"), ContextSettings(environment="pattern")
    config = Config(contexts={"st-*": pattern, "st-1": own})
    assert config.context("st-1") is own
    assert config.context("st-2") is pattern
    assert config.context("other") == ContextSettings()


def test_a_bad_reload_keeps_the_old_configuration_and_says_so_once(file: Path) -> None:
    file.write_text("[ui]\ntheme = 'light'\n")
    watch = ConfigWatch(load(file, {}), {}, {})
    assert watch.poll() == ()
    file.write_text("[ui]\ntheme = 'lihgt'  # longer\n")
    with pytest.raises(ConfigProblem, match="did you mean"):
        watch.poll()
    assert watch.poll() == ()
    assert watch.loaded.config.ui.theme == "light"
    file.write_text("[ui]\ntheme = 'dark'\n[contexts.a]\nnamespaces=['x','y']\n")
    assert [(item.path, item.old, item.new) for item in watch.poll()][-1] == ("ui.theme", "light", "dark")
    assert watch.loaded.config.contexts["a"].namespaces == ("x", "y")


def test_a_file_that_comes_later_is_seen(tmp_path: Path) -> None:
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    watch = ConfigWatch(load(None, env), env, {})
    watch.loaded.path.parent.mkdir()
    watch.loaded.path.write_text("[ui]\nshare = true\n")
    assert changed(watch.loaded.path, None)
    assert not changed(watch.loaded.path, stamp_of(watch.loaded.path))
    (item,) = watch.poll()
    assert (item.path, item.old, item.new) == ("ui.share", "false", "true")


def test_difference_of_equals_is_nothing() -> None:
    assert difference(Config(), Config()) == ()


_KEY = st.text("abcdefg-_ .\"'#=[]\\é", min_size=1, max_size=8)
_TEXT = st.text("ab]['\"#=,\n\r\té", max_size=8)
_VALUE = st.one_of(st.integers(-9, 9), st.booleans(), _TEXT, st.lists(_TEXT, max_size=4))


def _quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(c):08x}" if c in '"\\' or not c.isprintable() else c for c in text) + '"'


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _quoted(value)
    assert isinstance(value, list)
    return "[\n" + ",\n".join(map(_quoted, value)) + "]"


@given(st.dictionaries(_KEY, st.dictionaries(_KEY, _VALUE, max_size=4), max_size=4))
def test_every_key_is_found_on_its_own_line(document: dict[str, dict[str, object]]) -> None:
    lines: list[str] = []
    expected: dict[tuple[str, ...], int] = {}
    for table, entries in document.items():
        expected[table,] = len(lines) + 1
        lines.append(f"[{_quoted(table)}]  # [x] = 1")
        for key, value in entries.items():
            expected[table, key] = len(lines) + 1
            lines += f"{_quoted(key)} = {_toml(value)}".split("\n")
    assert key_lines("\n".join(lines)) == expected
