"""One configured channel at work: fetches its secrets, renders, sends once, and says how that ended."""

from __future__ import annotations

from collections.abc import Iterable

from services.clock import Clock
from services.config_notify import NotifySettings
from services.config_secret import SecretRef
from services.errors import Problem
from services.model.message import Message
from services.model.text import SafeText, Secret
from services.notifications.http_sender import HttpSender
from services.notifications.model import Answer, Request, Settled, Verdict
from services.notifications.registry import CHANNELS, Channel, recipient
from services.notifications.smtp_sender import SmtpSender
from services.redact import MASK, redact
from services.sanitize import safe_text

NONE = Secret("")
_REFERENCE = ("env:", "file:", "cmd:")


class Outlet:
    """A [notify.NAME]. Its secrets are fetched for each message and kept nowhere."""

    def __init__(self, name: str, settings: NotifySettings, clock: Clock) -> None:
        self.name = name
        self.settings = settings
        self.to = recipient(name, settings)
        self._clock = clock
        self._http = HttpSender(settings, clock)
        self._smtp = SmtpSender(settings, clock)

    @property
    def channel(self) -> Channel:
        """What kind it is."""
        return CHANNELS[self.settings.type]

    @property
    def lease(self) -> float:
        """Seconds after which a message that is being sent counts as forgotten: more than any attempt takes."""
        return 2.0 * self.settings.timeout + 30.0

    async def deliver(self, message: Message, *, doubtful: bool = False) -> Settled:
        """Send it once; raises nothing but CancelledError. The reason holds no secret."""
        try:
            secrets = await self._secrets()
        except Problem as problem:
            return Settled(Verdict.DENIED, str(problem.sentence))
        except ValueError as error:
            return Settled(Verdict.DENIED, f"its url {error}")
        rendered = self.channel.render(message, self.settings, doubtful=doubtful)
        if self.channel.carrier == "smtp":
            answer = await self._smtp.send(rendered, secrets.get("password", NONE))
        else:
            signed = {}
            if self.channel.sign is not None:
                signed = self.channel.sign(rendered, message, secrets.get("secret", NONE), self._clock.now())
            headers = {"Content-Type": rendered.content_type, **signed}
            request = Request(secrets["url"], rendered.body, headers)
            answer = await self._http.send(request)
        settled = self.channel.classify(answer)
        return Settled(settled.verdict, scrub(settled.reason, secrets.values()), settled.retry_after)

    async def knock(self) -> tuple[bool, SafeText]:
        """Return whether its server is reached and takes our credentials, without telling anybody anything, and words.

        A webhook's credentials cannot be tried without sending.
        """
        try:
            secrets = await self._secrets()
        except Problem as problem:
            return False, problem.sentence
        except ValueError as error:
            return False, safe_text(f"its url {error}")
        if self.channel.carrier == "smtp":
            answer = await self._smtp.knock(secrets.get("password", NONE))
            well = answer.status // 100 == 2
            there = "reached and signed in" if self.settings.username else "reached"
        else:
            answer = await self._http.knock(secrets["url"].reveal())
            well, there = answer.status > 0 and answer.status != 407, "reached; its URL is tried by sending only"
        said = there if well else _words(answer, self.channel)
        return well, safe_text(scrub(said, secrets.values()), 300)

    async def _secrets(self) -> dict[str, Secret]:
        """Return the secrets by the settings that refer to them. Raises Problem, and ValueError for a URL that is none.

        The URL is looked at here because what it refers to is only known now.
        """
        found: dict[str, Secret] = {}
        settings = self.settings
        if settings.password is not None:
            found["password"] = await settings.password.resolve()
        if settings.secret is not None:
            found["secret"] = await settings.secret.resolve()
        if self.channel.carrier == "http":
            referred = settings.url.startswith(_REFERENCE)
            url = await SecretRef(settings.url).resolve() if referred else Secret(settings.url)
            if not url.reveal().startswith(("https://", "http://")) or not url.reveal().isprintable():
                raise ValueError("refers to what is no http or https URL; check where it is kept")
            found["url"] = url
        return found


def scrub(text: str, secrets: Iterable[Secret]) -> str:
    """Return a reason without any of these secrets, or the path of one that is a URL: clean and masked."""
    for secret in secrets:
        value = secret.reveal()
        for part in (value, value.partition("://")[2].partition("/")[2]):
            if len(part) >= 4:
                text = text.replace(part, MASK)
    return str(redact(safe_text(text, 300)))


def _words(answer: Answer, channel: Channel) -> str:
    return channel.classify(answer).reason or answer.error or "gave no answer"
