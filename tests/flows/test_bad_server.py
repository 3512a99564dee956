"""A cluster that does not answer, or refuses: the console says why and what to do, scripts get "could not tell"."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.rehearsal.server import Rehearsal
from services.rehearsal.wire.access import Account
from tests.flows.mishap import console, kubeconfig, leave, portal, run, shows
from tests.flows.program import estate_served, kubeconfig_of


@pytest.fixture(scope="module")
def estate() -> Iterator[Rehearsal]:
    with estate_served() as served:
        served.access.issue("t-nobody", Account("nobody", (), namespaces=frozenset()))
        yield served


def with_token(home: Path, estate: Rehearsal, token: str) -> str:
    """Write the estate's kubeconfig with another token."""
    path = home / "kubeconfig"
    path.write_text(Path(kubeconfig_of(estate)).read_text().replace(estate.address.tokens["admin"], token))
    return str(path)


def not_live(home: Path, path: str, *sentences: str) -> None:
    """See that the screen and the report both say so, that nothing is called clear, and that one can leave."""
    with console(home, "run", "--kubeconfig", path, size=(80, 24)) as terminal:
        shows(terminal, "NOT LIVE", *sentences)
        assert "healthy" not in terminal.text
        assert "all clear" not in terminal.text
        assert leave(terminal) == 0
    done = run(home, "status", "--live", "--timeout", "8", "--kubeconfig", path)
    assert (done.returncode, done.stderr) == (2, "")
    assert "could not tell" in done.stdout
    for sentence in sentences:
        assert sentence.rstrip(".") in done.stdout


def test_a_refused_connection(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, "https://127.0.0.1:1")
    not_live(tmp_path, path, "127.0.0.1:1 refused the connection; is the API server running?")


def test_a_name_that_nobody_knows(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, "https://no-such-host.invalid:6443")
    not_live(tmp_path, path, "the name of no-such-host.invalid:6443 could not be resolved; check DNS or the VPN.")


def test_a_server_of_another_kind(tmp_path: Path) -> None:
    with portal() as host:
        path = kubeconfig(tmp_path, f"http://{host}")
        not_live(tmp_path, path, "is no Kubernetes API server; check the server's address in the kubeconfig.")


def test_a_port_that_speaks_no_tls(tmp_path: Path) -> None:
    with portal() as host:
        path = kubeconfig(tmp_path, f"https://{host}")
        not_live(tmp_path, path, f"TLS with {host} failed", "is that the API server's port?")


def test_a_token_that_has_expired(tmp_path: Path, estate: Rehearsal) -> None:
    path = with_token(tmp_path, estate, "t-expired-long-ago")
    not_live(tmp_path, path, "the server does not accept these credentials", "log in again.")
    assert "t-expired-long-ago" not in run(tmp_path, "doctor", "--kubeconfig", path).stdout


def test_no_rights_at_all(tmp_path: Path, estate: Rehearsal) -> None:
    path = with_token(tmp_path, estate, "t-nobody")
    not_live(
        tmp_path, path, "Could not list", "forbidden", 'User "nobody" cannot list', "ask for a role that allows it."
    )
