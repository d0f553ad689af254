"""Items made on the spot: offline, endless, with their answers.

A family is made by a reasoning-gym task or by a function of a generator.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from phi_kit.core.answer_style import Style
from phi_kit.core.rng import label_seed, rng

from .records import Seed

if TYPE_CHECKING:
    import numpy as np

# One item: its prompt, its answer, and what the verifier needs besides (`extra`).
GeneratedItem = tuple[str, str, Mapping[str, Any]]
ItemFunction = Callable[["np.random.Generator"], GeneratedItem]
# A family's own stream: a seed and a split in, the items of that split out. It may
# end, and its splits must share nothing; it is for items drawn from a fixed store.
ItemStream = Callable[[int, str], Iterator["Seed"]]


@dataclass(frozen=True)
class Family:
    """One kind of item at one difficulty.

    Args:
        name: how a study file names it.
        level: difficulty inside the domain, 1 the easiest.
        task: a reasoning-gym task's name, or a function that makes one item
            from a generator; the same draws must make the same item.
        config: settings of the reasoning-gym task.
        facts: keys of a reasoning-gym item's metadata that transforms need.
        entry: whether `extra` keeps the whole reasoning-gym item, as
            `{"task", "entry"}`, for a verifier that calls the task's scorer.
        stream: the family's own items by seed and split, in place of `task`.
        size: says how many items a stream can give in all, where it has an end.
        balance: no answer stands in more than one of so many items, so that one
            constant answer earns no more than that; 0 leaves them as they come.
        valid: whether an item may be made; it says so of items whose gold is found
            again by other means. Without it every item is.
        demands: what its prompts say to get nothing but an answer, and what they say
            instead where steps are asked for.
        style: the form of the answers that its prompts ask for; `answer` leaves the
            prompts as they come.
        usual: whether it is in when a study names no families.
    """

    name: str
    level: int
    task: str | ItemFunction = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    facts: tuple[str, ...] = ()
    entry: bool = False
    stream: ItemStream | None = None
    size: Callable[[], int] | None = None
    balance: int = 0
    valid: Callable[[Seed], bool] | None = None
    demands: Mapping[str, str] = field(default_factory=dict)
    style: Style = "answer"
    usual: bool = True

    def worded(self, prompt: str) -> str:
        """A prompt in the family's style."""
        for demand, instead in self.demands.items() if self.style != "answer" else ():
            prompt = prompt.replace(demand, instead)
        return prompt


# A family has run out when so many draws in a row brought no item that is valid, or
# whose answer there is still room for (kit default).
_MAX_MISSES = 2_000


def generate_items(
    domain: str, family: Family, *, rng_seed: int, split: str
) -> Iterator[Seed]:
    """Items of a family, the same for the same seed and split; only streams end.

    Splits are named by hashed labels: neighbouring reasoning-gym seeds share
    items (42 and 43 share 496 of 497). Small families do repeat themselves;
    whoever draws removes duplicates. A balanced family repeats nothing, and ends
    where its rarer answers do.
    """
    drawn = _items(domain, family, rng_seed=rng_seed, split=split)
    if family.valid:
        drawn = _valid_items(drawn, family.valid)
    return _balance_answers(drawn, family.balance) if family.balance else drawn


def _valid_items(
    drawn: Iterator[Seed], valid: Callable[[Seed], bool]
) -> Iterator[Seed]:
    missed = 0
    for seed in drawn:
        if valid(seed):
            missed = 0
            yield seed
        elif (missed := missed + 1) == _MAX_MISSES:
            return


def _balance_answers(drawn: Iterator[Seed], parts: int) -> Iterator[Seed]:
    """The items of a stream, each once, that keep every answer to its share."""
    prompts: set[str] = set()
    answers: Counter[str] = Counter()
    missed = 0
    for seed in drawn:
        room = -(-(len(prompts) + 1) // parts)
        if answers[seed.answer] < room and seed.prompt not in prompts:
            prompts.add(seed.prompt)
            answers[seed.answer] += 1
            missed = 0
            yield seed
        elif (missed := missed + 1) == _MAX_MISSES:
            return


def _items(domain: str, family: Family, *, rng_seed: int, split: str) -> Iterator[Seed]:
    if family.stream:
        for seed in family.stream(rng_seed, split):
            yield replace(
                seed,
                prompt=family.worded(seed.prompt),
                family=family.name,
                level=family.level,
            )
        return
    labels = ("items", domain, family.name, split)
    if isinstance(family.task, str):
        drawn = _gym_items(family.task, family, start=label_seed(rng_seed, *labels))
        source = f"reasoning-gym/{family.task}"
    else:
        drawn = _function_items(family.task, rng_seed, *labels)
        source = f"phi-kit/{domain}/{family.name}"
    for prompt, answer, extra in drawn:
        yield Seed(
            domain=domain,
            prompt=family.worded(prompt),
            answer=answer,
            family=family.name,
            level=family.level,
            source=source,
            licence="Apache-2.0",
            extra=json.dumps(extra, default=str),
        )


def _function_items(
    make: ItemFunction, rng_seed: int, *labels: str
) -> Iterator[GeneratedItem]:
    # A generator of its own per item: an item that draws more shifts no other.
    for index in itertools.count():
        yield make(rng(rng_seed, *labels, index))


# Some tasks build a list as long as their size (gsm_symbolic), others allow only
# small ones (word_ladder): items come in blocks, each with a hashed seed.
_BLOCKS = (10_000, 500)
# These seed numpy with `seed + index`, which takes 32 bits.
_NUMPY = {"pool_matrix"}


def _gym_items(task: str, family: Family, *, start: int) -> Iterator[GeneratedItem]:
    for block in itertools.count():
        seed = label_seed(start, "block", block) if block else start
        if task in _NUMPY:
            seed %= 2**31
        entries = gym_block(task, family.config, seed=seed)
        for index in range(len(entries)):
            entry = entries[index]
            facts = {key: entry["metadata"][key] for key in family.facts}
            if family.entry:
                facts |= {"task": task, "entry": entry}
            yield entry["question"].strip(), str(entry["answer"]), facts


def gym_block(task: str, config: Mapping[str, Any], *, seed: int) -> Any:
    """A reasoning-gym task with as many items as it allows at once.

    Raises:
        TypeError, AssertionError, ValueError: what the task says of a config
            it refuses.
    """
    import reasoning_gym

    if "size" in config:  # chosen by whoever knows the task
        return reasoning_gym.create_dataset(task, seed=seed, **config)
    for size in _BLOCKS[:-1]:
        try:
            return reasoning_gym.create_dataset(task, seed=seed, size=size, **config)
        except ValueError:
            continue
    return reasoning_gym.create_dataset(task, seed=seed, size=_BLOCKS[-1], **config)
