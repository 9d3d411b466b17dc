"""Messages to a real HTTP receiver and a real SMTP server, and what is refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from controlplane.adapters.apprise_messenger import AppriseMessenger, ChannelRefused, check_channel, masked
from controlplane.embedded.children import free_port


class Receiver:
    """A webhook's other end: what was posted, answered with `status`."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.status, self.location = 200, ""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                receiver.bodies.append({"path": self.path, **json.loads(self.rfile.read(length))})
                self.send_response(receiver.status)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks/secret"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()


class Mailbox:
    def __init__(self) -> None:
        self.mails: list[tuple[list[str], str]] = []

    async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:
        self.mails.append((envelope.rcpt_tos, envelope.content.decode()))
        return "250 OK"


def test_a_webhook_gets_it(receiver: Receiver) -> None:
    assert AppriseMessenger(local=True).send(receiver.url, "Tidegate: StockOut", "no more h100") is None
    (body,) = receiver.bodies
    assert (body["path"], body["title"], body["message"]) == ("/hooks/secret", "Tidegate: StockOut", "no more h100")


def test_one_that_refuses_it_is_an_error_without_secrets(receiver: Receiver) -> None:
    receiver.status = 500
    assert AppriseMessenger(local=True).send(receiver.url, "t", "b") == "http://127.0.0.1/*** did not take it"


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.location = 307, receiver.url
    assert AppriseMessenger(local=True).send(receiver.url, "t", "b") is not None
    assert len(receiver.bodies) == 1


def test_a_mail_server_gets_it() -> None:
    mailbox = Mailbox()
    port = free_port()
    server = Controller(mailbox, hostname="127.0.0.1", port=port)
    server.start()
    try:
        url = f"mailto://127.0.0.1:{port}?from=tidegate@example.com&to=ops@example.com"
        assert AppriseMessenger(local=True).send(url, "Tidegate: Budget", "default has spent 12.00 $") is None
    finally:
        server.stop()
    ((to, content),) = mailbox.mails
    assert to == ["ops@example.com"]
    assert "Subject: Tidegate: Budget" in content


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "https://localhost:8443/x",
        "http://169.254.169.254/latest/meta-data",
        "json://[::1]/x",
        "json://[::ffff:127.0.0.1]/x",
        "http://0.0.0.0/",
        "http://2130706433/",
        "mailto://example.com?smtp=127.0.0.1&to=a@example.com&from=b@example.com",
    ],
)
def test_this_host_and_the_metadata_service_are_not_told(url: str) -> None:
    with pytest.raises(ChannelRefused, match="link-local"):
        check_channel(url)
    error = AppriseMessenger().send(url, "t", "b")
    assert error is not None
    assert "link-local" in error


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "syslog://",
        "exec://x",
        "slack://",
        "nonsense",
        "",
        "http://",
        "http://[::1",
        "slack://a/b",
        "http://0x7f.1/",
    ],
)
def test_what_is_no_channel_is_refused(url: str) -> None:
    with pytest.raises(ChannelRefused):
        check_channel(url, local=True)


def test_options_that_read_files_are_refused() -> None:
    with pytest.raises(ChannelRefused, match="template"):
        check_channel("json://example.com/x?template=/etc/passwd", local=True)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#gpu", "slack://***"),
        ("https://user:pass@hooks.example.com/secret?x=1", "https://hooks.example.com/***"),
        ("mailto://me:pw@example.com", "mailto://example.com/***"),
    ],
)
def test_secrets_are_not_shown(url: str, shown: str) -> None:
    assert masked(url) == shown
