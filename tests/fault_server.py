"""An OpenAI-compatible server that misbehaves on purpose."""

from __future__ import annotations

import hashlib
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "toy-1b"
PROMPT_TOKENS, TOKENS = 7, 5


def text_of(request: dict[str, Any]) -> str:
    """What the server's model says: decided by the prompt and the seed alone."""
    said = f"{request['messages'][-1]['content']}|{request.get('seed')}"
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def reply(request: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """A whole reply; `changed` replaces parts of it."""
    message = {"role": "assistant", "content": text_of(request)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": request["model"],
        "choices": [choice],
        "usage": {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": TOKENS,
            "total_tokens": PROMPT_TOKENS + TOKENS,
        },
    } | changed


class Handler(BaseHTTPRequestHandler):
    """One connection; `server.behave` says what a request gets."""

    protocol_version = "HTTP/1.1"
    server: FaultServer

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked["GET"] += 1
        self.server.keys.append(self.headers.get("authorization", ""))
        try:
            self.server.list_models(self)
        except (BrokenPipeError, ConnectionResetError):
            self.server.asked["gone"] += 1

    def list_models(self) -> None:
        """The list of models, or the status that stands for it."""
        server = self.server
        self.send(server.list_status, {"object": "list", "data": server.listed})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        request = json.loads(body)
        server = self.server
        with server.lock:
            server.asked["POST"] += 1
            server.requests.append(request)
            server.keys.append(self.headers.get("authorization", ""))
            server.running += 1
            server.most_running = max(server.most_running, server.running)
            number = server.asked["POST"]
        try:
            server.behave(self, request, number)
        except (BrokenPipeError, ConnectionResetError):
            server.asked["gone"] += 1
        finally:
            with server.lock:
                server.running -= 1

    def send(self, status: int, body: Any, **headers: str) -> None:
        """Answer; `body` may be raw bytes."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def answer(self, request: dict[str, Any], **changed: Any) -> None:
        """A whole reply."""
        with self.server.lock:
            self.server.asked["answered"] += 1
        self.send(200, reply(request, **changed))

    def error(self, status: int, message: str, **headers: str) -> None:
        """An error as OpenAI words it."""
        self.send(status, {"error": {"message": message, "code": None}}, **headers)

    def pour(self, status: int, pieces: Iterator[bytes], **headers: str) -> None:
        """Answer without saying how long it will be, until the client hangs up."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.close_connection = True
        for piece in pieces:
            self.wfile.write(piece)
            self.server.asked["poured"] += len(piece)

    def cut(self) -> None:
        """Half a reply, then nothing."""
        self.send_response(200)
        self.send_header("content-length", "1000")
        self.end_headers()
        self.wfile.write(b'{"choices": [')
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True


Behaviour = Callable[[Handler, dict[str, Any], int], None]


class FaultServer(ThreadingHTTPServer):
    """The server, what it was asked, and how it behaves."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, behave: Behaviour):
        super().__init__(("127.0.0.1", 0), Handler)
        self.behave = behave
        self.lock = threading.Lock()
        self.asked: Counter[str] = Counter()
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.listed: list[dict[str, Any]] = [{"id": MODEL, "created": 1}]
        self.list_status = 200
        self.list_models: Callable[[Handler], None] = Handler.list_models
        self.running = self.most_running = 0

    def handle_error(self, *_: Any) -> None:
        """Nothing: clients hang up whenever they like."""

    @property
    def name(self) -> str:
        """What a study file would say."""
        return f"http://127.0.0.1:{self.server_port}/v1#{MODEL}"


@contextmanager
def serving(behave: Behaviour) -> Iterator[FaultServer]:
    """A server with this behaviour, on a free port."""
    server = FaultServer(behave)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def well(handler: Handler, request: dict[str, Any], number: int) -> None:
    """Answer every request."""
    handler.answer(request)


def hang(handler: Handler, request: dict[str, Any], number: int) -> None:
    """Say nothing for longer than any test waits."""
    time.sleep(3)
    handler.close_connection = True


def slowly(handler: Handler, request: dict[str, Any], number: int) -> None:
    """Answer after a while."""
    time.sleep(0.1)
    handler.answer(request)


FAULTS: dict[str, Behaviour] = {
    "429": lambda h, r, n: h.error(429, "slow down", Retry_After="0.05"),
    "429 until a date": lambda h, r, n: h.error(
        429, "slow down", Retry_After=formatdate(time.time(), usegmt=True)
    ),
    "500": lambda h, r, n: h.error(500, "out of order"),
    "503": lambda h, r, n: h.error(503, "still loading"),
    "hang": hang,
    "cut connection": lambda h, r, n: h.cut(),
    "garbage": lambda h, r, n: h.send(200, b"<html>it works!</html>"),
    "half a JSON": lambda h, r, n: h.send(200, b'{"choices": [{"mess'),
    "an error in a 200": lambda h, r, n: h.send(200, {"error": {"message": "oops"}}),
    "no choices": lambda h, r, n: h.answer(r, choices=[]),
    "no text": lambda h, r, n: h.answer(
        r, choices=[{"message": {"content": None}, "finish_reason": "stop"}]
    ),
    "no usage": lambda h, r, n: h.answer(r, usage=None),
    "aborted": lambda h, r, n: h.answer(
        r, choices=[{"message": {"content": "4"}, "finish_reason": "abort"}]
    ),
    "slow": slowly,
}


def faulty(share: float, *, seed: int = 0) -> Behaviour:
    """Misbehave in a share of the requests, in every way of `FAULTS`."""
    draw, lock = random.Random(seed), threading.Lock()

    def behave(handler: Handler, request: dict[str, Any], number: int) -> None:
        with lock:
            fault = draw.choice(list(FAULTS)) if draw.random() < share else None
            handler.server.asked[fault or "well"] += 1
        FAULTS.get(fault, well)(handler, request, number)

    return behave
