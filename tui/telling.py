"""Shift+T: what is shown is frozen, put into words that can be changed, previewed as it is sent, and queued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from services.errors import Problem
from services.model.incident import INCIDENTS
from services.model.message import OUTBOX, Message, MessageKind, OutboxRow, OutboxState
from services.notifications.tell import compose, default_recipients
from services.ports import Snapshot
from tui.presenters.lens import Lens, plural
from tui.presenters.outbox import came_to_nothing, draft
from tui.presenters.telling import LABELS, Scene, Topic, about_topic, kinds_for, topic_of
from widgets.dialog import MessageDialog, sentence_lines
from widgets.draft_dialog import DraftDialog
from widgets.form import Field
from widgets.plan_dialog import RunDialog
from widgets.ticks import APART
from widgets.viewmodels import Choice, KeyHint, Line, Span, Tone

if TYPE_CHECKING:
    from tui.acting import Words
    from tui.app import QuarterdeckApp
    from tui.outgoing import Outgoing

CONFIRM = "y"
KEYS = {"t": "template", "e": "subject", "w": "text"}
NO_CHANNEL = (
    "Nobody can be told from here: no channel is configured. Add a [notify.NAME] section to the configuration; "
    "quarterdeck config example shows one, quarterdeck doctor tries it."
)


def tell(app: QuarterdeckApp, subject: object | None) -> None:
    """Open the dialog that tells people of what is shown at this moment, or of nothing in particular."""
    console = app.console_state
    outgoing = console.outgoing() if console.outgoing is not None else None
    if outgoing is None or not outgoing.config.notify:
        title = (Span("Tell", Tone.STRONG),)
        app.push_screen(MessageDialog(title, sentence_lines(NO_CHANNEL)))
        return
    snapshot = console.feed.snapshot()
    scene = Scene(console.scope.context, console.scope.cluster, console.actor, console.clock.now())
    topic = topic_of(subject, scene, snapshot.tables.get(INCIDENTS, {}).values(), snapshot.events)
    Draft(app, outgoing, topic, scene).open()


def tell_words(app: QuarterdeckApp, words: Words) -> None:
    """Queue what was previewed; where that is refused, say why and keep it at hand: its key tries again."""

    def queued(_: None, problem: Problem | None) -> None:
        if problem is None:
            app.follow(words.messages)
            return
        lens = app.console_state.lens()
        preview = draft(words.messages, words.outgoing.config.notify, lens)
        lines = [*sentence_lines(lens.text(problem.sentence, 400), tone=Tone.WARN), (), *preview]
        title = (Span("Not told", Tone.STRONG), Span("  and not lost", Tone.MUTED))
        app.push_screen(RunDialog(title, lines, (KeyHint("T", "tell"), KeyHint("esc", "close"))), again)

    def again(key: str | None) -> None:
        if key == "T":
            tell_words(app, words)

    app.work(lambda: words.outgoing.tell(words.messages), queued)


class Draft:
    """One message on its way into the outbox. What it is about was frozen when it was begun."""

    def __init__(self, app: QuarterdeckApp, outgoing: Outgoing, topic: Topic, scene: Scene) -> None:
        self._app = app
        self._outgoing = outgoing
        self._topic = topic
        self._scene = scene
        self._kinds: dict[str, MessageKind] = {kind.value: kind for kind in kinds_for(topic)}
        self._own_subject = ""
        self._messages: tuple[Message, ...] = ()
        self._ids: dict[str, str] = {}
        self._dialog: DraftDialog | None = None

    def open(self) -> None:
        """Show the dialog, with what was typed the last time and not sent."""
        app, topic = self._app, self._topic
        kept = app.drafts.get(topic.name, {})
        self._own_subject = kept.get("own", "")
        template = kept.get("template", next(iter(self._kinds)))
        fields = (
            Field("template", "Template", template, self._templates()),
            Field("to", "To", kept.get("to", APART.join(self._default())), self._channels(), many=True),
            Field("subject", "Subject", kept.get("own", "")),
            Field("text", "Words", kept.get("text", "")),
        )
        lens = app.console_state.lens()
        title = (Span("Tell", Tone.STRONG), Span(f"  of {lens.text(topic.name, 80)}", Tone.MUTED))
        self._dialog = DraftDialog(title, fields, self._changed, self._submit, key=CONFIRM, label="tell", keys=KEYS)
        app.push_screen(self._dialog, self._left)

    # What can be chosen

    def _templates(self) -> tuple[Choice, ...]:
        config, built_in = self._outgoing.config, tuple(self._kinds)
        own = [name for name in config.templates if name not in LABELS and name not in tuple(MessageKind)]
        return tuple(Choice(name, LABELS.get(name, name), "", "") for name in (*built_in, *own))

    def _channels(self) -> tuple[Choice, ...]:
        lens, notify = self._app.console_state.lens(), self._outgoing.config.notify
        choices = []
        for place, name in enumerate(notify):
            key = str(place + 1) if place < 9 else ""
            choices.append(Choice(name, lens.text(name, 32), "", key, ""))
        return tuple(choices)

    def _default(self) -> tuple[str, ...]:
        about = self._topic.incident or self._topic.ref
        return default_recipients(self._outgoing.config, about, self._scene.context)

    # What comes of it

    def _changed(self, name: str) -> None:
        dialog = self._dialog
        if dialog is None:
            return
        values = dialog.values
        if name == "subject":
            self._own_subject = values["subject"].strip()
        try:
            self._messages = self._composed(values)
        except Problem as problem:
            self._messages = ()
            dialog.show_draft(((Span(problem.sentence, Tone.WARN),),))
            return
        if not self._own_subject and self._messages:
            dialog.put("subject", self._messages[0].subject)
        dialog.show_draft(self._preview())

    def _composed(self, values: Mapping[str, str]) -> tuple[Message, ...]:
        kind = self._kinds.get(values["template"], MessageKind.PLAIN)
        about = about_topic(self._topic, kind, values["text"], self._scene)
        subject = self._own_subject
        if kind is MessageKind.PLAIN and values["template"] == kind.value:
            subject = subject or self._topic.name
        channels = [name for name in values["to"].split(APART) if name]
        return compose(self._outgoing.config, about, channels, values["template"], subject=subject, make_id=self._id_of)

    def _id_of(self, channel: str) -> str:
        """Return a channel's id in this draft: the same however often it is confirmed."""
        import uuid

        return self._ids.setdefault(channel, uuid.uuid4().hex)

    def _preview(self) -> Sequence[Line]:
        lens, config = self._app.console_state.lens(), self._outgoing.config
        if not self._messages:
            return ((Span("nobody is ticked: nothing is sent", Tone.WARN),),)
        return draft(self._messages, config.notify, lens)

    # What becomes of it

    def _submit(self, values: Mapping[str, str]) -> None:
        dialog = self._dialog
        if dialog is None:
            return
        if not self._messages:
            dialog.refuse("nobody is ticked: a channel's digit ticks it")
            return
        messages = self._messages
        body = {"about": self._topic.name, "incident": self._topic.thread, "template": values["template"]}

        def queued(_: None, problem: Problem | None) -> None:
            if problem is not None:
                dialog.refuse(f"Not told: {problem.sentence}")
                return
            self._app.drafts.pop(self._topic.name, None)
            dialog.accept()
            self._app.follow(messages)

        self._app.work(lambda: self._outgoing.tell(messages, body), queued)

    def _left(self, confirmed: bool | None) -> None:
        dialog, self._dialog = self._dialog, None
        if dialog is None or confirmed:
            return
        values = dialog.values
        if values["text"].strip() or self._own_subject:
            self._app.drafts[self._topic.name] = {**values, "own": self._own_subject}


class Followed:
    """Messages that were told from this screen, until it is known what became of each."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._to = {one.id: one.to for one in messages}
        self._settled: dict[str, str] = {}

    def begun(self) -> str:
        """Return what is said when they are queued."""
        return f"told: {plural(len(self._to), 'message')} on the way; :outbox shows what becomes of them"

    def look(self, snapshot: Snapshot, lens: Lens) -> str:
        """Return what became of them as soon as that is known of all, and of those that wait why; "" while not."""
        rows: Mapping[str, OutboxRow] = snapshot.tables.get(OUTBOX, {})
        words = {}
        for name, to in self._to.items():
            row = rows.get(name)
            if row is None or row.state is OutboxState.SENDING or (row.waits and not row.reason):
                return ""
            state = "waits" if row.waits else row.state.value
            why = f" ({row.reason})" if row.reason and state != OutboxState.ACCEPTED else ""
            words[name] = f"{lens.name('user', to)}: {state}{why}"
        if words == self._settled:
            return ""
        self._settled = words
        over = all(not rows[name].waits for name in self._to)
        nothing = any(came_to_nothing(rows[name]) for name in self._to)
        if over:
            self._to = {}
        head = "not told" if nothing else "told" if over else "not told yet"
        return f"{head}  {'; '.join(words.values())}{'' if over and not nothing else '; :outbox'}"

    @property
    def over(self) -> bool:
        """Whether nothing can come any more."""
        return not self._to
