"""A web server on this machine that can misbehave."""

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Handler(BaseHTTPRequestHandler):
    """Answers with a file of the server, or else as the server is set to answer."""

    def do_GET(self) -> None:  # noqa: D102
        self.server.when_asked(self.path)
        body = self.server.files.get(self.path)
        with contextlib.suppress(OSError):  # a client may leave
            (self.server.answer if body is None else send(body))(self)

    def log_message(self, *arguments: object) -> None:  # noqa: D102
        pass


Answer = Callable[[Handler], None]


class Server(ThreadingHTTPServer):
    """A web server that has some files; its answer to any other path can be replaced."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.host = f"http://127.0.0.1:{self.server_port}"
        self.address = f"{self.host}/data"
        self.files: dict[str, bytes] = {}
        self.answer: Answer = lambda request: request.send_error(404)
        self.asked: list[str] = []
        self.when_asked: Callable[[str], None] = self.asked.append
        self.closing = threading.Event()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.closing.set()
        server.shutdown()


def send(body: bytes, **headers: object) -> Answer:
    """Return an answer with ``body``, and with ``headers`` instead of the right length if given."""

    def answer(request: Handler) -> None:
        request.send_response(200)
        for name, value in (headers or {"Content_Length": len(body)}).items():
            request.send_header(name.replace("_", "-"), str(value))
        request.end_headers()
        request.wfile.write(body)

    return answer


def redirect(to: str) -> Answer:
    def answer(request: Handler) -> None:
        request.send_response(302)
        request.send_header("Location", to)
        request.end_headers()

    return answer


def reset_after(body: bytes, **headers: object) -> Answer:
    """Return the answer of `send`, which resets the connection after ``body``."""

    def answer(request: Handler) -> None:
        send(body, **headers)(request)
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(request.connection.detach())

    return answer


def stall(request: Handler) -> None:
    send(b"begin", Content_Length=1000)(request)
    request.server.closing.wait()


def drip(request: Handler) -> None:
    send(b"", Content_Length=10**6)(request)
    while not request.server.closing.wait(0.02):
        request.wfile.write(b"x")
