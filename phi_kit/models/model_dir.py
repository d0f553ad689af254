"""Model folders on disk: published whole or not at all, checked, identified.

A folder appears under its final name by one rename, after every file of it has
reached the disk; a kill at any moment leaves only a hidden `.NAME.tmp-*` folder,
which the next attempt removes. Needs a local POSIX file system for the lock.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import platformdirs
from filelock import Timeout

from phi_kit.core.errors import ModelError, PhiKitError, disk_errors
from phi_kit.core.file_locks import let_go, take_lock
from phi_kit.core.files import write_atomic
from phi_kit.core.progress import print_status
from phi_kit.core.weight_records import weight_record

# Written last into a model folder: its presence says "complete", and the sizes
# in it betray a folder that was copied only in part.
SOURCE = "phi_kit_source.json"

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}

TOKENIZER_FILES = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "chat_template*",
)
# Files that decide how a model reads and answers; a README does not.
_CONFIG_FILES = (
    "config.json",
    "generation_config.json",
    "adapter_config.json",
    *TOKENIZER_FILES,
)
# Keys that change with the library version or the folder, not with the model.
_BOOKKEEPING = {
    "base_model_name_or_path",
    "transformers_version",
    "_name_or_path",
    "_model_name_or_path",
    "name_or_path",
}
_UNORDERED = ("target_modules",)  # peft writes a set, in another order every time
_WHOLE_BYTES = 1 << 30
_BLOCKS, _BLOCK_BYTES = 256, 1 << 16
_REMEMBERED_BYTES = 50_000_000  # smaller ones are read in no time
_SETTLED_SECONDS = 2.0
_SHA256 = re.compile("[0-9a-f]{64}")


def cache_folder() -> Path:
    """Where the kit keeps models: `PHI_KIT_CACHE`, else the user's cache."""
    root = os.environ.get("PHI_KIT_CACHE")
    if not root:
        root = platformdirs.user_cache_dir("phi_kit")
    return Path(root).expanduser() / "models"


def loading_fault(folder: Path) -> str | None:
    """Why transformers could not load `folder`, or None if its files are there."""
    if not folder.is_dir():
        return "it is a file; a folder with config.json and *.safetensors is needed"
    if not (folder / "config.json").is_file():
        adapter = (folder / "adapter_config.json").is_file()
        return "it is a LoRA adapter, not a model" if adapter else "no config.json"
    index = folder / "model.safetensors.index.json"
    try:
        json.loads((folder / "config.json").read_text())
        shards = json.loads(index.read_text())["weight_map"] if index.is_file() else {}
    except (ValueError, KeyError) as error:
        return f"a file of it is not valid JSON: {error}"
    missing = [n for n in sorted(set(shards.values())) if not (folder / n).is_file()]
    if missing:
        return f"weights are missing: {', '.join(missing)}"
    return None if any(folder.glob("*.safetensors")) else "no *.safetensors weights"


def require_model(folder: Path) -> Path:
    """`folder`, made absolute; a ModelError says what it lacks, if anything."""
    if (why := loading_fault(folder)) is None:
        return folder.resolve()
    raise ModelError(
        f"this folder is not a model that can be loaded: {why}",
        where=str(folder.resolve()),
        todo="point `model:` at a folder written by `save_pretrained`",
    )


# --- publishing: all or nothing ------------------------------------------------


def is_complete(folder: Path) -> bool:
    """Whether `folder` was published whole: every listed file at its full size."""
    try:
        sizes = json.loads((folder / SOURCE).read_text())["files"]
        return all((folder / n).stat().st_size == size for n, size in sizes.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def publish(target: Path, fill: Callable[[Path, Path], dict]) -> Path:
    """Make the model folder `target` appear whole or not at all.

    Args:
        target: the final folder; two processes that want it take turns.
        fill: called with (a new folder to fill, a scratch folder); returns what
            to record about the source.

    Raises:
        RunError: the disk is full.
        ModelError: the cache is not writable, or whatever `fill` raises.
    """
    with _cache_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        # A kernel lock: a killed process cannot leave it held.
        try:
            lock = take_lock(_publish_lock(target))
        except Timeout:
            print_status(f"another process is preparing {target.name}; waiting for it")
            lock = take_lock(_publish_lock(target), seconds=-1)
        try:
            return target if is_complete(target) else _publish_locked(target, fill)
        finally:
            let_go(lock)


def _publish_lock(target: Path) -> Path:
    """The file that a process locks while it makes `target`."""
    return target.parent / f".{target.name}.lock"


def _publish_locked(target: Path, fill: Callable[[Path, Path], dict]) -> Path:
    # We hold the lock, so every earlier attempt belongs to a process that has ended.
    for dead in target.parent.glob(f".{target.name}.tmp-*"):
        shutil.rmtree(dead, ignore_errors=True)
    attempt = Path(mkdtemp(prefix=f".{target.name}.tmp-", dir=target.parent))
    folder, scratch = attempt / "model", attempt / "scratch"
    try:
        folder.mkdir()
        scratch.mkdir()
        _finish(folder, fill(folder, scratch))
        if target.exists():  # damaged, or is_complete would have taken it
            target.replace(attempt / "damaged")
        folder.replace(target)
        return target
    finally:
        shutil.rmtree(attempt, ignore_errors=True)


def _finish(folder: Path, source: dict) -> None:
    """Write `SOURCE`, then flush every file to the disk before the rename."""
    files = sorted(p for p in folder.iterdir() if p.is_file())
    record = {**source, "files": {p.name: p.stat().st_size for p in files}}
    (folder / SOURCE).write_text(json.dumps(record, indent=2) + "\n")
    mode = (folder / SOURCE).stat().st_mode
    for path in [*files, folder / SOURCE]:
        path.chmod(mode)  # safetensors writes 0600; a shared cache needs the umask's
        with path.open("rb+") as file:
            os.fsync(file.fileno())


@contextmanager
def _cache_errors(target: Path) -> Iterator[None]:
    """A full disk or a read-only cache as one clear message."""
    with disk_errors(target.parent):
        try:
            yield
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise
            raise ModelError(
                f"cannot write a model folder: {error.strerror}",
                where=str(target.parent),
                todo="make the folder writable, or choose another one: PHI_KIT_CACHE "
                "for the models of the kit, --to for an export",
            ) from error


# --- identity ------------------------------------------------------------------


def identity(folder: Path | str) -> str:
    """Sixteen hex digits that name the content of a model folder.

    Taken over the configuration and tokenizer files and the weights. Weight files
    up to 1 GiB are hashed whole with SHA-256 (0.4 s for the default's 538 MB with
    SHA-NI, so remembered on this machine); larger ones by size, header and 256
    evenly spaced blocks of 64 KiB, which a retrained model cannot leave untouched.
    No dates and no paths: the same model on two machines has one identity. A folder
    without weights (see `core.weight_records`) has the identity of those it names.

    Raises:
        ModelError: the folder holds no model.
    """
    folder = Path(folder)
    if (record := weight_record(folder)) is not None:
        return record["identity"]
    configs = config_files(folder)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ModelError("no *.safetensors weights to identify", where=str(folder))
    total = hashlib.sha256()
    for path in sorted(configs):
        total.update(f"{path.name}\0{_config_digest(path)}\n".encode())
    for path in weights:
        stat = path.stat()
        digest = _weights_digest(path.resolve(), stat.st_size, stat.st_mtime_ns)
        total.update(f"{path.name}\0{stat.st_size}\0{digest}\n".encode())
    return total.hexdigest()[:16]


def config_files(folder: Path, *, card: bool = False) -> set[Path]:
    """Configuration and tokenizer files of a model or adapter; `card`: README, too."""
    patterns = (*_CONFIG_FILES, *("README.md",) * card)
    paths = {path for pattern in patterns for path in folder.glob(pattern)}
    return {path for path in paths if path.is_file()}


def sha256(path: Path) -> str:
    """The whole file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _config_digest(path: Path) -> str:
    data = path.read_bytes()
    if path.suffix == ".json" and len(data) < 1 << 20:
        try:
            content = json.loads(data)
        except ValueError:
            content = None
        if isinstance(content, dict):
            facts = {k: v for k, v in content.items() if k not in _BOOKKEEPING}
            for key in _UNORDERED:
                if isinstance(facts.get(key), list):
                    facts[key] = sorted(facts[key])
            data = json.dumps(facts, sort_keys=True).encode()
    return hashlib.sha256(data).hexdigest()


@lru_cache(maxsize=64)
def _weights_digest(path: Path, size: int, mtime_ns: int) -> str:
    """`mtime_ns` is only a cache key: a file rewritten in place is read again."""
    if size <= _WHOLE_BYTES:
        return sha256(path) if size < _REMEMBERED_BYTES else _remembered_sha256(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in range(_BLOCKS):
            file.seek(block * (size - _BLOCK_BYTES) // (_BLOCKS - 1))
            digest.update(file.read(_BLOCK_BYTES))
    return digest.hexdigest()


def _remembered_sha256(path: Path) -> str:
    """That of a file whose place, size and times are what they were, as git judges.

    Every notebook asks for it. The time of the last change of any kind cannot be set
    by hand; a file that changed a moment ago might change again within one tick of
    the clock, and is not remembered yet.
    """
    stat = path.stat()
    times = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    name = hashlib.sha256(f"{path}\0{times}".encode()).hexdigest()[:32]
    memory = cache_folder().parent / "digests" / name
    with suppress(OSError, ValueError):
        if _SHA256.fullmatch(known := memory.read_text()):
            return known
    digest = sha256(path)
    if time.time() - stat.st_ctime > _SETTLED_SECONDS:
        # No room, or nowhere to write: it is read again.
        with suppress(OSError, PhiKitError):
            memory.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(memory, digest)
    return digest
