"""A real `transformers serve` on loopback, with the embedded model."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from phi_kit.models import catalog

NEEDED = ("openai", "fastapi", "uvicorn")
needs_server = pytest.mark.skipif(
    any(find_spec(name) is None for name in NEEDED),
    reason="needs the extra: pip install -c constraints.txt -e '.[serve]'",
)


@contextmanager
def transformers_serve(log: Path, *options: str) -> Iterator[str]:
    """The model's name at a server that has loaded it in float32."""
    folder = str(catalog.resolve("smollm2-135m"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("transformers")
    command = [str(program), "serve", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as out:
        server = subprocess.Popen(
            [*command, "--dtype", "float32", *options],
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(server, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1#{folder}"
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(server: subprocess.Popen, url: str, log: Path) -> None:
    deadline = time.monotonic() + 180
    while True:
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline, "the server does not come up"
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.3)
        else:
            return
