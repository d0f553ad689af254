"""Open a model by its name: on this machine, behind a URL, or in a recording.

Everything above opens its models here, so this is the one place where a model is
exchanged for a recorded one if the process replays a ledger: `ReplayedModel` or
`ReplayedEndpoint`. Only `draw` and the recording of training runs treat them otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from phi_kit.cache import recordings
from phi_kit.core.endpoint_url import is_endpoint, parse_endpoint
from phi_kit.core.errors import PhiKitError
from phi_kit.core.params import Compute, EndpointSettings, EngineName, StepParams
from phi_kit.core.paths import ledger_address, spending_folder
from phi_kit.core.replay_mode import replayed_ledger
from phi_kit.core.sample_counts import UNANSWERED
from phi_kit.models import catalog
from phi_kit.models.loading import load_tokenizer
from phi_kit.models.model_dir import identity

from . import replay
from .draw import draw
from .endpoint.client import Endpoint
from .local.engine_choice import require_engine
from .local.model import LocalModel
from .local.origin import ModelOrigin
from .pooled_model import PooledModel
from .types import Sampler, SamplingParams

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def is_replay() -> bool:
    """Whether recorded models stand in for live ones."""
    return bool(replayed_ledger())


@dataclass(frozen=True)
class TokenCounter:
    """A model's name and its tokenizer: enough to count what a response takes."""

    name: str
    tokenizer: PreTrainedTokenizerBase


@lru_cache(maxsize=1)
def load(
    name: str,
    *,
    four_bit: bool = True,
    compute: Compute = "auto",
    engine: EngineName = "own",
    workers: int = 1,
) -> LocalModel | Endpoint:
    """Load a model and its tokenizer; the same name gives the same object again.

    One model is kept: a notebook's example and its step share it, and another
    name lets the first one go.

    Args:
        name: a catalogue name, a Hugging Face id, a local folder or an
            endpoint, which only samples and of which nothing is loaded.
        four_bit: NF4 weights; else the compute dtype's.
        compute: `float32` to compute in nothing else; a replay repeats what was
            recorded.
        engine: what samples it; `auto` measures on a GPU, once for a card and a model.
        workers: that sample it, each with an engine of its own; they are processes
            of Ray where there are several.

    Raises:
        ModelError: it cannot be found, is no causal language model with a chat
            template, or the engine is not installed.
        RunError: a replay has no record of it, the ledger fails, or workers do not
            start.
    """
    if is_endpoint(name):
        return _endpoint(name)
    if is_replay():
        return replay.load_recorded(name, four_bit=four_bit)
    origin = ModelOrigin(name, four_bit, compute, engine)
    local = origin.load() if workers == 1 else PooledModel(origin, workers)
    if ledger_address():
        recordings.record_model(name, local.identity, local.stop_ids, origin.folder)
    return local


def require_sampler(params: StepParams) -> None:
    """Refuse at once an engine that this machine does not have.

    Args:
        params: of a step that is going to run; nothing is loaded.

    Raises:
        ModelError: it says what to install or set.
    """
    if not is_endpoint(params.model) and not is_replay():
        require_engine(params.engine)


def open_sampler(
    params: StepParams, name: str = "", *, workers: int | None = None
) -> LocalModel | Endpoint:
    """The model of a step, or another one; an endpoint within the study's limits.

    Args:
        params: of the step.
        name: of the other model.
        workers: in place of the study's.

    Raises:
        ModelError: as `load` does.
    """
    name = name or params.model
    if is_endpoint(name):
        return _endpoint(name, params.endpoint, spending_folder(params.study))
    return load(
        name,
        compute=params.compute,
        engine=params.engine,
        workers=params.workers if workers is None else workers,
    )


def token_counter(params: StepParams) -> TokenCounter | Sampler:
    """The model of a step where nobody asks it: without its weights, if it has any.

    Args:
        params: of the step.

    Raises:
        ModelError: as `load` does.
    """
    name = params.model
    if is_endpoint(name) or is_replay():  # neither holds weights
        return open_sampler(params)
    return TokenCounter(name, load_tokenizer(name, catalog.resolve(name)))


def judge_function(name: str, params: StepParams) -> Callable[[str], str]:
    """A function from a prompt to a judge's reply; the step's study pays for it."""
    folder = spending_folder(params.study)
    return completion_function(
        name, settings=params.endpoint, folder=folder, compute=params.compute
    )


@lru_cache(maxsize=4)  # the same judge again is the one that is loaded
def completion_function(
    name: str,
    *,
    settings: EndpointSettings | None = None,
    folder: Path | None = None,
    max_tokens: int = 512,
    compute: Compute = "auto",
) -> Callable[[str], str]:
    """A function from a prompt to a model's greedy reply, as a judge needs it.

    Args:
        name: of the model, local or behind a URL; loaded at the first prompt.
        settings: of the endpoint.
        folder: of the study, which pays.
        max_tokens: of a reply; a longer one is truncated.
        compute: as in `load`.

    Returns:
        The function. A prompt that the model is not allowed to answer gets an
        empty reply.
    """

    @cache
    def sampler() -> Sampler:
        if is_endpoint(name):
            return _endpoint(name, settings or EndpointSettings(), folder)
        # Past the cache of one: the judge must not push the student out.
        return load.__wrapped__(name, compute=compute)

    def reply(prompt: str) -> str:
        model = sampler()
        greedy = SamplingParams(max_tokens, temperature=0)
        ((sample,),) = draw(model, [model.render("", prompt)], greedy, label="judge")
        return "" if sample.finish in UNANSWERED else sample.text

    return reply


def model_fingerprint(name: str) -> str:
    """A model's part of a step's fingerprint, without asking any server.

    Returns:
        `identity` of a model on this machine, fetched first if need be; of an
        endpoint its address, for it does not show its weights: serve others
        under another name.

    Raises:
        ModelError: as `catalog.resolve` does.
        StudyError: the endpoint's name cannot be read.
        RunError: a replay has no record of it.
    """
    if is_endpoint(name):
        return str(parse_endpoint(name))
    if is_replay():
        return recordings.recorded_model(name).weights
    return identity(catalog.resolve(name))


def folder_at_hand(name: str) -> Path | None:
    """A model's folder if it is on this machine or recorded; never fetches.

    Whoever needs the model itself says what is wrong with its name.
    """
    if is_endpoint(name):
        return None
    try:
        if is_replay():
            return recordings.recorded_folder(name)
        return catalog.local_folder(name)
    except PhiKitError:
        return None


def _endpoint(
    name: str, settings: EndpointSettings | None = None, folder: Path | None = None
) -> Endpoint:
    kind = replay.ReplayedEndpoint if is_replay() else Endpoint
    return kind(name, settings or EndpointSettings(), folder)
