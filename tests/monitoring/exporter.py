"""A small exporter whose series a test sets, for a real Prometheus to scrape."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

Labels = tuple[tuple[str, str], ...]


class Exporter:
    """Serves /metrics on a free loopback port; a context manager."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, Labels], float] = {}
        self._lock = threading.Lock()
        exporter = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = exporter.text().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self._server.daemon_threads = True

    @property
    def address(self) -> str:
        """Host and port, as a scrape target."""
        return f"127.0.0.1:{self._server.server_port}"

    def set(self, name: str, value: float, **labels: str) -> None:
        """Give a series its value from now on."""
        with self._lock:
            self._series[name, tuple(sorted(labels.items()))] = value

    def add(self, name: str, value: float, **labels: str) -> None:
        """Let a counter grow."""
        with self._lock:
            key = name, tuple(sorted(labels.items()))
            self._series[key] = self._series.get(key, 0.0) + value

    def drop(self, name: str, **labels: str) -> None:
        """Let a series go."""
        with self._lock:
            self._series.pop((name, tuple(sorted(labels.items()))), None)

    def text(self) -> str:
        """Return what is served now."""
        with self._lock:
            return "".join(f"{name}{_braced(labels)} {value!r}\n" for (name, labels), value in self._series.items())

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _braced(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
