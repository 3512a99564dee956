"""Hands a mail to a mail server, step by step, so that it is known whether it may have left when something breaks."""

from __future__ import annotations

import asyncio
import re
import smtplib
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from services.clock import Clock
from services.endpoint import why
from services.model.text import Secret
from services.notifications.model import Answer, Rendered

if TYPE_CHECKING:
    from services.config_notify import NotifySettings

GRACE = 2.0
"""Seconds for which a thread whose connection was shut may take to notice."""


class _Refused(Exception):  # noqa: N818 - a reply of the server, not a fault of the program
    def __init__(self, step: str, code: int, said: bytes) -> None:
        super().__init__(step)
        self.step, self.code, self.said = step, code, said


class SmtpSender:
    """The way to one mail server (RFC 5321, 3207, 4954): a connection a mail, on a thread, with a deadline."""

    def __init__(self, settings: NotifySettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    async def send(self, rendered: Rendered, password: Secret) -> Answer:
        """Hand the mail over; raises nothing but CancelledError."""
        return await self._talk(_Talk(self._settings, password, rendered.body))

    async def knock(self, password: Secret) -> Answer:
        """Greet, secure, sign in and leave: nothing is sent."""
        return await self._talk(_Talk(self._settings, password, None))

    async def _talk(self, talk: _Talk) -> Answer:
        """Run the conversation on a thread; at the deadline its connection is shut, which ends it at once."""
        running = asyncio.ensure_future(asyncio.to_thread(talk.run))
        try:
            done, _ = await asyncio.wait({running}, timeout=float(self._settings.timeout))
            if not done:
                talk.abort()
                await asyncio.wait({running}, timeout=GRACE)
        finally:
            talk.abort()
        if not running.done():
            return Answer(error=f"did not answer within {self._settings.timeout} s", sent=talk.handed, at=self._now())
        answer = running.result()
        if not done:
            answer = Answer(error=f"did not answer within {self._settings.timeout} s", sent=talk.handed)
        return Answer(answer.status, {}, answer.body, answer.error, answer.sent, self._now())

    def _now(self) -> float:
        return self._clock.now()


class _Talk:
    """One conversation; `handed` turns true when the mail's last line may be with the server."""

    def __init__(self, settings: NotifySettings, password: Secret, mail: bytes | None) -> None:
        self.handed = False
        self._settings = settings
        self._password = password
        self._mail = mail
        self._smtp: smtplib.SMTP | None = None
        self._aborted = False

    def abort(self) -> None:
        """Shut the connection from another thread."""
        self._aborted = True
        sock = getattr(self._smtp, "sock", None)
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def run(self) -> Answer:
        """Talk; raises nothing."""
        try:
            refused = self._converse()
        except _Refused as said:
            return Answer(said.code, {}, said.said, said.step, sent=self.handed)
        except smtplib.SMTPResponseException as said:
            text = said.smtp_error if isinstance(said.smtp_error, bytes) else str(said.smtp_error).encode()
            step = "did not take the user and password" if isinstance(said, smtplib.SMTPAuthenticationError) else ""
            return Answer(said.smtp_code, {}, text, step or "refused", sent=self.handed)
        except smtplib.SMTPNotSupportedError:
            return Answer(error="offers no such thing; check tls, username and password", sent=self.handed)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            return Answer(error=_why(error, self._settings), sent=self.handed)
        finally:
            self._leave()
        return Answer(250, error=f"refused for {', '.join(refused)}" if refused else "", sent=self.handed)

    def _converse(self) -> list[str]:
        """Greet, secure, sign in, hand over; return the recipients that were refused."""
        smtp = self._smtp = self._connected()
        if self._aborted:
            raise TimeoutError
        self._said(*smtp.ehlo(), "refused the greeting")
        if self._settings.tls == "starttls":
            self._said(*smtp.starttls(context=_context(self._settings)), "refused to secure the connection")
            self._said(*smtp.ehlo(), "refused the greeting")
        if self._settings.username:
            smtp.login(self._settings.username, self._password.reveal())
        if self._mail is None:
            self._said(*smtp.noop(), "refused")
            return []
        self._said(*smtp.mail(self._settings.sender), f"refused the sender {self._settings.sender}")
        replies = {to: smtp.rcpt(to) for to in self._settings.to}
        refused = {to: reply for to, reply in replies.items() if reply[0] // 100 != 2}
        if len(refused) == len(replies):
            to, reply = min(refused.items(), key=lambda one: one[1][0])
            self._said(*reply, f"refused the recipient {to}")
        self._said(*smtp.docmd("DATA"), "refused the mail", 3)
        stuffed = re.sub(rb"(?m)^\.", b"..", self._mail)
        self.handed = True
        smtp.send(stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        self._said(*smtp.getreply(), "refused the mail")
        return list(refused)

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        timeout = settings.timeout + GRACE  # the deadline is the loop's, and comes first
        if settings.tls == "tls":
            return smtplib.SMTP_SSL(settings.host, settings.port, timeout=timeout, context=_context(settings))
        return smtplib.SMTP(settings.host, settings.port, timeout=timeout)

    @staticmethod
    def _said(code: int, text: bytes, step: str, wanted: int = 2) -> None:
        if code == -1:
            raise smtplib.SMTPServerDisconnected(step)
        if code // 100 != wanted:
            raise _Refused(step, code, text)

    def _leave(self) -> None:
        """Say goodbye without waiting for the answer: the mail is where it is."""
        if self._smtp is not None:
            with suppress(smtplib.SMTPException, OSError, ValueError):
                self._smtp.send("QUIT\r\n")
            with suppress(smtplib.SMTPException, OSError, ValueError):
                self._smtp.close()


def _context(settings: NotifySettings) -> ssl.SSLContext:
    cafile = str(Path(settings.ca_file).expanduser()) if settings.ca_file else None
    return ssl.create_default_context(cafile=cafile)


def _why(error: BaseException, settings: NotifySettings) -> str:
    if isinstance(error, FileNotFoundError | IsADirectoryError | PermissionError) and settings.ca_file:
        return f"cannot be asked: {settings.ca_file} cannot be read"
    if isinstance(error, TimeoutError):
        return f"did not answer within {settings.timeout} s"
    if isinstance(error, ConnectionRefusedError):
        return "refused the connection; is it running, and is the port right?"
    if isinstance(error, smtplib.SMTPServerDisconnected | ConnectionError):
        return "broke the connection off"
    return why(error)
