"""What `vllm serve` looks like from outside: a stand-in for the program `vllm`.

It answers like vLLM, and like vLLM it starts an engine in another process, which
stays behind when the front is killed. Each start, and each request, is a line of the
file that FAKE_VLLM names; FAKE_VLLM_DIES says when it ends by itself.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"


def note(**line: object) -> None:
    """Add a line to the file."""
    with Path(os.environ["FAKE_VLLM"]).open("a", encoding="utf-8") as file:
        file.write(f"{json.dumps(line)}\n")


class Handler(BaseHTTPRequestHandler):
    """One request."""

    names: tuple[str, ...] = ()

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.say({"object": "list", "data": [{"id": name} for name in self.names]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        note(request=asked)
        if os.environ.get("FAKE_VLLM_DIES") == "asked":
            print("torch.OutOfMemoryError: CUDA out of memory", flush=True)
            os._exit(1)
        said = f"{asked['messages'][0]['content']}|{asked['seed']}"
        text = hashlib.sha256(said.encode()).hexdigest()[:6]
        logprobs = {"content": [{"logprob": -0.5}, {"logprob": -0.25}]}
        message = {"role": "assistant", "content": f" {text}\n"}
        self.say(
            {
                "model": asked["model"],
                "choices": [
                    {
                        "message": message,
                        "finish_reason": "stop",
                        "logprobs": logprobs if asked.get("logprobs") else None,
                    }
                ],
                "usage": {"prompt_tokens": 3, "completion_tokens": 2},
            }
        )

    def say(self, body: dict) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("model")
    parser.add_argument("--enable-lora", action="store_true")
    for name in ("port", "served-model-name", "lora-modules"):
        parser.add_argument(f"--{name}")
    given, _ = parser.parse_known_args()
    if os.environ.get("FAKE_VLLM_DIES") == "start":
        print("ValueError: No available memory for the cache blocks", flush=True)
        sys.exit(1)
    engine = subprocess.Popen([sys.executable, "-c", STUBBORN], start_new_session=True)
    note(
        server=os.getpid(),
        engine=engine.pid,
        arguments=sys.argv[1:],
        path=os.environ.get("PYTHONPATH"),
    )
    Handler.names = (given.served_model_name,)
    if given.enable_lora:
        Handler.names += (json.loads(given.lora_modules)["name"],)
    server = ThreadingHTTPServer(("127.0.0.1", int(given.port)), Handler)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server.serve_forever()


if __name__ == "__main__":
    main()
