"""Which engine samples a model: the one a study names, else the fastest on this card.

On a CPU that is the kit's own. On a GPU each engine that is installed draws a few
samples of the model, once; the rates are remembered for the card, the model and the
versions, for another answer the next time would mean other samples.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from phi_kit.core.errors import ModelError, RunError
from phi_kit.core.files import digest_json, write_atomic
from phi_kit.core.params import Compute, EngineName
from phi_kit.core.progress import print_status
from phi_kit.inference.types import SampleRequest, SamplingParams
from phi_kit.models.loading import compute_dtype, device
from phi_kit.models.model_dir import cache_folder

from .sampling_engine import OwnEngine, SamplingEngine
from .transformers_engine import TransformersEngine
from .vllm_engine import VllmEngine
from .vllm_server import ServedModel, require_vllm, vllm_program

if TYPE_CHECKING:
    from .model import LocalModel

# What the choice is made for, start-up included: five samples of 128 tokens for each
# of 3,000 seeds (kit default: a filter with the default budget).
FILTER_TOKENS = 3000 * 5 * 128
_QUESTIONS, _SAMPLES = 32, 8  # that are asked, and how often each
_SAMPLING = SamplingParams(max_tokens=128, temperature=0.8)


class EngineRate(NamedTuple):
    """How fast an engine was.

    Attributes:
        start: seconds of its first few samples: a server's start, graphs captured.
        tokens: sampled per second after that.
    """

    start: float
    tokens: float

    @property
    def seconds(self) -> float:
        """What a filter of 3,000 seeds takes."""
        return self.start + FILTER_TOKENS / self.tokens


def require_engine(wanted: EngineName) -> None:
    """Refuse an engine that this machine does not have.

    Raises:
        ModelError: it says what to install or set.
    """
    if wanted != "vllm":
        return
    require_vllm()
    if device() != "cuda":
        raise ModelError(
            "engine: vllm needs a CUDA device, and there is none",
            todo="set engine: auto, which is the kit's own engine on a CPU",
        )


def with_engine(
    local: LocalModel,
    wanted: EngineName,
    folder: Path,
    *,
    four_bit: bool,
    compute: Compute = "auto",
) -> LocalModel:
    """A loaded model with the engine that samples it, which its identity names.

    Args:
        local: the model.
        wanted: as a study names it.
        folder: of its files.
        four_bit: whether its weights are in NF4.
        compute: as in `completion.load`.

    Raises:
        RunError: not even the kit's own engine can sample.
    """
    engine: SamplingEngine
    if wanted == "own" or (wanted == "auto" and device() == "cpu"):
        engine = OwnEngine()
    elif wanted == "transformers":
        engine = TransformersEngine()
    else:
        engine = VllmEngine(
            ServedModel(
                folder,
                str(compute_dtype(compute)).removeprefix("torch."),
                four_bit,
                _positions(local),
            )
        )
        if wanted == "auto":
            engine = _fastest(local, engine)
    # Not where it is the kit's own: what the ledger has already keeps its name.
    mark = "" if engine.name == OwnEngine.name else f"@{engine.name}"
    return replace(local, engine=engine, identity=f"{local.identity}{mark}")


def _positions(local: LocalModel) -> int:
    """Tokens that the model's positions reach; of a model without any, enough."""
    config = local.model.config.get_text_config()
    return getattr(config, "max_position_embeddings", 1 << 15)


def _fastest(local: LocalModel, vllm: VllmEngine) -> SamplingEngine:
    """The engine with which a filter is over first, as it was first measured."""
    engines: dict[str, SamplingEngine] = {"own": OwnEngine()}
    engines["transformers"] = TransformersEngine()
    if vllm_program():
        engines["vllm"] = vllm
    rates = engine_rates(local, list(engines.values()))
    name = min(rates, key=lambda each: rates[each].seconds)
    shown = ", ".join(f"{each} {rate.tokens:.0f}" for each, rate in rates.items())
    print_status(f"{local.name} is sampled by engine {name} (tokens/s: {shown})")
    return engines[name]


def engine_rates(
    local: LocalModel, engines: Sequence[SamplingEngine]
) -> dict[str, EngineRate]:
    """The rates of a model's engines here, as they were first measured, by name.

    An engine that fails is left out, until the versions change.

    Raises:
        RunError: the kit's own fails.
    """
    kind = _kind(local, [engine.name for engine in engines])
    file = cache_folder().parent / f"engine_rates_{digest_json(kind)}.json"
    try:
        known = json.loads(file.read_text())["rates"]
        return {name: EngineRate(**rate) for name, rate in known.items()}
    except (OSError, ValueError, KeyError, TypeError):
        rates = dict(_measured(local, engines))
    known = {name: rate._asdict() for name, rate in rates.items()}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, json.dumps({"rates": known, **kind}, indent=1))
    except (OSError, RunError):
        pass  # nowhere to remember it: the next process measures again
    return rates


def _measured(
    local: LocalModel, engines: Sequence[SamplingEngine]
) -> Iterator[tuple[str, EngineRate]]:
    for engine in engines:
        print_status(f"measuring how fast engine {engine.name} samples {local.name}")
        try:
            yield engine.name, measure_engine(local, engine)
        except Exception as error:
            if engine.name == OwnEngine.name:
                raise
            # Whatever another release of a library raises: it is out of the race.
            print_status(f"engine {engine.name} cannot: {error}")
        finally:
            engine.close()


def measure_engine(local: LocalModel, engine: SamplingEngine) -> EngineRate:
    """Draw a few samples to warm up, then some more against the clock."""
    prompts = [
        local.render("Explain in a few sentences.", f"What is {n} times {n + 1}?")
        for n in range(_QUESTIONS)
    ]
    asked = [
        SampleRequest(prompt, index, _SAMPLES * place + index)
        for place, prompt in enumerate(prompts)
        for index in range(_SAMPLES)
    ]
    few, _ = _timed(local, engine, asked[:_SAMPLES])
    seconds, tokens = _timed(local, engine, asked)
    return EngineRate(few, tokens / seconds)


def _timed(
    local: LocalModel, engine: SamplingEngine, asked: Sequence[SampleRequest]
) -> tuple[float, int]:
    """Seconds of a draw, and its tokens."""
    began = time.perf_counter()
    tokens = sum(sample.tokens for _, sample in engine.stream(local, asked, _SAMPLING))
    return time.perf_counter() - began, tokens


def _kind(local: LocalModel, engines: Sequence[str]) -> dict[str, Any]:
    """What the rates may depend on, the same in every process."""
    import torch

    card = torch.cuda.get_device_name() if device() == "cuda" else "cpu"
    found: dict[str, Any] = {"card": card, "model": local.identity}
    found["versions"] = {name: version(name) for name in ("torch", "transformers")}
    if "vllm" in engines and (program := vllm_program()):
        found["vllm"] = [program, Path(program).stat().st_mtime_ns]
    return found
