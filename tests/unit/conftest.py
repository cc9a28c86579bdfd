"""A server of HTTP on this machine that does what a test tells it to, right or wrong."""

from __future__ import annotations

import http.server
import socket
import struct
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

DATE = "Mon, 23 Nov 2026 10:00:00 GMT"


class Reply:
    """One answer of the server.

    Args:
        body: of the answer.
        status: of HTTP.
        cut: send only so many bytes of the body and close the connection.
        reset: the same, but break the connection off.
        length: what ``Content-Length`` says; False for no such header, so that the end of the connection is the end.
        chunked: send the body in chunks of three bytes.
        until: an event that the answer waits for, after it has set `reached`.
        headers: further ones, with ``_`` for ``-``.
    """

    def __init__(
        self,
        body=b"",
        status=200,
        *,
        cut=None,
        reset=None,
        length=None,
        chunked=False,
        until=None,
        **headers,
    ):
        self.body, self.status, self.cut, self.reset = body, status, cut, reset
        self.length, self.chunked, self.until = length, chunked, until
        self.reached = threading.Event()
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers each request with the next reply that its path has; the last one stays."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        with server.lock:
            server.requests.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            replies = server.replies.get(self.path, [Reply(b"nothing here", 404)])
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if callable(reply):
            reply = reply(self)
        reply.reached.set()
        if reply.until is not None:
            reply.until.wait(60)
        self.send(reply)

    do_HEAD = do_GET  # noqa: N815 - as http.server calls it

    def send(self, reply):
        self.close_connection = True
        self.send_response_only(reply.status)
        headers = {"Date": DATE, "Connection": "close", **reply.headers}
        if reply.chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif reply.length is not False and reply.status != 304:
            headers["Content-Length"] = str(len(reply.body) if reply.length is None else reply.length)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        body = reply.body
        if reply.chunked:
            body = b"".join(
                b"%x\r\n%s\r\n" % (len(body[at : at + 3]), body[at : at + 3]) for at in range(0, len(body), 3)
            )
            body += b"0\r\n\r\n"
        end = reply.cut if reply.cut is not None else reply.reset
        self.wfile.write(body if end is None else body[:end])
        self.wfile.flush()
        if reply.reset is not None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, *_):
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    """The server; `replies` maps paths to lists of replies, or of functions of the handler that give one."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies = {}
        self.requests = []
        self.lock = threading.Lock()

    @property
    def base(self):
        return f"http://127.0.0.1:{self.server_port}"

    def says(self, path, *replies):
        """Have a path answered so; returns its URL."""
        self.replies[path] = list(replies)
        return self.base + path

    def handle_error(self, *_):
        """Clients that go away are part of the game."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server on the loopback interface, which no proxy stands before."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with Server() as opened:
        thread = threading.Thread(target=opened.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


@pytest.fixture
def reply() -> type[Reply]:
    """What the server can be told to answer."""
    return Reply
