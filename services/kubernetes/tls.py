"""Makes the TLS context of one cluster, without leaving a private key on disk."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator

from services.errors import Problem
from services.model.text import Secret
from services.sanitize import safe_text


def context(ca: bytes, *, verify: bool, certificate: bytes = b"", key: Secret | None = None) -> ssl.SSLContext:
    """Return a client context that trusts `ca` (the system's store when empty). PEM throughout.

    Raises Problem where the authority, the certificate or the key is not what it should be.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Clusters' own authorities often lack the key identifiers that strict checking (Python 3.13) asks for.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif ca:
        try:
            made.load_verify_locations(cadata=ca.decode("ascii", "ignore"))
        except (ssl.SSLError, ValueError):
            raise Problem(safe_text("The kubeconfig's certificate authority is not a PEM certificate.")) from None
    else:
        made.load_default_certs()
    if certificate:
        pem = certificate + b"\n" + (key.reveal().encode() if key else b"")
        try:
            with _as_file(pem) as path:
                made.load_cert_chain(path, password=lambda: b"")
        except (ssl.SSLError, ValueError, OSError):
            raise Problem(
                safe_text("The client certificate and its key do not fit together or are not PEM; log in again.")
            ) from None
    return made


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """Lend `content` as a path: OpenSSL loads keys from files only, so memory that has a path, else a private file."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):  # noqa: PTH112 - a kernel interface, not a file
        descriptor = os.memfd_create("pem")
        try:
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name
