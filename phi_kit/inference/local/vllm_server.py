"""A vLLM server on this machine, in a process of its own: started, reused, ended.

One at a time in a process, for each takes most of the card. It listens on loopback
only. It ends when the kit says so, when this process ends, and when this process is
killed (`process_guard`), and takes the card's memory with it.
"""

from __future__ import annotations

import atexit
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from phi_kit.core.errors import ModelError, RunError
from phi_kit.core.progress import print_status
from phi_kit.models.model_dir import cache_folder

PROGRAM = "PHI_KIT_VLLM"  # names the program, where it is not on the path
START_SECONDS = 900.0  # until a server must answer (kit default): 15B weights, graphs
# Of the card's free memory, for the server (kit default); the kit's own model stays
# beside it and scores texts.
CARD_SHARE = 0.85
IDLE_SECONDS = 120.0  # without a draw, until it ends (kit default)
LEAST_TOKENS = 2048  # of prompt and sample together, that a server is started for
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # those that vLLM has kernels for
_TEMPLATE = Path(__file__).with_name("plain_text.jinja")
_GUARD = Path(__file__).with_name("process_guard.py")
_POLL_SECONDS, _ANSWER_SECONDS = 0.5, 10.0
_END_SECONDS, _ENDING_SECONDS = 30.0, 3.0  # until the guard has ended, and says so
_LOG_LINES = 12  # of the log's end, in an error


@dataclass(frozen=True)
class ServedModel:
    """What a server is started with.

    Attributes:
        folder: of the model.
        dtype: what it computes in, such as `bfloat16`.
        four_bit: weights in NF4 with double quantisation, as the kit has them.
        longest: tokens that its positions reach.
        adapter: folder of a LoRA adapter.
    """

    folder: Path
    dtype: str
    four_bit: bool
    longest: int
    adapter: Path | None = None


def vllm_program() -> str | None:
    """The `vllm` program: `PHI_KIT_VLLM`, beside this Python, or on the path."""
    if named := os.environ.get(PROGRAM):
        return shutil.which(named)
    beside = Path(sys.executable).with_name("vllm")
    return shutil.which(beside) or shutil.which("vllm")


def require_vllm() -> str:
    """The `vllm` program.

    Raises:
        ModelError: there is none.
    """
    if program := vllm_program():
        return program
    raise ModelError(
        "engine: vllm needs the program vllm, which is not there",
        where=os.environ.get(PROGRAM, "beside this Python, and on the path"),
        todo="install vllm and bitsandbytes into an environment of their own and name "
        f"the program: {PROGRAM}=/path/to/bin/vllm; or set engine: auto",
    )


class VllmServer:
    """A server that is starting or runs.

    Args:
        served: the model.
        tokens: of prompt and sample together at most.

    Raises:
        ModelError: there is no program `vllm`.
    """

    def __init__(self, served: ServedModel, tokens: int):
        self.served, self.tokens, self.owner = served, tokens, os.getpid()
        self.draws = 0  # under way
        # A name that nobody else serves: another server's reply is an error.
        self.model = f"phi-kit-{secrets.token_hex(4)}"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = self._command()
        folder = cache_folder().parent / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{self.model}.log"
        with self.log.open("wb") as log:
            self.guard = subprocess.Popen(
                [sys.executable, "-P", _GUARD, str(os.getpid()), *command],
                env={**os.environ, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us
            )
        atexit.register(self.close)

    def _command(self) -> list[str]:
        served, base = self.served, f"{self.model}-base"
        options = {
            "--host": "127.0.0.1",
            "--port": str(self.port),
            "--served-model-name": base if served.adapter else self.model,
            "--dtype": served.dtype,
            "--max-model-len": str(self.tokens),
            "--chat-template": str(_TEMPLATE),  # prompts come rendered
            "--chat-template-content-format": "string",
            "--generation-config": "vllm",  # no top-k, top-p or penalty of the model's
            **({"--quantization": "bitsandbytes"} if served.four_bit else {}),
            **_card_share(),
        }
        if served.adapter:
            config = json.loads((served.adapter / "adapter_config.json").read_text())
            rank = next((rank for rank in _RANKS if rank >= config["r"]), config["r"])
            module = {
                "name": self.model,
                "path": str(served.adapter.resolve()),
                "base_model_name": base,
            }
            options |= {
                "--max-lora-rank": str(rank),
                "--lora-modules": json.dumps(module),
            }
        flags = ["--disable-uvicorn-access-log"]
        flags += ["--enable-lora"] * bool(served.adapter)
        pairs = [part for option in options.items() for part in option]
        program = require_vllm()
        # In an environment of its own our packages are of no use to it.
        ours = Path(program).parent == Path(sys.executable).parent
        alone = [] if ours else ["env", "-u", "PYTHONPATH"]
        folder = str(served.folder.resolve())
        return [*alone, program, "serve", folder, *pairs, *flags]

    @property
    def address(self) -> str:
        """The model's name as an endpoint."""
        return f"http://127.0.0.1:{self.port}/v1#{self.model}"

    @property
    def running(self) -> bool:
        """Whether the program has not ended."""
        return self.guard.poll() is None

    def ends_soon(self) -> bool:
        """Whether it has ended; the guard takes a moment to say so."""
        try:
            self.guard.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        return True

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            RunError: it ended before, or takes too long.
        """
        began = time.monotonic()
        what = f"{self.served.folder.name}{' with its adapter' * self._adapted}"
        print_status(f"starting vLLM with {what}; its log: {self.log}")
        while not self.answers():
            if not self.running:
                raise self.failed("vLLM ended before it could answer")
            if time.monotonic() - began > START_SECONDS:
                raise self.failed(f"vLLM did not answer in {START_SECONDS:g} s")
            time.sleep(_POLL_SECONDS)

    @property
    def _adapted(self) -> bool:
        return self.served.adapter is not None

    def answers(self) -> bool:
        """Whether it is ready to be asked."""
        try:
            with httpx.Client(trust_env=False, timeout=_ANSWER_SECONDS) as client:
                models = client.get(f"http://127.0.0.1:{self.port}/v1/models").json()
            return self.model in {each["id"] for each in models["data"]}
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return False

    def failed(self, what: str) -> RunError:
        """The error that the server has failed, with the end of its log."""
        lines = self.log.read_text(errors="replace").splitlines()
        said = "\n".join(f"    {line[:200]}" for line in lines[-_LOG_LINES:])
        return RunError(
            f"{what}; it said last:\n{said}",
            where=str(self.log),
            todo="mend what it says, or set engine: own",
        )

    def close(self, *, keep_log: bool = False) -> None:
        """End it and wait until its memory is free.

        Its log goes with it, unless it has ended by itself: an error names it then.
        """
        if os.getpid() != self.owner:  # a fork's copy of this object
            return
        atexit.unregister(self.close)
        keep_log = keep_log or not self.running
        if self.running:
            self.guard.terminate()
            try:
                self.guard.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self.guard.kill()
                self.guard.wait()
        if not keep_log:
            self.log.unlink(missing_ok=True)


_lock = threading.RLock()  # of what follows: the timer has a thread of its own
_running: VllmServer | None = None
_idle = threading.Timer(0, lambda: None)


@contextmanager
def serving(served: ServedModel, tokens: int) -> Iterator[VllmServer]:
    """A model's server during a draw, started if it does not run already.

    It stays for the next draw, `IDLE_SECONDS` at most: a notebook that has ended its
    step would otherwise keep the card from the next one.

    Args:
        served: the model.
        tokens: of prompt and sample together at most, that the draw has.

    Raises:
        ModelError: there is no program `vllm`.
        RunError: it does not start.
    """
    global _idle
    with _lock:
        server = _started(served, tokens)
        server.draws += 1
    try:
        yield server
    finally:
        with _lock:
            server.draws -= 1
            _idle.cancel()
            _idle = threading.Timer(IDLE_SECONDS, _stop_unused, [server])
            _idle.daemon = True
            _idle.start()


def _started(served: ServedModel, tokens: int) -> VllmServer:
    global _running
    found = _running
    if found and found.served == served and found.tokens >= tokens and found.answers():
        return found
    stop_server()
    # Room to spare, so that the next draw need not start it again.
    room = max(LEAST_TOKENS, 1 << (tokens - 1).bit_length())
    _running = VllmServer(served, min(room, served.longest))
    try:
        _running.wait()
    except BaseException:
        _running.close(keep_log=True)
        _running = None
        raise
    return _running


def stop_server() -> None:
    """End the server of this process, if there is one."""
    global _running
    with _lock:
        _idle.cancel()
        if _running is not None:
            _running.close()
            _running = None


def _stop_unused(server: VllmServer) -> None:
    with _lock:
        if _running is server and not server.draws:
            stop_server()


def _card_share() -> dict[str, str]:
    """Of the whole card, what the server may take; nothing without one."""
    import torch

    if not torch.cuda.is_available():
        return {}
    torch.cuda.empty_cache()
    free, whole = torch.cuda.mem_get_info()
    return {"--gpu-memory-utilization": f"{CARD_SHARE * free / whole:.3f}"}
