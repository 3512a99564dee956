from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from services.config import ConfigProblem, load
from services.config_notify import TellSettings, TemplateSettings
from services.config_schema import Config
from services.errors import Problem
from services.model.action import Ended, Fact, Outcome, Plan, Target, Undo
from services.model.incident import Incident, IncidentSeverity, IncidentStatus
from services.model.message import MessageKind
from services.model.ref import DEPLOYMENTS, Ref
from services.model.severity import Severity
from services.notifications.tell import (
    About,
    about_action,
    about_incident,
    compose,
    default_recipients,
    template_names,
    told_by_itself,
)
from services.notifications.templates import BUILT_IN, FIELDS, Template, fault_of, fill
from services.sanitize import safe_line
from tests.unit.notifications.telling import HOOK, MAIL, NOW, ROOM

CART = Ref("uid", "apps", "Deployment", "shop", "cart", "u1")
PLAN = Plan(
    "rollback",
    Target(CART, DEPLOYMENTS),
    "Roll back shop/cart",
    {"to": "16"},
    (Fact("from", "rev 17   cart:1.9"), Fact("to", "rev 16   cart:1.8")),
)
ENDED = Ended(
    Outcome.OK,
    "revision 16 is available on 3 of 3",
    "intent",
    NOW,
    Undo("rollback", CART, DEPLOYMENTS, {"to": "17"}, "roll forward to 17"),
)
INCIDENT = Incident(
    7,
    "cart fails",
    IncidentSeverity.P1,
    IncidentStatus.INVESTIGATING,
    "mina",
    "prod-eu",
    NOW,
    NOW,
    0,
    NOW + 1800,
    (),
    (),
)
CONFIG = Config(notify={"room": ROOM, "mail": structs.replace(MAIL, contexts=("prod-*",)), "hook": HOOK})


def test_a_rollback_is_told_in_a_few_lines() -> None:
    about = about_action(PLAN, ENDED, "mina@bastion-1", "prod-eu", reason="INC-42 checkout", incident="INC-42")
    assert about is not None
    [one] = compose(CONFIG, about, ["room"])
    assert one.subject == "deployment shop/cart was rolled back to revision 16"
    assert one.text.splitlines() == [
        "mina rolled back deployment shop/cart on prod-eu",
        "From: rev 17 cart:1.9",
        "To: rev 16 cart:1.8",
        "Result: revision 16 is available on 3 of 3",
        "Reason: INC-42 checkout",
        "Incident: INC-42",
        "Undo: roll forward to 17",
    ]
    assert (one.channel, one.to, one.thread, one.kind) == ("room", "#incidents", "INC-42", MessageKind.ROLLED_BACK)


@pytest.mark.parametrize(
    ("outcome", "action", "kind", "severity"),
    [
        (Outcome.OK, "restart", MessageKind.ACTED, Severity.OK),
        (Outcome.OK, "rollback", MessageKind.ROLLED_BACK, Severity.NOTICE),
        (Outcome.FAILED, "rollback", MessageKind.FAILED, Severity.CRIT),
        (Outcome.UNKNOWN, "drain", MessageKind.UNKNOWN, Severity.UNKNOWN),
        (Outcome.CANCELLED, "drain", None, None),
    ],
)
def test_how_an_action_ended_says_what_is_told(
    outcome: Outcome, action: str, kind: MessageKind | None, severity: Severity | None
) -> None:
    about = about_action(structs.replace(PLAN, action=action), structs.replace(ENDED, outcome=outcome), "m@h", "prod")
    assert (about and about.kind) == kind
    assert (about and about.severity) == severity


def test_nothing_is_told_by_itself_unless_the_configuration_says_so() -> None:
    about = about_action(PLAN, ENDED, "mina@bastion-1", "prod-eu")
    assert told_by_itself(CONFIG, about) == ()
    on = structs.replace(CONFIG, tell=TellSettings(on=("rolled_back",), channels=("hook", "mail")))
    assert [one.channel for one in told_by_itself(on, about)] == ["hook", "mail"]
    assert len({one.id for one in told_by_itself(on, about)}) == 2
    failed = about_action(PLAN, structs.replace(ENDED, outcome=Outcome.FAILED), "mina@bastion-1", "prod-eu")
    assert told_by_itself(on, failed) == ()
    assert told_by_itself(on, None) == ()


def test_who_is_told_depends_on_the_place() -> None:
    assert default_recipients(CONFIG, INCIDENT) == ("room", "mail", "hook")
    assert default_recipients(CONFIG, INCIDENT, "staging") == ("room", "hook")
    shop = structs.replace(CONFIG, notify={"room": structs.replace(ROOM, namespaces=("pay-*",)), "hook": HOOK})
    assert default_recipients(shop, CART, "prod-eu") == ("hook",)
    assert default_recipients(structs.replace(CONFIG, tell=TellSettings(channels=("mail",))), INCIDENT) == ("mail",)
    assert default_recipients(Config(), None) == ()


def test_an_incident_is_told_with_its_next_update() -> None:
    about = about_incident(INCIDENT, MessageKind.DECLARED, "checkout answers 500", "mina@bastion-1", NOW)
    [one] = compose(CONFIG, about, ["room"])
    assert one.subject == "INC-7 P1 declared: cart fails"
    assert one.text.splitlines() == [
        "checkout answers 500",
        "Owner: mina",
        "Cluster: prod-eu",
        "Since: 2027-01-15 08:00 UTC",
        "Next update: 2027-01-15 08:30 UTC",
    ]
    assert (one.severity, one.thread) == (Severity.CRIT, "INC-7")


def test_own_words_win_over_built_in_ones_and_what_is_not_there_is_said() -> None:
    own = structs.replace(CONFIG, templates={"rolled_back": TemplateSettings(subject="{what} {{back}} at {revision}")})
    about = about_action(PLAN, ENDED, "mina@bastion-1", "prod-eu")
    assert about is not None
    assert compose(own, about, ["room"])[0].subject == "deployment shop/cart {back} at 16"
    assert template_names(own)[0] == "rolled_back"
    with pytest.raises(Problem, match="There is no channel elsewhere"):
        compose(own, about, ["elsewhere"])
    with pytest.raises(Problem, match="There is no template haiku"):
        compose(own, about, ["room"], "haiku")


def test_what_is_typed_keeps_its_lines_and_loses_its_secrets() -> None:
    text = "first\n\x1b[31msecond\x1b[0m password=hunter2hunter2\n-----BEGIN KEY-----\nabc\n-----END KEY-----\nlast"
    values = {"subject": "look\nhere", "text": text, "cluster": "prod"}
    about = About(MessageKind.PLAIN, values, Severity.NOTICE, "cart", "prod", "shop", "mina@b", NOW)
    [one] = compose(CONFIG, about, ["room"])
    assert one.subject == "look here"
    assert one.text.splitlines() == ["first", "second password=***", "[PEM ***]", "last", "Cluster: prod"]


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text(max_size=60)), st.sampled_from(sorted(BUILT_IN)))
def test_no_value_breaks_a_template(values: dict[str, str], name: str) -> None:
    subject, text = fill(BUILT_IN[name], values)
    assert safe_line(subject) == subject
    assert all(safe_line(line) == line for line in text.split("\n"))
    assert len(subject) <= 200
    assert len(text) <= 3800


@given(st.text("{}abw hat\n", max_size=30))
def test_a_template_without_fault_has_no_hole_left(text: str) -> None:
    if not fault_of(text):
        filled = fill(Template(text, text), {"what": "X"})
        assert "{what}" not in "".join(filled).replace("{{what}}", "") or "{{" in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{what} {user}", ""),
        ("{{what}}", ""),
        ("{wat}", "did you mean {what}?"),
        ("{zzzzzz}", "there are what, subject"),
        ("{what.__class__}", "a brace that opens or closes nothing"),
        ("{what!r}", "a brace"),
        ("{0}", "a brace"),
        ("}", "a brace"),
        ("{}", "knows no field {}"),
    ],
)
def test_what_is_wrong_with_a_template_is_said(text: str, words: str) -> None:
    assert words in fault_of(text)
    assert bool(words) == bool(fault_of(text))


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ('[notify.room]\nurl = "https://hooks.slack.com/services/T/B/s3cr3t"', [":2: notify.room.url must say where"]),
        ('[notify."a b"]\nurl = "env:X"', [':1: notify."a b" must be named with letters']),
        ('[notify.m]\ntype = "email"', [":1: notify.m.host", ":1: notify.m.sender", ":1: notify.m.to"]),
        (
            '[notify.h]\ntype = "webhook"\nurl = "ftp://x"',
            [":3: notify.h.url must be an http", ":1: notify.h.secret must"],
        ),
        ('[tell]\nchannels = ["room"]', [":2: tell.channels names a channel"]),
        ('[tell]\non = ["rolledback"]', [":2: tell.on must be among acted, rolled_back"]),
        ('[templates.x]\nsubject = "a"\ntext = "{wat}"', [":3: templates.x.text knows no field {wat}"]),
        ('[templates.x]\ntext = "a"', [":1: templates.x.subject must not be empty"]),
    ],
)
def test_what_is_wrong_in_the_configuration_is_said_with_its_line(tmp_path: Path, text: str, faults: list[str]) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigProblem) as refused:
        load(file, {})
    assert len(refused.value.faults) == len(faults)
    for fault, words in zip(refused.value.faults, faults, strict=True):
        assert words in fault
        assert "s3cr3t" not in fault
