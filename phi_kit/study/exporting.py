"""What `phi-kit export` merges: a study's final adapter, or a folder's."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from phi_kit.core.step_run import RunFolder
from phi_kit.core.step_table import EXPAND_DOMAINS, PICK_DOMAIN
from phi_kit.data.sealed_splits import unseal
from phi_kit.domains import of as domain_of
from phi_kit.inference.merge_check import merge_and_compare
from phi_kit.models.merge import MergedModel, base_model_name
from phi_kit.steps import load

from . import config

ITEMS = 24  # held-out prompts of a study that are compared on


@dataclass(frozen=True)
class Chosen:
    """An adapter to merge, its base model, and prompts it never trained on."""

    adapter: Path
    base: str
    asked: list[tuple[str, str]]


def choose(what: str) -> Chosen:
    """The adapter that a word of the command line means.

    Args:
        what: an adapter's folder, a study's file or its name.

    Raises:
        ModelError: the folder holds no adapter.
        RunError: the study has not finished step 6.
    """
    folder, there = Path(what), False
    with suppress(OSError, RuntimeError):  # what no disk can hold is no folder
        folder = folder.expanduser()
        there = folder.is_dir()
    if there:
        return Chosen(folder, base_model_name(folder), [])
    name = config.name_of(what)
    last = RunFolder.of(name, EXPAND_DOMAINS)
    adapter = last.folder(f"adapters/{last.result['final']}")
    params = load(EXPAND_DOMAINS).Params.checked(
        last.manifest["params"], where=str(last.path)
    )
    asked = []
    for domain in params.domains:
        card = RunFolder.of(name, PICK_DOMAIN, domain=domain)
        dev = unseal(card, "dev", params=params)[: ITEMS // len(params.domains)]
        instruction = domain_of(params, domain).instruction
        asked += [(instruction, item.prompt) for item in dev]
    return Chosen(adapter, params.model, asked)


def run(what: str, out: Path) -> MergedModel:
    """Merge the adapter that a word of the command line means.

    Args:
        what: as in `choose`.
        out: the new folder.
    """
    chosen = choose(what)
    return merge_and_compare(chosen.adapter, out, base=chosen.base, asked=chosen.asked)
