"""Take a source out of a study: which domains it touches, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator

from phi_kit.core.errors import StudyError, did_you_mean
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.step_table import COLLECT_SEEDS, SYNTHESIZE
from phi_kit.data.withdrawn import withdraw_source, withdrawn_sources
from phi_kit.synthesis.lineage import Lineage

from .config import Study


def withdraw(study: Study, source: str) -> Iterator[str]:
    """Note that a source is withdrawn, in every domain that holds rows of it.

    Args:
        study: whose domains are looked at.
        source: as a row's `source` names it.

    Yields:
        For each such domain what will be redone.

    Raises:
        StudyError: no domain holds rows of it.
    """
    domains = list(dict.fromkeys(unit.domain for unit in study.units() if unit.domain))
    held: dict[str, int] = {}
    others: set[str] = set()
    for domain in domains:
        folder = RunFolder.of(study.name, COLLECT_SEEDS, domain=domain)
        if not folder.finished:
            continue
        counts = folder.table().source.value_counts()
        others |= set(counts.index)
        if source in counts:
            held[domain] = int(counts[source])
    again = [d for d in domains if source in withdrawn_sources(study.name, d)]
    if not held and not again:
        raise StudyError(
            f"no domain of '{study.name}' holds rows of the source '{source}'"
            f"{did_you_mean(source, others)}"
        )
    for domain, seeds in held.items():
        made = _made(study.name, domain, source)
        withdraw_source(study.name, domain, source)
        yield (
            f"{domain}: {seeds} seeds of {source} are withdrawn, and with them {made} "
            "rows of the frozen set"
        )
    for domain in domains:
        if domain not in held and domain not in again:
            yield f"{domain}: nothing of it; its steps stay as they are"


def _made(study: str, domain: str, source: str) -> int:
    """How many frozen rows come from a source, organic ones included."""
    if not RunFolder.of(study, SYNTHESIZE, domain=domain).finished:
        return 0
    found = Lineage.of(study, domain).descendants(source)
    return int((found.fate == "kept").sum())
