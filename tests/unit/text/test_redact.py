"""What is masked always and what is masked on a shared screen; and what must stay readable."""

from __future__ import annotations

import json
import re
from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services import redact as redaction
from services.model.text import SafeText
from services.pseudonyms import Pseudonyms
from services.redact import know, redact
from services.sanitize import safe_text

CANARY = "cAnArY0815"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0." + CANARY
PEM = f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{CANARY}\n+/==\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"Authorization: Bearer {CANARY}", "Authorization: ***"),
        (f"curl -H 'Authorization: Basic {CANARY}==' https://x", "curl -H 'Authorization: ***' https://x"),
        (f'{{"authorization":"token {CANARY}","a":1}}', '{"authorization":"***","a":1}'),
        (f"proxy-authorization=Digest user={CANARY}, uri=/", "proxy-authorization=***"),
        (f"got bearer {CANARY} from", "got bearer *** from"),
        (f"Set-Cookie: session={CANARY}; Path=/", "Set-Cookie: ***"),
        (f"id {JWT} end", "id *** end"),
        ("key AKIAIOSFODNN7EXAMPLE used", "key *** used"),
        (f"aws_secret_access_key={CANARY}", "aws_secret_access_key=***"),
        (f"ghp_{CANARY}{CANARY} glpat-{CANARY}{CANARY} xoxb-1-{CANARY}", "*** *** ***"),
        (f"before {PEM} after", "before [PEM ***] after"),
        (f"-----BEGIN CERTIFICATE-----MII{CANARY} cut off", "[PEM ***]"),
        (f"postgres://app:{CANARY}@db:5432/x", "postgres://***@db:5432/x"),
        (f"amqp://app:p/{CANARY}#?@mq/x", "amqp://***@mq/x"),
        (f"https://{CANARY}@github.com/a/b", "https://***@github.com/a/b"),
        (f"redis://:p@{CANARY}@cache:6379/0", "redis://***@cache:6379/0"),
        (f"https://hooks.slack.com/services/T0/B0/{CANARY}", "https://hooks.slack.com/***"),
        (f"client-key-data: {CANARY}=", "client-key-data: ***"),
        (f"certificate-authority-data: {CANARY}", "certificate-authority-data: ***"),
        (f"DB_PASS={CANARY} PGPASSWORD='{CANARY} x' next", "DB_PASS=*** PGPASSWORD='***' next"),
        (f'password: "{CANARY}\\"{CANARY}", user: "x"', 'password: "***", user: "x"'),
        (f'"{{\\"apiKey\\":\\"{CANARY}\\",\\"n\\":1}}"', '"{\\"apiKey\\":\\"***\\",\\"n\\":1}"'),
        (f"mysql --password {CANARY} -u x", "mysql --password *** -u x"),
        (f"kubectl --token={CANARY} get pods", "kubectl --token=*** get pods"),
        (f"https://s3/x?X-Amz-Signature={CANARY}&y=1", "https://s3/x?X-Amz-Signature=***&y=1"),
        (f"spring.datasource.password={CANARY}", "spring.datasource.password=***"),
        (f"Pwd={CANARY};Server=x", "Pwd=***;Server=x"),
        (f"client_secret = {CANARY}", "client_secret = ***"),
    ],
)
def test_secrets_go(text: str, masked: str) -> None:
    assert redact(text) == masked
    assert CANARY not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "payments/checkout",
        'secret "db-credentials" not found',
        "secretName: db-credentials",
        "imagePullSecrets: [x]",
        "tokenExpirationSeconds: 3600",
        "automountServiceAccountToken: true",
        "https://api.example.com:6443/healthz",
        "http://node-1:10250/logs/a@b",
        "sha256:4bc453b53cb3d914b45f4b250294236adba2c0e09ff6f03793949e7e39fd4cc1",
        "rev 42 ← 41  v1.8.2 → v1.8.3",
        "03:14:07 Back-off restarting failed container",
        "image registry.corp.io/shop/cart:v2.0.1@sha256:4bc453b53cb3d914b45f4b25029",
        "key: value",
        "monkey=banana compass: north",
        "user@example.com",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text
    assert redact(safe_text(text)) == text


def test_safe_text_stays_safe_text() -> None:
    assert type(redact(safe_text(f"token={CANARY}"))) is SafeText
    assert type(redact(f"token={CANARY}")) is str


KEYS = [
    "password",
    "DB_PASSWORD",
    "client_secret",
    "apiKey",
    "api-key",
    "x.token",
    "AWS_SECRET_ACCESS_KEY",
    "privateKey",
]
SHAPES = [
    "{key}={value}",
    "{key}: {value}",
    '{key}: "{value}"',
    "{key}='{value}'",
    '{{"{key}":"{value}"}}',
    "--{key}={value}",
    "Authorization: Bearer {value}",
    "x://u:{value}@h/",
    "x://{value}@h",
    "-----BEGIN PRIVATE KEY-----{value}",
    "eyJhbGciOi.{value}.x",
    "AKIA{value}ABCDEF",
    "https://hooks.slack.com/services/{value}",
    "Cookie: a={value}",
]
NOISE = st.text("ab Z09:=.-_/@\"'\\{}[],;&?#\n\té…", max_size=25)


@given(NOISE, st.sampled_from(SHAPES), st.sampled_from(KEYS), NOISE)
def test_no_canary_survives_among_anything(before: str, shape: str, key: str, after: str) -> None:
    canary = "CANARY0815" if shape.startswith("AKIA") else CANARY
    text = f"{before} {shape.format(key=key, value=canary)}{after}"
    once = redact(text)
    assert canary not in once
    assert redact(once) == once
    assert len(once) <= 2 * len(text) + 16
    # The way of a screen: first safe, then masked, cut wherever the cell ends.
    for limit in (len(text), 4096):
        assert canary not in redact(safe_text(text, limit))


ANYTHING = st.lists(
    st.one_of(
        st.sampled_from(
            ["token", "=", ":", "://", "@", "eyJ", ".", "--", "***", "-----BEGIN A-----", "password", '"', "\\", " "]
        ),
        NOISE,
    ),
    max_size=12,
).map("".join)


@given(ANYTHING)
@example("password=" * 3)
@example('token="' * 3)
def test_masking_twice_is_masking_once(text: str) -> None:
    once = redact(text)
    assert redact(once) == once
    assert len(once) <= 2 * len(text) + 16


def test_json_stays_json() -> None:
    document = {
        "user": "x",
        "password": f'a"{CANARY}',
        "nested": {"token": CANARY, "n": 1},
        "list": [f"token={CANARY}"],
    }
    masked = json.loads(redact(json.dumps(document)))
    assert masked["password"] == masked["nested"]["token"] == "***"
    assert (masked["user"], masked["nested"]["n"]) == ("x", 1)


SHARED = Pseudonyms(b"salt")
SHARED.learn("host", ["node-017", "bastion", "Edge-1", "x"])
SHARED.learn("ns", ["default", "kube-system"])


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("node-017 is not ready", "host-H is not ready"),
        ("etcd-node-017 on NODE-017.", "etcd-host-H on host-H."),
        ("node-017.zone.internal", "host-H"),
        ("kubelet edge-1 lost", "kubelet host-H lost"),
        ("dial tcp 10.4.3.2:443: i/o timeout", "dial tcp ip-H:443: i/o timeout"),
        ("[fe80::1%eth0]:10250 2001:db8::7", "[ip-H%eth0]:10250 ip-H"),
        ("api.prod.megacorp.com:6443", "host-H:6443"),
        ("ip-10-0-3-4.eu-west-1.compute.internal", "host-H"),
        ("pod on ip-10-0-3-4 moved", "pod on host-H moved"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop:v1", "host-H/shop:v1"),
        ("account 123456789012 over budget", "account acct-H over budget"),
        ("arn:aws:iam::123456789012:user/alice", "arn:aws:iam::acct-H:user/user-H"),
        ("paged alice.b+ops@megacorp.com", "paged user-H"),
        ("registry.megacorp.io/shop/cart:v2.0.1", "host-H/shop/cart:v2.0.1"),
        ("https://bob:pw@wiki.megacorp.com/x", "https://***@host-H/x"),
        ("127.0.0.1:8080 ::1 0.0.0.0", "127.0.0.1:8080 ::1 0.0.0.0"),
        (
            "03:14:07 v1.8.3 config.yaml sqlite3.OperationalError",
            "03:14:07 v1.8.3 config.yaml sqlite3.OperationalError",
        ),
        ("topology.kubernetes.io/zone=a", "topology.kubernetes.io/zone=a"),
        ("shop/cart rev 17", "shop/cart rev 17"),
        ("kubernetes.io/metadata.name=shop", "kubernetes.io/metadata.name=shop"),
        ("node-017-kube-proxy a-node-017-b", "host-H-kube-proxy a-host-H-b"),
        ('User "jane" cannot list resource "pods"', 'User "user-H" cannot list resource "pods"'),
        ("the default namespace, kube-system", "the default namespace, kube-system"),
        (
            "exceeded quota: requests.cpu=500m, limits.memory=2Gi",
            "exceeded quota: requests.cpu=500m, limits.memory=2Gi",
        ),
        ("http://p/graph?g0.expr=up&g0.tab=1", "http://p/graph?g0.expr=up&g0.tab=1"),
        ("http://p/graph?q=up%7Bnode%3D%22node-017%22%7D&x=1", 'http://p/graph?q=up{node="host-H"}&x=1'),
        ("http://p/?i=%2210.4.3.2%3A8080%22%252Falice%2540megacorp.com", 'http://p/?i="ip-H:8080"/user-H'),
        ("50%20 of node-017%20", "50%20 of host-H%20"),
    ],
)
def test_a_shared_screen_shows_stand_ins(text: str, shape: str) -> None:
    masked = SHARED.mask(safe_text(text))
    assert re.sub(r"\b(host|ip|acct|user)-[0-9a-f]{3,}", r"\1-H", masked) == shape
    assert SHARED.mask(masked) == masked


def test_stand_ins_are_stable_for_a_salt_and_differ_between_salts() -> None:
    one, same, other = Pseudonyms(b"a"), Pseudonyms(b"a"), Pseudonyms(b"b")
    names = [f"h{number}.corp" for number in range(20)]
    assert [one.name("host", name) for name in names] == [same.name("host", name) for name in names]
    assert [one.name("host", name) for name in names] != [other.name("host", name) for name in names]
    assert one.name("host", "H1.CORP") == one.name("host", "h1.corp")
    assert len({Pseudonyms().mask(safe_text("db1.corp db2.corp db3.corp")) for _ in range(3)}) == 3


def test_a_learned_word_that_is_the_beginning_of_a_stand_in_spoils_none() -> None:
    pseudonyms = Pseudonyms(b"salt")
    pseudonyms.learn("name", ["host", "acme"])
    once = pseudonyms.mask(safe_text("acme-api on db.megacorp.com of host"))
    assert re.fullmatch(r"name-\w+-api on host-\w+ of name-\w+", once)
    assert pseudonyms.mask(once) == once


def test_no_two_hosts_share_a_stand_in() -> None:
    pseudonyms = Pseudonyms(b"salt")
    given_names = {pseudonyms.name("host", f"node-{number}") for number in range(5000)}
    assert len(given_names) == 5000


@given(ANYTHING, st.sampled_from(["10.1.2.3", "db.megacorp.com", "a@megacorp.com", "node-017"]), NOISE)
def test_a_shared_screen_is_masked_once_and_shows_no_name(before: str, name: str, after: str) -> None:
    link = (
        f"https://wiki/?q={quote(before, errors='replace')}%20{quote(name)}%22&after={quote(after, errors='replace')}"
    )
    for raw in (f"{before} {name} {after}", link):
        text = safe_text(raw, 5000)
        masked = SHARED.mask(text)
        assert type(masked) is SafeText
        assert name not in unquote(masked)
        assert SHARED.mask(masked) == masked
        assert len(masked) <= 4 * len(text) + 16


@pytest.mark.parametrize(
    ("secret", "text", "masked"),
    [
        ("hunter2-or-3", "I typed hunter2-or-3 twice", "I typed *** twice"),
        ("https://chat.example/T0/B0/abc123", "404 for /T0/B0/abc123", "404 for /***"),
        ("short-1", "it is short-1", "it is short-1"),
        ("quarterdeck", "quarterdeck runs", "quarterdeck runs"),
    ],
)
def test_a_credential_in_use_is_masked_wherever_it_stands(
    monkeypatch: pytest.MonkeyPatch, secret: str, text: str, masked: str
) -> None:
    monkeypatch.setattr(redaction, "_known", ())
    know(secret)
    assert redact(text) == masked
    assert redact(redact(text)) == masked
    assert isinstance(redact(safe_text(text)), SafeText)
