"""What share mode masks from the start: names that only the kubeconfig and the configuration tell."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from services.errors import Problem

if TYPE_CHECKING:
    from tui.commands.setup import Setup
    from tui.console import Console


class Masking:
    """The part of the assembly that knows which names are private, and where their stand-ins come from."""

    setup: Setup
    console: Console
    _notes: list[str]

    if TYPE_CHECKING:

        def contexts(self) -> tuple[str, ...]:
            """Return the names of the contexts there are. Raises Problem."""

    def _private(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return the names that only the kubeconfig tells of the cluster that is watched."""
        from urllib.parse import urlsplit

        identity = self.setup.identity
        with contextlib.suppress(ValueError):
            return [
                ("cluster", (identity.cluster_name,)),
                ("host", (urlsplit(identity.server).hostname or "",)),
                ("user", (identity.user,)),
            ]
        return [("cluster", (identity.cluster_name,)), ("user", (identity.user,))]

    async def _salt(self) -> bytes:
        reference = self.setup.loaded.config.ui.share_salt
        return (await reference.resolve()).reveal().encode() if reference is not None else b""

    def _share_from_the_start(self) -> None:
        """Mask names before anything is drawn; without the salt they are this session's own, which is said."""
        salt = b""
        if self.console.salt is not None:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(1) as pool:
                try:
                    salt = pool.submit(asyncio.run, self._salt()).result()
                except Problem as problem:
                    self._notes.append(f"share mode: names are this session's own: {problem.sentence}")
        contexts: tuple[str, ...] = ()
        with contextlib.suppress(Problem):
            contexts = self.contexts()
        self.console.share(salt, contexts)
