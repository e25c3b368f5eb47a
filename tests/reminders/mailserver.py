"""A small real SMTP server (RFC 5321) on a free port of 127.0.0.1 that keeps what arrives."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any


class MailServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.lock = threading.Lock()
        self.arrived: list[EmailMessage] = []
        self.times: list[datetime] = []
        # Answers other than the usual ones, e.g. {"RCPT": "550 no such person"}; "" breaks the connection off.
        self.answers: dict[str, str] = {}
        # Called at each command, before it is answered.
        self.on_command: Callable[[str], Any] = lambda command: None
        # Called with the address of a recipient, before it is answered.
        self.on_recipient: Callable[[str], Any] = lambda address: None
        # Called when a mail is complete, before the server says yes to it.
        self.on_mail: Callable[[], Any] = lambda: None

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def ids(self) -> list[str]:
        return [mail["Message-ID"] for mail in self.arrived]


class _Talk(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 ready")
        while line := self.rfile.readline():
            command = line[:4].decode().strip().upper()
            self.server.on_command(command)
            if command == "RCPT":
                self.server.on_recipient(line.decode().partition("<")[2].partition(">")[0])
            if command in self.server.answers:
                answer = self.server.answers[command]
                if not answer:
                    return
                self._say(answer)
            elif command == "DATA":
                self._say("354 go on")
                self._take_mail()
            elif command == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _take_mail(self) -> None:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:  # who breaks off before the end has sent nothing
                return
            lines.append(line[1:] if line.startswith(b".") else line)
        self.server.on_mail()
        with self.server.lock:
            self.server.times.append(datetime.now(UTC))
            self.server.arrived.append(message_from_bytes(b"".join(lines), policy=policy.default))  # type: ignore[arg-type]
        self._say("250 taken")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def running() -> Iterator[MailServer]:
    with MailServer() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()
