"""The card of a frozen set, by huggingface_hub's template.

The template's sections are filled with what the study knows; what it cannot know
(funding, a paper) is said to be unknown by the template itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from phi_kit import __version__
from phi_kit.stats.intervals import wilson_interval

from .frozen_facts import FrozenFacts

# Licences as the hub spells them; any other is `other`, named in the text.
_HUB = {
    "apache-2.0", "mit", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc0-1.0",
    "cc-by-nc-3.0", "cc-by-sa-3.0", "odc-by", "unknown",
}  # fmt: skip
_COLUMNS = {
    "row_id": "a hash of the row and its number among equal rows",
    "id": "a hash of what is asked and answered",
    "prompt": "the question",
    "answer": "the gold, which the domain's verifier reads",
    "completion": "what the row teaches",
    "kind": "organic, synthetic (made by a transform) or self (the student's own)",
    "by": "the transform",
    "parent": "the id of the seed that it was made from",
    "source": "where the seed came from",
    "licence": "what the use of the seed is bound to",
    "logprob": "mean log-probability of a token of the completion under the student, "
    "before training",
}


def card_text(facts: FrozenFacts) -> str:
    """The text of the data set's `README.md`."""
    from huggingface_hub import DatasetCard, DatasetCardData

    names = [one.lower() for one in facts.licences]
    data = DatasetCardData(
        pretty_name=facts.name,
        license=[one if one in _HUB else "other" for one in names],
        task_categories=["text-generation"],
        tags=["phi_kit", "synthetic", "sft"],
        size_categories=[_size(facts.rows)],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": "train", "path": "data/*.parquet"}],
            }
        ],
    )
    return str(DatasetCard.from_template(data, **_sections(facts))).rstrip() + "\n"


def _sections(facts: FrozenFacts) -> dict[str, str]:
    models = [f"{role}: `{name}`" for role, name in facts.models.items()]
    return {
        "dataset_summary": facts.summary,
        "dataset_description": "\n".join(
            [
                f"The frozen set of the domain `{facts.domain}` in the study "
                f"`{facts.study}`. Hash, whatever the order of the rows: "
                f"`{facts.digest}`.",
                "",
                _table(("kind", "rows"), facts.counts.items()),
            ]
        ),
        "curators": f"phi_kit {__version__}, by the study's parameters",
        "license": ", ".join(facts.licences),
        "direct_use": "Supervised fine-tuning of a small language model: `prompt` in, "
        "`completion` out. The loss is for the completion alone.",
        "out_of_scope_use": "Measuring a model: rows are chosen by what one student "
        "does not solve yet, which is no fair sample of the domain.",
        "dataset_structure": _table(("column", "what it holds"), _COLUMNS.items()),
        "curation_rationale_section": "Rows that a student does not solve yet, and "
        "variants of them whose answers can be checked.",
        "data_collection_and_processing_section": "\n\n".join(_process(facts)),
        "source_data_producers_section": _table(
            ("source", "rows", "licence"),
            ((name, one.rows, one.licence or "unknown") for name, one in _of(facts)),
        ),
        "annotation_process_section": "None by hand: golds are computed or come from "
        "the source, and a verifier holds each response against its gold.",
        "who_are_annotators_section": "\n".join(f"- {one}" for one in models)
        or "No model.",
        "personal_and_sensitive_information": "Generated rows hold none; what the "
        "sources hold is theirs to say.",
        "bias_risks_limitations": "Right by the verifier is not the same as good: a "
        "verifier reads answers, and of the steps only plain arithmetic.",
        "more_information": "`croissant.json` says the same for machines; `phi-kit why "
        "ID` shows the past of a row.",
    }


def _of(facts: FrozenFacts) -> Iterable:
    return facts.sources.items()


def _process(facts: FrozenFacts) -> list[str]:
    yields = []
    for name, (tried, kept) in facts.made_by.items():
        low, high = wilson_interval(kept, tried)
        shown = f"{kept / tried:.0%}" if tried else "-"
        yields.append((name, tried, kept, shown, f"{low:.0%} to {high:.0%}"))
    gates = [(name, n["in"], n["in"] - n["kept"]) for name, n in facts.gates.items()]
    return [
        "Transforms, the rows they made, and those in the set (95 % interval of the "
        "share, Wilson):",
        _table(("transform", "made", "kept", "share", "interval"), yields),
        "Gates, in the order in which rows come to them:",
        _table(("gate", "came", "dropped"), gates),
        "Dropped rows by reason:",
        _table(("reason", "rows"), facts.dropped.items()),
    ]


def _table(head: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    if not lines:
        return "None."
    parts = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(part)} |" for part in parts)


def _size(rows: int) -> str:
    """The hub's name for so many rows."""
    names = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M")
    sizes = zip((1_000, 10_000, 100_000, 1_000_000), names, strict=True)
    return next((name for top, name in sizes if rows < top), "1M<n<10M")
