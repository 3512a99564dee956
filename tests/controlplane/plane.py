"""Start, stop, stall and kill a real Kubernetes control plane whose nodes are simulated."""

from __future__ import annotations

import json
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from . import audit, build, podlogs
from .access import Access, User, rights
from .commands import COMPONENTS, SERVING, Component, Layout
from .process import PlaneError, Reaper, Server, restart, until

HEALTH_TIMEOUT_S = 2.0


class ControlPlane:
    """etcd, kube-apiserver and, as asked, the controllers, the scheduler and KWOK: started, ready, and yours to break.

    Use it as a context manager. ``components`` may leave out what moves things (``SERVING`` alone is a still picture);
    ``seed`` is a folder of etcd data to start from (see ``prepared``); ``data`` keeps everything in a folder of yours,
    which is not removed; ``port`` fixes the API's port; ``exec_here`` lets exec into a simulated pod run commands on
    this machine, without asking who calls: leave it off unless a test needs it. Raises PlaneError, or BuildError where
    the binaries are missing and cannot be built.
    """

    def __init__(
        self,
        components: Sequence[Component] = COMPONENTS,
        *,
        seed: Path | None = None,
        data: Path | None = None,
        port: int | None = None,
        exec_here: bool = False,
    ) -> None:
        movers = (name for name in COMPONENTS if name in components and name not in SERVING)
        self.components: tuple[Component, ...] = (*SERVING, *movers)
        self._seed, self._data, self._port, self._exec_here = seed, data, port, exec_here
        self._stack = ExitStack()
        self._servers: dict[Component, Server] = {}
        self._clients: dict[User, httpx.Client] = {}
        self.started_in: dict[str, float] = {}

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start every component and return when all of them are ready; ``started_in`` then holds the seconds."""
        began = time.monotonic()
        self._lay_out()
        for component in SERVING:
            self._launch(component)
            self.started_in[component] = self._servers[component].await_ready()
        _grant_rights(self.api())
        self.kubeconfig("admin")
        movers = [component for component in self.components if component not in SERVING]
        for component in movers:
            self._launch(component)
        for component in movers:
            self.started_in[component] = self._servers[component].await_ready()
        if "kube-controller-manager" in movers:
            until(partial(_view_role_is_filled, self.api()), 30, "the role 'view' being filled by its controller")
        self.started_in["all"] = time.monotonic() - began

    def stop(self) -> None:
        """End all servers, the last started first, and remove the data folder unless it was given."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        for server in reversed(self._servers.values()):
            server.end()
        self._servers.clear()
        self._stack.close()

    @property
    def url(self) -> str:
        return self._layout.url

    @property
    def data(self) -> Path:
        """The folder with all data, logs, keys and kubeconfigs of this plane."""
        return self._layout.data

    @property
    def certificate(self) -> Path:
        """The PEM file a client has to trust."""
        return self._layout.certificate

    @property
    def kubectl_path(self) -> Path:
        """The kubectl of the same version as the servers."""
        return self._layout.binaries / "kubectl"

    def token(self, user: User) -> str:
        """Return the bearer token of ``user``; it is new for each plane."""
        return self._access.tokens[user]

    def kubeconfig(self, user: User = "admin") -> Path:
        """Write and return the kubeconfig of ``user``; over HTTPS, verified."""
        return self._access.kubeconfig(user, self.url, self.certificate.read_bytes())

    def api(self, user: User = "admin") -> httpx.Client:
        """Return an HTTP client of ``user`` with paths relative to the server, such as ``/api/v1/pods``."""
        if user not in self._clients:
            self._clients[user] = httpx.Client(
                base_url=self.url,
                verify=ssl.create_default_context(cafile=str(self.certificate)),
                headers={"Authorization": f"Bearer {self.token(user)}"},
                timeout=30.0,
                trust_env=False,
            )
        return self._clients[user]

    def kubectl(
        self,
        *arguments: str,
        user: User = "admin",
        stdin: str | None = None,
        check: bool = True,
        timeout: float = 240.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run the kubectl of the same version; raise PlaneError with its stderr if it fails and ``check`` is on."""
        done = subprocess.run(
            [str(self.kubectl_path), *arguments],
            input=stdin,
            text=True,
            capture_output=True,
            timeout=timeout,
            check=False,
            env={
                "HOME": str(self.data),
                "KUBECONFIG": str(self.kubeconfig(user)),
                "KUBECACHEDIR": str(self.data / "kubectl-cache"),
                "PATH": "/usr/bin:/bin",
            },
        )
        if check and done.returncode != 0:
            raise PlaneError(f"kubectl {' '.join(arguments)} failed ({done.returncode}): {done.stderr.strip()}")
        return done

    def pause(self, name: Component) -> None:
        """Stop the process in its tracks (SIGSTOP): its connections stay open and nothing answers."""
        self._server(name).send(signal.SIGSTOP)

    def resume(self, name: Component) -> None:
        """Let a paused process go on (SIGCONT)."""
        self._server(name).send(signal.SIGCONT)

    def kill(self, name: Component) -> None:
        """End the process at once (SIGKILL); ``restart`` brings it back."""
        self._server(name).kill()

    def restart(self, name: Component) -> float:
        """End it if it runs, start it on the same ports and data, and return the seconds until the API serves again."""
        server = self._server(name)
        server.end(within=2.0)
        began = time.monotonic()
        server.start()
        server.await_ready()
        if name == "etcd" and self._server("kube-apiserver").pid is not None:
            self._server("kube-apiserver").await_ready()
        seconds = time.monotonic() - began
        if name in SERVING:
            self._renew_movers()
        return seconds

    def heal(self) -> None:
        """Undo every ``pause`` and ``kill``: all components run and are ready again when it returns."""
        was_away = any(self._server(name).pid is None for name in SERVING)
        for name, server in self._servers.items():
            if server.pid is None:
                server.start()
            else:
                self.resume(name)
        for server in self._servers.values():
            server.await_ready()
        if was_away:
            self._renew_movers()

    def compact(self) -> int:
        """Compact etcd at its present revision and return that revision.

        A watch or a continued list from one at least two older gets 410 where the server asks etcd: Events at once,
        other kinds (served from the watch cache) after ``restart("kube-apiserver")``.
        """
        revision = int(_etcd(self._layout.etcd_url, "kv/range", {"key": "AA==", "limit": "1"})["header"]["revision"])
        _etcd(self._layout.etcd_url, "kv/compaction", {"revision": str(revision), "physical": True})
        return revision

    def defragment(self) -> None:
        """Give the room of compacted revisions back to the file system."""
        _etcd(self._layout.etcd_url, "maintenance/defragment", {})

    def write_pod_log(self, *lines: str, previous: bool = False) -> None:
        """Append lines, as of now, to the log that every simulated container shows; a follower gets them at once."""
        podlogs.append(self._pod_log(previous=previous), lines)

    def rss_mb(self) -> dict[Component, float]:
        """Resident memory of each running component, in MB (10^6 bytes)."""
        return {name: server.rss_mb() for name, server in self._servers.items()}

    def pid(self, name: Component) -> int | None:
        """Return the process id of the component, or None when it does not run."""
        return self._server(name).pid

    def log(self, name: Component) -> Path:
        """Name the file with everything the component has printed."""
        return self._server(name).log

    def _lay_out(self) -> None:
        binaries = build.binaries()
        if binaries is None:
            raise build.BuildError("the control plane is not built; run: python -m tests.controlplane.build")
        if self._data is None:
            folder = Path(tempfile.mkdtemp(prefix="quarterdeck-plane-"))
        else:
            folder = self._data
            folder.mkdir(parents=True, exist_ok=True)
        reaper = Reaper(folder if self._data is None else None)
        self._stack.callback(reaper.close)
        self._reaper = reaper
        self._layout = Layout(binaries, folder) if self._port is None else Layout(binaries, folder, self._port)
        self._access = Access(folder / "access")
        self._access.write()
        if self._seed is not None and not self._layout.etcd_data.exists():
            shutil.copytree(self._seed, self._layout.etcd_data)
        podlogs.write_first_logs(self._pod_log(), self._pod_log(previous=True), datetime.now(UTC))
        config = podlogs.kwok_config(self._pod_log(), self._pod_log(previous=True), self._exec_here)
        self._layout.kwok_config.write_text(config)
        self._layout.audit_policy.write_text(json.dumps(audit.POLICY))

    def _launch(self, name: Component) -> None:
        command = self._layout.command(
            name, self._access.folder / "kubeconfig-admin", self._access.token_file, self._access.signing_key
        )
        url = self._layout.health_url(name)
        token = self.token("admin") if name == "kube-apiserver" else None
        ready = partial(_answers, url, self.certificate, token)
        server = Server(name, command, self.data / f"{name}.log", self._reaper, ready)
        self._servers[name] = server
        server.start()

    def _renew_movers(self) -> None:
        """Start what moves things again: an informer that lost its server doubles its wait up to a minute."""
        restart([server for name, server in self._servers.items() if name not in SERVING and server.pid is not None])

    def _pod_log(self, *, previous: bool = False) -> Path:
        return self.data / "pod-logs" / ("previous.log" if previous else "current.log")

    def _server(self, name: Component) -> Server:
        try:
            return self._servers[name]
        except KeyError:
            raise PlaneError(f"{name} is not part of this plane; it has {', '.join(self._servers)}") from None


def _grant_rights(api: httpx.Client) -> None:
    for path, item in rights():
        answer = api.post(path, json=item)
        if answer.status_code not in (201, 409):
            raise PlaneError(f"{path} refused {item['metadata']['name']}: {answer.status_code} {answer.text[:300]}")


def _view_role_is_filled(api: httpx.Client) -> bool:
    return bool(api.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/view").json().get("rules"))


def _answers(url: str, certificate: Path, token: str | None) -> bool:
    """Tell whether ``url`` answers 200 now, over HTTPS only to a server that shows ``certificate``."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        trust = ssl.create_default_context(cafile=str(certificate)) if url.startswith("https") else False
        answer = httpx.get(url, headers=headers, verify=trust, timeout=HEALTH_TIMEOUT_S, trust_env=False)
    except (httpx.HTTPError, OSError):  # not listening yet, or no certificate yet
        return False
    return answer.status_code == 200


def _etcd(url: str, method: str, body: dict[str, str | bool]) -> dict[str, Any]:
    """Call etcd through its JSON gateway; int64 travel as strings, keys in base64."""
    answer = httpx.post(f"{url}/v3/{method}", json=body, timeout=60.0, trust_env=False)
    if answer.status_code != 200:
        raise PlaneError(f"etcd refused {method}: {answer.status_code} {answer.text[:300]}")
    content: dict[str, Any] = answer.json()
    return content
