"""The command without a screen: bad input gets one clear sentence and an honest exit code, never a trace-back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cache.state.packing import NARROWED
from cache.state.records import narrowed_key
from cache.state.store import StateStore
from services.clock import SystemClock
from services.model.cluster import Symptom
from services.model.ref import Ref
from services.model.severity import Severity
from services.model.source import SourceState, SourceStatus
from services.model.timeline import Event, EventKind
from services.model.workload import Rollout
from services.rehearsal.server import Rehearsal
from tests.unit.kubernetes.estate_of import workload
from tui import __version__
from tui.cli import main, parser
from tui.commands.setup import prepare
from tui.exitcodes import ExitCode

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: not-a-token}}]
contexts: [{name: here, context: {cluster: c, user: u}}]
"""


@pytest.fixture
def home(home: Path) -> Path:
    (home / "kubeconfig").write_text(KUBECONFIG)
    return home


def said(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return out + err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "kubeconfig"),
        ("{", "YAML"),
        ("kind: Config\n", "current-context"),
        (KUBECONFIG.replace("current-context: here", "current-context: gone"), "gone"),
    ],
)
def test_a_wrong_kubeconfig(home: Path, capsys: pytest.CaptureFixture[str], content: str | None, words: str) -> None:
    path = home / "wrong"
    if content is not None:
        path.write_text(content)
    assert main(["status", "--kubeconfig", str(path)]) == 2
    assert words in said(capsys)


def test_a_server_that_is_not_there(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["status", "--live", "--timeout", "5", "--kubeconfig", str(home / "kubeconfig")]
    assert main(words) == 2
    told = said(capsys)
    assert "could not tell" in told
    assert "127.0.0.1:1" in told


def test_an_empty_cache_is_no_all_clear(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--kubeconfig", str(home / "kubeconfig")]) == 2
    assert "nothing is cached" in said(capsys)


@pytest.mark.parametrize(
    ("text", "words"), [("[ui]\nthem = 'dark'\n", "them"), ("[ui\n", "config.toml:1:"), ("[ui]\ntheme = 7\n", "theme")]
)
def test_a_bad_configuration_names_file_line_and_key(
    home: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    path = home / "config.toml"
    path.write_text(text)
    assert main(["status", "--config", str(path), "--kubeconfig", str(home / "kubeconfig")]) == 2
    told = said(capsys)
    assert "config.toml" in told
    assert words in told


def test_no_terminal(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--kubeconfig", str(home / "kubeconfig")]) == 2
    assert "quarterdeck status" in said(capsys)


def test_a_damaged_database_is_no_obstacle(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "state").mkdir(mode=0o700)
    (home / "state" / "state.db").write_bytes(b"garbage" * 1000)
    assert main(["status", "--kubeconfig", str(home / "kubeconfig")]) == 2
    assert "nothing is cached" in said(capsys)


def test_live_status_follows_the_server(home: Path, estate: Rehearsal, capsys: pytest.CaptureFixture[str]) -> None:
    kubeconfig = str(estate.address.kubeconfig)
    assert main(["status", "--live", "-o", "json", "--kubeconfig", kubeconfig]) == 1
    told = json.loads(said(capsys))
    assert told["verdict"] == "failing"
    assert any("CrashLoop" in row["what"] for row in told["workloads"])
    assert told["narrowed"] == ""
    assert main(["rollouts", "--live", "--kubeconfig", kubeconfig, "--context", estate.address.contexts["narrow"]]) < 2
    namespace = estate.address.narrow_namespaces[0]
    assert f"seen with narrow rights: {namespace}; nodes forbidden" in said(capsys)
    assert main(["rollouts", "--live", "--kubeconfig", kubeconfig]) == 1
    assert "CRIT" in said(capsys)


def kept(
    folder: Path, key: str, rollouts: Mapping[str, Rollout], symptoms: Mapping[str, Symptom], as_of: float
) -> None:
    """Leave rows behind, as a console does."""
    leave(folder, key, {"rollouts": rollouts, "symptoms": symptoms}, as_of)


def leave(folder: Path, key: str, tables: Mapping[str, Mapping[str, Any]], as_of: float) -> None:
    """Leave rows of any tables behind."""
    store = StateStore(folder, SystemClock())
    store.start()
    store.attend(key)
    for name, rows in tables.items():
        store.save(key, name, rows, as_of)
    assert store.flush()
    assert store.close()


def test_what_was_kept_of_a_namespace_answers_for_it_alone(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, now = str(home / "kubeconfig"), SystemClock().now()
    setup = prepare(parser().parse_args(["status", "--kubeconfig", path]))
    old, young = (
        Rollout(workload(name="old"), Severity.CRIT, "gone", done=False),
        Rollout(workload(), Severity.OK, "", done=True),
    )
    kept(setup.folder, narrowed_key(setup.key, ("shop",)), {"Deployment/shop/cart": young}, {}, now)
    for words, code in (((), ExitCode.UNKNOWN), (("-n", "data"), ExitCode.UNKNOWN), (("-n", "shop"), ExitCode.OK)):
        assert main(["status", "--kubeconfig", path, *words]) == code
    assert "all clear: 1 workload healthy" in said(capsys)
    kept(setup.folder, setup.key, {"Deployment/shop/old": old}, {}, now - 3600)
    assert main(["status", "--kubeconfig", path, "-n", "shop"]) == ExitCode.OK, "the younger rows count"


def test_what_was_kept_by_a_user_of_narrow_rights_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, now = str(home / "kubeconfig"), SystemClock().now()
    setup = prepare(parser().parse_args(["status", "--kubeconfig", path]))
    row = Rollout(workload(), Severity.OK, "", done=True)
    kept(setup.folder, setup.key, {"Deployment/shop/cart": row}, {}, now)
    assert main(["status", "--kubeconfig", path]) == ExitCode.OK
    assert "narrow" not in said(capsys)
    nodes = SourceStatus("kubernetes/nodes", SourceState.FORBIDDEN, error="nodes are forbidden")
    pods = SourceStatus("kubernetes/pods", SourceState.LIVE, scope="4 namespaces")
    other = SourceStatus("kubernetes/events", SourceState.LIVE, scope="4 namespaces")
    rights = {one.source: one for one in (pods, nodes, other)}
    leave(setup.folder, setup.key, {NARROWED: rights}, now)
    assert main(["status", "--kubeconfig", path]) == ExitCode.OK
    assert "seen with narrow rights: 4 namespaces; nodes forbidden" in said(capsys)
    assert main(["status", "-o", "json", "--kubeconfig", path]) == ExitCode.OK
    assert json.loads(said(capsys))["narrowed"] == "4 namespaces; nodes forbidden"


def test_a_namespace_is_told_of_alone_and_an_unknown_one_is_no_all_clear(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, now = str(home / "kubeconfig"), SystemClock().now()
    setup = prepare(parser().parse_args(["status", "--kubeconfig", path]))
    cart = Rollout(workload(name="cart"), Severity.OK, "", done=True)
    jobs = Symptom("jobs-failed", Severity.WARN, "1 job failed: data/export", namespaces=("data",))
    kept(setup.folder, setup.key, {"Deployment/shop/cart": cart}, {jobs.key: jobs}, now)
    for words, code, told in (
        ((), ExitCode.FAILING, "1 job failed"),
        (("-n", "shop"), ExitCode.OK, "all clear: 1 workload healthy"),
        (("-n", "shpo"), ExitCode.UNKNOWN, "no workload is known in namespace shpo"),
    ):
        assert main(["status", "--kubeconfig", path, *words]) == code
        assert told in said(capsys)


def test_a_revoked_token_is_could_not_tell(home: Path, estate: Rehearsal, capsys: pytest.CaptureFixture[str]) -> None:
    text = Path(estate.address.kubeconfig).read_text()
    for token in estate.address.tokens.values():
        text = text.replace(token, "expired")
    path = home / "expired"
    path.write_text(text)
    assert main(["status", "--live", "--timeout", "8", "--kubeconfig", str(path)]) == 2
    told = said(capsys)
    assert "could not tell" in told
    assert "expired" not in told.replace(str(path), "")


def test_what_needs_the_screen_is_refused_by_command(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["act", "shell", "shop/pod/cart-0", "--yes", "--reason", "INC-42"]
    assert main([*words, "--kubeconfig", str(home / "kubeconfig")]) == 2
    assert "needs the screen" in said(capsys)
    assert not list(home.rglob("ledger.db"))


def test_a_fault_of_the_program_is_one_sentence_and_a_report(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_arguments: object) -> int:
        raise KeyError("token=hunter2hunter2")

    monkeypatch.setattr("tui.commands.report.report", broken)
    assert main(["status", "--kubeconfig", str(home / "kubeconfig")]) == ExitCode.CRASH
    told = said(capsys)
    assert "an error of its own, KeyError" in told
    assert "hunter2" not in told
    (report,) = (home / "state").glob("crash-*.txt")
    assert report.read_text().startswith(f"quarterdeck {__version__} crashed")


@pytest.mark.parametrize("output", ["table", "json"])
def test_what_happened_is_told_without_its_secrets(home: Path, capsys: pytest.CaptureFixture[str], output: str) -> None:
    words = ["timeline", "--kubeconfig", str(home / "kubeconfig"), "-o", output]
    setup = prepare(parser().parse_args(words))
    store, at = StateStore(home / "state", SystemClock()), SystemClock().now() - 60
    store.start()
    store.attend(setup.key)
    ref = Ref("c", "", "Pod", "shop", "cart-1", "u")
    store.record(setup.key, [Event("e", at, at, EventKind.WARNING, ref, "pull failed: password=hunter2hunter2")])
    assert store.flush()
    assert store.close()
    assert main(words) == 0
    told = said(capsys)
    assert "pull failed: password=***" in told
    assert "hunter2" not in told
