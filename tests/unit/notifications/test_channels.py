from __future__ import annotations

import base64
import hashlib
import hmac
import json
from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.model.message import Message
from services.model.text import Secret
from services.notifications import mail, slack, webhook
from services.notifications.answers import retry_after
from services.notifications.model import Answer, Verdict
from services.notifications.registry import CHANNELS
from tests.unit.notifications.telling import HOOK, MAIL, NOW, ROOM, message

SETTINGS = {"slack": ROOM, "email": MAIL, "webhook": HOOK}
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=400)
MESSAGES = st.builds(lambda subject, text: message(1, subject=" ".join(subject.split()), text=text), TEXTS, TEXTS)
PAGE = {"content-type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("answer", "verdict", "after", "words"),
    [
        (Answer(200, body=b"ok"), Verdict.ACCEPTED, 0, ""),
        (Answer(200, body=b"ok\n"), Verdict.ACCEPTED, 0, ""),
        (Answer(200, body=b'{"ok":true,"ts":"1"}'), Verdict.ACCEPTED, 0, ""),
        (Answer(200, body=b'{"ok":false,"error":"channel_not_found"}'), Verdict.REJECTED, 0, "the channel is gone"),
        (Answer(200, body=b'{"ok":false,"error":"ratelimited"}'), Verdict.RETRY, 0, "ratelimited"),
        (Answer(200, body=b'{"ok":false,"error":"invalid_auth"}'), Verdict.DENIED, 0, "invalid_auth"),
        (Answer(200, PAGE, b"<html>Please log in"), Verdict.RETRY, 0, "web page"),
        (Answer(200, body=b"  <!DOCTYPE html>"), Verdict.RETRY, 0, "web page"),
        (Answer(200, body=b"fine"), Verdict.UNKNOWN, 0, "not Slack's"),
        (Answer(200, body=b"\xff\xfe"), Verdict.UNKNOWN, 0, "not Slack's"),
        (Answer(204), Verdict.UNKNOWN, 0, "not Slack's"),
        (Answer(302, {"location": "https://portal.example"}), Verdict.RETRY, 0, "portal"),
        (Answer(400, body=b"invalid_payload"), Verdict.REJECTED, 0, "invalid_payload"),
        (Answer(401, body=b""), Verdict.DENIED, 0, "401"),
        (Answer(403, body=b"action_prohibited"), Verdict.REJECTED, 0, "administrator"),
        (Answer(403, body=b"invalid_token"), Verdict.DENIED, 0, "revoked"),
        (Answer(404, body=b"no_service"), Verdict.REJECTED, 0, "make a new one"),
        (Answer(407), Verdict.DENIED, 0, "proxy"),
        (Answer(410, body=b"channel_is_archived"), Verdict.REJECTED, 0, "archived"),
        (Answer(429, {"retry-after": "17"}), Verdict.RETRY, 17, "wait"),
        (Answer(429), Verdict.RETRY, 0, "wait"),
        (Answer(500, body=b"rollup_error"), Verdict.RETRY, 0, "rollup_error"),
        (Answer(503, {"retry-after": "3"}), Verdict.RETRY, 3, "503"),
        (Answer(error="did not answer within 15 s"), Verdict.UNKNOWN, 0, "did not answer"),
        (Answer(error="refused the connection", sent=False), Verdict.RETRY, 0, "refused"),
    ],
)
def test_what_slack_means(answer: Answer, verdict: Verdict, after: float, words: str) -> None:
    settled = slack.classify(answer)
    assert (settled.verdict, settled.retry_after) == (verdict, after)
    assert words in settled.reason


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Answer(200), Verdict.ACCEPTED),
        (Answer(202, body=b"queued"), Verdict.ACCEPTED),
        (Answer(204), Verdict.ACCEPTED),
        (Answer(200, PAGE, b"<html>"), Verdict.RETRY),
        (Answer(301), Verdict.RETRY),
        (Answer(401), Verdict.DENIED),
        (Answer(403), Verdict.DENIED),
        (Answer(404), Verdict.REJECTED),
        (Answer(410), Verdict.REJECTED),
        (Answer(422, body=b"no such field"), Verdict.REJECTED),
        (Answer(408), Verdict.RETRY),
        (Answer(502, PAGE, b"<html>Bad Gateway"), Verdict.RETRY),
        (Answer(error="broke the connection off"), Verdict.UNKNOWN),
    ],
)
def test_what_a_receiver_means(answer: Answer, verdict: Verdict) -> None:
    assert webhook.classify(answer).verdict is verdict


@pytest.mark.parametrize(
    ("answer", "verdict", "words"),
    [
        (Answer(250), Verdict.ACCEPTED, ""),
        (Answer(250, error="refused for second@example.org"), Verdict.ACCEPTED, "refused for second@example.org"),
        (Answer(421, body=b"4.3.2 going down"), Verdict.RETRY, "going down"),
        (Answer(450, error="refused the recipient oncall@example.org"), Verdict.RETRY, "oncall@example.org with 450"),
        (Answer(535, body=b"5.7.8 no"), Verdict.DENIED, "535"),
        (Answer(550, body=b"no such user"), Verdict.REJECTED, "no such user"),
        (Answer(554), Verdict.REJECTED, "554"),
        (Answer(error="broke the connection off"), Verdict.UNKNOWN, "broke"),
        (Answer(error="cannot be reached", sent=False), Verdict.RETRY, "reached"),
    ],
)
def test_what_a_mail_server_means(answer: Answer, verdict: Verdict, words: str) -> None:
    settled = mail.classify(answer)
    assert settled.verdict is verdict
    assert words in settled.reason


@given(st.sampled_from(sorted(CHANNELS)), st.integers(0, 999), st.binary(max_size=80), st.text(max_size=30))
def test_no_answer_breaks_a_channel(kind: str, status: int, body: bytes, header: str) -> None:
    settled = CHANNELS[kind].classify(Answer(status, {"retry-after": header, "date": header}, body, at=NOW))
    assert (settled.verdict is Verdict.ACCEPTED) <= (200 <= status < 300)
    assert settled.retry_after >= 0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": "Fri, 15 Jan 2027 08:01:30 GMT"}, 90.0),
        ({"retry-after": "Fri, 15 Jan 2027 08:01:30 GMT", "date": "Fri, 15 Jan 2027 08:01:00 GMT"}, 30.0),
        ({"retry-after": "Fri, 15 Jan 2021 08:01:30 GMT"}, 0.0),
    ],
)
def test_how_long_a_server_wants_to_be_left_alone(headers: dict[str, str], seconds: float) -> None:
    assert retry_after(Answer(429, headers, at=NOW)) == seconds


@given(MESSAGES)
def test_slack_takes_text_for_text_and_shows_what_was_previewed(one: Message) -> None:
    rendered = slack.render(one, ROOM)
    body = json.loads(rendered.body)
    texts = [block["text"]["text"] for block in body["attachments"][0]["blocks"] if block["type"] == "section"]
    assert all(0 < len(text) <= 3000 for text in texts)
    assert len(body["attachments"][0]["blocks"]) <= 50
    for text in (body["text"], *texts):
        assert "<" not in text
        assert ">" not in text
    there = "\n".join([*texts, body["attachments"][0]["blocks"][-1]["elements"][0]["text"]])
    for line in rendered.shown:
        assert slack.escape(line) in there


def test_slack_says_when_it_cuts_and_when_it_may_come_twice() -> None:
    long = slack.render(message(1, text="<&>" * 2000), ROOM, doubtful=True)
    assert long.cut
    assert slack.DOUBTFUL in long.shown
    assert slack.DOUBTFUL not in slack.render(message(1), ROOM).shown
    linked = slack.render(message(1, link="https://wiki.example/run?a=1&b=2"), ROOM)
    assert b"<https://wiki.example/run?a=1&amp;b=2|More>" in linked.body
    assert b"|More>" not in slack.render(message(1, link="javascript:alert(1)|x"), ROOM).body


@given(MESSAGES)
def test_a_mail_holds_what_was_previewed_and_nothing_breaks_its_headers(one: Message) -> None:
    rendered = mail.render(one, MAIL)
    read = message_from_bytes(rendered.body, policy=default)
    assert read["Message-ID"] == f"<{one.id}@example.org>"
    assert read["To"] == "oncall@example.org, second@example.org"
    assert read["Auto-Submitted"] == "auto-generated"
    assert not read.defects
    plain, html = read.iter_parts()
    assert [part.get_content_type() for part in (plain, html)] == ["text/plain", "text/html"]
    text = plain.get_content().splitlines()  # type: ignore[attr-defined]
    assert text == [line for part in rendered.shown[4:] for line in (part.splitlines() or [""])]
    assert mail.render(one, MAIL).body == rendered.body, "the same however often it is sent"


def test_mails_of_one_incident_stand_together_and_html_is_text() -> None:
    first, second = (message_from_bytes(mail.render(message(n), MAIL).body, policy=default) for n in (1, 2))
    assert first["References"] == second["References"] == first["In-Reply-To"]
    assert first["Message-ID"] != second["Message-ID"]
    other = message_from_bytes(mail.render(message(3, thread="INC-8"), MAIL).body, policy=default)
    assert other["References"] != first["References"]
    html = mail.render(message(1, text="<script>alert(1)</script>"), MAIL).body
    assert b"<script>" not in html.partition(b"text/html")[2]


def test_a_webhook_is_signed_as_the_standard_has_it() -> None:
    key = base64.b64encode(b"0123456789abcdef01234567").decode()
    rendered = webhook.render(message(1), HOOK)
    headers = webhook.sign(rendered, message(1), Secret(f"whsec_{key}"), NOW)
    whole = f"{message(1).id}.{int(NOW)}.".encode() + rendered.body
    expected = base64.b64encode(hmac.new(b"0123456789abcdef01234567", whole, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    plain = hmac.new(b"0123456789abcdef01234567", f"{int(NOW)}.".encode() + rendered.body, hashlib.sha256).hexdigest()
    assert headers["X-Quarterdeck-Signature"] == f"sha256={plain}"
    assert headers["X-Quarterdeck-Id"] == headers["webhook-id"] == json.loads(rendered.body)["data"]["id"]
    other = webhook.sign(rendered, message(1), Secret("another key"), NOW)
    assert other["webhook-signature"] != headers["webhook-signature"]


def test_a_published_example_of_the_standard_verifies() -> None:
    from services.notifications.model import Rendered

    # The example of the standard's reference implementations.
    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    rendered = Rendered(b'{"test": 2432232314}', ())
    one = message(1)
    from msgspec import structs

    headers = webhook.sign(rendered, structs.replace(one, id="msg_p5jXN8AQM9LWM0D4loKWxJek"), secret, 1614265330)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("kind", sorted(CHANNELS))
def test_each_kind_of_channel_renders_the_same_each_time(kind: str) -> None:
    channel = CHANNELS[kind]
    assert channel.type == kind
    assert channel.render(message(1), SETTINGS[kind]) == channel.render(message(1), SETTINGS[kind])
