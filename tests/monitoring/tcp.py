"""A TCP proxy before a real server that breaks a connection off at the POST: before the server has it, or after."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Cutting:
    """Passes everything on; once armed, the next POST is cut: before it is passed on, or as its answer comes.

    It listens at `host`, where others than this machine may have to reach it.
    """

    def __init__(self, upstream: str, *, cut_answers: bool, host: str = "127.0.0.1") -> None:
        parts = urlsplit(upstream)
        self._to = (parts.hostname or "", parts.port or 80)
        self._cut_answers = cut_answers
        self._armed = threading.Event()
        self._listening = socket.create_server((host, 0))
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http://{host}:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.close()

    def arm(self) -> None:
        """Cut the next POST."""
        self._armed.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._to)
                posted = threading.Event()
                threading.Thread(target=self._there, args=(client, server, posted), daemon=True).start()
                threading.Thread(target=self._back, args=(client, server, posted), daemon=True).start()

    def _there(self, client: socket.socket, server: socket.socket, posted: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self._armed.is_set() and data.startswith(b"POST"):
                    self._armed.clear()
                    if not self._cut_answers:
                        break
                    posted.set()
                server.sendall(data)
        self._end(client, server)

    def _back(self, client: socket.socket, server: socket.socket, posted: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if posted.is_set():
                    break
                client.sendall(data)
        self._end(client, server)

    @staticmethod
    def _end(*ends: socket.socket) -> None:
        for one in ends:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
