"""A methods paragraph and BibTeX for who writes about a study.

Every number is of the study's own manifests; a sentence whose numbers are not known is
left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from phi_kit import __version__
from phi_kit.core.number_format import count, is_number
from phi_kit.stats.intervals import RESAMPLES

from .table_form import Result, at, listed

_PHI_REASONING = """\
@misc{abdin2025phi4reasoning,
  title = {Phi-4-reasoning Technical Report},
  author = {Abdin, Marah and Agarwal, Sahaj and Awadallah, Ahmed and others},
  year = {2025},
  eprint = {2504.21318},
  archivePrefix = {arXiv}
}"""
_QLORA = """\
@misc{dettmers2023qlora,
  title = {{QLoRA}: Efficient Finetuning of Quantized {LLMs}},
  author = {Dettmers, Tim and Pagnoni, Artidoro and Holtzman, Ari and
    Zettlemoyer, Luke},
  year = {2023},
  eprint = {2305.14314},
  archivePrefix = {arXiv}
}"""
# The reports of the catalogue's models, by the name in a study file.
_MODELS = {
    "smollm2-135m": """\
@misc{benallal2025smollm2,
  title = {{SmolLM2}: When Smol Goes Big -- Data-Centric Training of a Small Language
    Model},
  author = {Ben Allal, Loubna and Lozhkov, Anton and Bakouch, Elie and others},
  year = {2025},
  eprint = {2502.02737},
  archivePrefix = {arXiv}
}""",
    "phi-4-mini": """\
@misc{microsoft2025phi4mini,
  title = {Phi-4-Mini Technical Report: Compact yet Powerful Multimodal Language Models
    via Mixture-of-{LoRAs}},
  author = {{Microsoft}},
  year = {2025},
  eprint = {2503.01743},
  archivePrefix = {arXiv}
}""",
    "phi-4": """\
@misc{abdin2024phi4,
  title = {Phi-4 Technical Report},
  author = {Abdin, Marah and Aneja, Jyoti and Behl, Harkirat and others},
  year = {2024},
  eprint = {2412.08905},
  archivePrefix = {arXiv}
}""",
}


def paragraph(manifests: Mapping[int, Sequence[Result]], model: str) -> str:
    """What was done, as a paper would say it.

    Args:
        manifests: of the finished steps, by number; several of a step that runs per
            domain.
        model: the base model.
    """
    said = (make(manifests, model) for make in _SENTENCES)
    return " ".join(sentence for sentence in said if sentence)


def bibtex(study: str, *, model: str, year: str, digest: str) -> str:
    """Entries for the study, the kit, the method, the model and QLoRA.

    Args:
        study: its name.
        model: the base model.
        year: in which its last step finished.
        digest: of the outcome of its last step.
    """
    safe = "".join(letter for letter in study if letter.isalnum() or letter in "-_")
    own = (
        f"@misc{{{safe or 'study'},\n  title = {{The phi\\_kit study "
        f"\\texttt{{{study.replace('_', chr(92) + '_')}}}}},\n  year = {{{year}}},\n"
        f"  note = {{phi\\_kit {__version__}; outcome {digest}}}\n}}"
    )
    kit = (
        f"@software{{phi_kit,\n  title = {{phi\\_kit: data-first supervised "
        f"fine-tuning of small language models}},\n  version = {{{__version__}}},\n"
        f"  year = {{{year}}}\n}}"
    )
    return "\n\n".join(
        filter(None, [own, kit, _PHI_REASONING, _MODELS.get(model), _QLORA])
    )


def _of_all(manifests: Sequence[Result], place: str) -> list[Any]:
    """The different values at a place in some manifests, those that are known."""
    found = [at(manifest, place) for manifest in manifests]
    return [value for value in dict.fromkeys(map(str, found)) if value != "None"]


def _either(manifests: Sequence[Result], place: str) -> str:
    return " or ".join(_of_all(manifests, place))


def _sum(manifests: Sequence[Result], place: str) -> int:
    values = (at(manifest, place) for manifest in manifests)
    return sum(value for value in values if is_number(value))


def _seeds(manifests: Mapping[int, Sequence[Result]], model: str) -> str:
    collected = manifests.get(2, ())
    if not (read := _sum(collected, "flow.read")):
        return ""
    domains = ", ".join(_of_all(collected, "params.domain")) or "one domain"
    kept = count(_sum(collected, "flow.kept"))
    return (
        f"Rows for {domains} were read from their sources ({count(read)}); duplicates, "
        "rows whose gold its own verifier refused and rows that overlap a held-out "
        f"question were dropped, which left {kept} seeds."
    )


def _filter(manifests: Mapping[int, Sequence[Result]], model: str) -> str:
    filtered = manifests.get(3, ())
    first, most = (
        _either(filtered, f"params.{name}") for name in ("samples", "max_samples")
    )
    if not first:
        return ""
    band = [_either(filtered, f"params.band_{end}") for end in ("low", "high")]
    said = (
        f"{model} answered each seed {first} times and, where its tier was in doubt, "
        f"up to {most} times; seeds were put into tiers by the posterior of their pass "
        "rate"
    )
    if all(band):
        said += f", with the band from {band[0]} to {band[1]}"
    teachable = _sum(filtered, "result.tiers.teachable")
    return f"{said}. Teachable were {count(teachable)} of them."


def _training(manifests: Mapping[int, Sequence[Result]], model: str) -> str:
    probed = manifests.get(4, ())
    if not (rank := _either(probed, "params.rank")):
        return ""
    settings = {
        "learning rate": "learning_rate",
        "epochs": "epochs",
        "batch": "batch",
    }
    recipe = ", ".join(
        f"{words} {_either(probed, f'params.{name}')}"
        for words, name in settings.items()
    )
    trained = [
        a.get("arm") for m in probed for a in listed(m, "result.arms") if a.get("rows")
    ]
    arms = f" ({', '.join(dict.fromkeys(map(str, trained)))})" * bool(trained)
    return (
        f"Arms{arms} of equally many trained tokens were trained with QLoRA (rank "
        f"{rank}, {recipe}) and compared on held-out dev items."
    )


def _merging(manifests: Mapping[int, Sequence[Result]], model: str) -> str:
    expanded = manifests.get(6, ())
    if not (rows := _sum(expanded, "flow.read")):
        return ""
    return (
        "The final adapter was trained on the frozen data sets of all domains together "
        f"({count(rows)} rows)."
    )


def _benchmark(manifests: Mapping[int, Sequence[Result]], model: str) -> str:
    tested = manifests.get(7, ())
    if not (samples := _either(tested, "params.samples")):
        return ""
    items = _sum(manifests.get(1, ()), "result.sealed.test")
    times = "once" if samples == "1" else f"{samples} times"
    asked = f"{count(items)} test items that " if items else "test items that "
    return (
        f"Base and final adapter answered {asked}no earlier step had opened, {times} "
        f"each at temperature {_either(tested, 'params.temperature')}, and were "
        "compared item by item."
    )


def _statistics(manifests: Mapping[int, Sequence[Result]], model: str) -> str:
    if not any(manifests.values()):
        return ""
    version = _either([one for some in manifests.values() for one in some], _VERSION)
    return (
        f"Intervals are 95\u00a0% percentile intervals over {count(RESAMPLES)} "
        "resamples of items; arms are corrected by Holm. Every step, parameter and "
        f"digest is recorded by phi_kit {version or __version__}."
    )


_VERSION = "versions.phi_kit"
_SENTENCES: tuple[Callable[[Mapping[int, Sequence[Result]], str], str], ...] = (
    _seeds,
    _filter,
    _training,
    _merging,
    _benchmark,
    _statistics,
)
