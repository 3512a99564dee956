"""How a server wants to be asked: TLS, client certificates and basic authentication by Prometheus' own web config."""

from __future__ import annotations

import ipaddress
import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

USER = "oncall"
PASSWORD = "quarterdeck-test"
# bcrypt (cost 4) of PASSWORD: the web config takes nothing else.
_HASH = "$2b$04$abcdefghijklmnopqrstuuiJULhEzI5vXy0/0NjpQ.91GlgHFezOy"


class Web:
    """The web config of one server, and the files and words a client needs to be let in.

    `authority`, `certificate`, `key` are PEM files (none without TLS); `stranger` and `stranger_key` are those of a
    client that another authority signed.
    """

    def __init__(self, folder: Path, *, basic: bool, tls: bool, client_certificate: bool) -> None:
        self.basic = basic
        self.tls = tls or client_certificate
        self.client_certificate = client_certificate
        self.config = folder / "web.yml"
        self.authority = folder / "ca.crt"
        self.certificate, self.key = folder / "client.crt", folder / "client.key"
        self.server, self.server_key = folder / "server.crt", folder / "server.key"
        self.stranger, self.stranger_key = folder / "stranger.crt", folder / "stranger.key"
        document: dict[str, Any] = {"basic_auth_users": {USER: _HASH}} if basic else {}
        if self.tls:
            server, server_key = self.server, self.server_key
            _issue(self.authority, {(server, server_key): "server", (self.certificate, self.key): "console"})
            _issue(folder / "other.crt", {(self.stranger, self.stranger_key): "stranger"})
            settings = {"cert_file": str(server), "key_file": str(server_key)}
            if client_certificate:
                settings |= {"client_ca_file": str(self.authority), "client_auth_type": "RequireAndVerifyClientCert"}
            document["tls_server_config"] = settings
        self.config.write_text(json.dumps(document))

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"

    def context(self) -> ssl.SSLContext:
        """Return what a server of ours needs to speak TLS like that."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.server, self.server_key)
        if self.client_certificate:
            made.load_verify_locations(self.authority)
            made.verify_mode = ssl.CERT_REQUIRED
        return made

    def client(self, url: str, timeout: float = 10.0) -> httpx.Client:
        """Return a client that is let in."""
        verify: ssl.SSLContext | bool = False
        if self.tls:
            verify = ssl.create_default_context(cafile=str(self.authority))
            verify.load_cert_chain(self.certificate, self.key)
        auth = (USER, PASSWORD) if self.basic else None
        return httpx.Client(base_url=url, verify=verify, auth=auth, timeout=timeout, trust_env=False)

    def scraper(self) -> dict[str, Any]:
        """Return what a Prometheus' own configuration needs to speak to such a server."""
        found: dict[str, Any] = {}
        if self.basic:
            found["basic_auth"] = {"username": USER, "password": PASSWORD}
        if self.tls:
            files = {"ca_file": self.authority, "cert_file": self.certificate, "key_file": self.key}
            found["tls_config"] = {name: str(path) for name, path in files.items()}
        return found


def _issue(authority_file: Path, wanted: dict[tuple[Path, Path], str]) -> None:
    """Make an authority and the certificates it signs, valid for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("test authority")
    authority = (
        _begun(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    authority_file.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    addresses = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("monitoring.test")]
    for (certificate_file, key_file), common_name in wanted.items():
        own = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _begun(_name(common_name), name, own)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        key_file.write_bytes(own.private_bytes(*plain))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )
