"""Merge the final adapter of a study, or the adapter in a folder."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from phi_kit.core.finished_run import RunFolder
from phi_kit.core.step_table import EXPAND_DOMAINS, PICK_DOMAIN
from phi_kit.data.sealed_splits import unseal
from phi_kit.domains import of as domain_of
from phi_kit.inference.merge_check import merge_and_compare
from phi_kit.models.chat_template import Asked
from phi_kit.models.merge import MergedModel, base_model_name
from phi_kit.steps import load

from . import config

COMPARED_ITEMS = 24  # held-out prompts on which a merged model is compared


@dataclass(frozen=True)
class AdapterToMerge:
    """An adapter, its base model, and prompts that it was not trained on."""

    adapter: Path
    base: str
    prompts: list[Asked]


def find_adapter(what: str) -> AdapterToMerge:
    """Find the adapter that a folder, a study file or a study's name stands for.

    Args:
        what: an adapter's folder, a study's file or its name.

    Raises:
        ModelError: the folder holds no adapter.
        RunError: the study has not finished step 6.
    """
    folder, is_folder = Path(what), False
    with suppress(OSError, RuntimeError):  # a path that no disk can have
        folder = folder.expanduser()
        is_folder = folder.is_dir()
    if is_folder:
        return AdapterToMerge(folder, base_model_name(folder), [])
    name = config.name_of(what)
    last = RunFolder.of(name, EXPAND_DOMAINS)
    adapter = last.folder(f"adapters/{last.result['final']}")
    params = load(EXPAND_DOMAINS).Params.validated(
        last.manifest["params"], where=str(last.path)
    )
    prompts = []
    for domain in params.domains:
        card = RunFolder.of(name, PICK_DOMAIN, domain=domain)
        dev = unseal(card, "dev", params=params)[
            : COMPARED_ITEMS // len(params.domains)
        ]
        way = domain_of(params, domain)
        prompts += [way.asked(item) for item in dev]
    return AdapterToMerge(adapter, params.model, prompts)


def export_adapter(what: str, out: Path) -> MergedModel:
    """Merge an adapter into its base model; see `merge_check.merge_and_compare`.

    Args:
        what: as in `find_adapter`.
        out: the new folder.
    """
    chosen = find_adapter(what)
    return merge_and_compare(
        chosen.adapter, out, base=chosen.base, asked=chosen.prompts
    )
