"""What guessing gives: the accuracy of whoever never reads the question.

A guesser knows an item's family and nothing else. It always says the family's most
frequent answer, counted on items that are never held out; where an item has options
it may pick one at random instead, whichever did better on those items. A model that
scores no higher has shown that it knows the *form* of an answer, not that it can
solve the task. Step 1 chooses the guesses, every later step reads them from its card.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from phi_kit.core.errors import DataError
from phi_kit.data.choice_options import read_options
from phi_kit.data.generators import generate_items
from phi_kit.data.records import Seed, normalise_prompt
from phi_kit.domains.base import Domain, Family
from phi_kit.stats.intervals import accuracy

if TYPE_CHECKING:
    from phi_kit.core.finished_run import RunFolder

LOPSIDED_PARTS = 3  # an answer in more than one row of three is worth a warning
LOPSIDED_ROWS = 6  # rows of a group below which that may be chance
ITEMS_PER_FAMILY = 300  # training items that a guess is chosen on (kit default)


@dataclass(frozen=True)
class Guess:
    """What a guesser says to one family's items.

    Args:
        family: whose items.
        answer: the constant; empty where no answer is right twice.
        share: of the training items that have this answer.
        chance: mean accuracy of picking an option at random; 0 without options.
        n: training items it was chosen on.
    """

    family: str
    answer: str
    share: float
    chance: float
    n: int

    @property
    def picks(self) -> bool:
        """Whether an option at random does at least as well as the constant."""
        return self.chance > 0 and self.chance >= self.share


@dataclass(frozen=True)
class Guesser:
    """The guesses of a domain's families.

    Args:
        guesses: by family.
        verifier: of the domain; a constant is checked as any response is.
    """

    guesses: Mapping[str, Guess]
    verifier: Callable[[Seed, str], Any]

    def per_item(self, seeds: Sequence[Seed]) -> list[float]:
        """The accuracy of guessing on each item: 0, 1, or one over its options."""
        return [self._on(seed) for seed in seeds]

    def _on(self, seed: Seed) -> float:
        guess = self.guesses.get(seed.family)
        if guess is None:
            return 0.0
        if guess.picks:
            return _random_option_accuracy(seed)
        return float(bool(guess.answer) and self.verifier(seed, guess.answer).right)

    def card(self, dev: Sequence[Seed], *, rng_seed: int) -> dict[str, Any]:
        """What step 1's manifest keeps: each guess, and all of them on dev."""
        return {
            "families": [asdict(guess) for guess in self.guesses.values()],
            "overall": accuracy(self.per_item(dev), rng_seed=rng_seed).as_dict(),
        }


def choose_guesses(
    domain: Domain,
    families: Iterable[Family],
    *,
    held_out: Iterable[Seed],
    rng_seed: int,
) -> Guesser:
    """The best guess of each family, chosen on items that may be trained on.

    Args:
        domain: whose verifier checks a guess.
        families: the ones that are measured.
        held_out: items that a guess may not be chosen on.
        rng_seed: the study's.
    """
    closed = {normalise_prompt(seed.prompt) for seed in held_out}
    found = {}
    for family in families:
        stream = generate_items(domain.name, family, rng_seed=rng_seed, split="train")
        found[family.name] = best_guess(family.name, _open(stream, closed))
    return Guesser(found, domain.verifier)


def _open(stream: Iterator[Seed], closed: set[str]) -> list[Seed]:
    drawn = itertools.islice(stream, ITEMS_PER_FAMILY)
    return [
        seed
        for seed in drawn
        if seed.answer and normalise_prompt(seed.prompt) not in closed
    ]


def best_guess(family: str, seeds: Sequence[Seed]) -> Guess:
    """The guess that these items suggest; the first seen wins a tie."""
    answer, count = most_common_answer(seed.answer for seed in seeds)
    n = len(seeds)
    if count < 2:
        answer, count = "", 0
    chance = sum(map(_random_option_accuracy, seeds)) / n if n else 0.0
    return Guess(family, answer, count / n if n else 0.0, round(chance, 4), n)


def most_common_answer(answers: Iterable[str]) -> tuple[str, int]:
    """The most frequent answer and how often it stands there; `("", 0)` of none."""
    found = Counter(answers).most_common(1)
    return found[0] if found else ("", 0)


def lopsided_answers(answers: Iterable[tuple[str, str]]) -> str:
    """Which answers hold more than a third of their group, in words; else nothing.

    Args:
        answers: group (a family, a mix) and answer of every row.
    """
    groups: dict[str, list[str]] = {}
    for group, answer in answers:
        groups.setdefault(group, []).append(answer)
    found = []
    for group, given in groups.items():
        answer, count = most_common_answer(given)
        if count > len(given) / LOPSIDED_PARTS and len(given) >= LOPSIDED_ROWS:
            shown = answer if len(answer) <= 40 else f"{answer[:37]}..."
            found.append(f"{group}: {count} of {len(given)} are {shown!r}")
    if not found:
        return ""
    return (
        f"One answer holds more than a third of {'; '.join(found)}. Whoever always "
        "says so is right that often: compare with the dotted lines of the figures."
    )


def random_option_accuracies(seeds: Sequence[Seed]) -> list[float]:
    """What picking an option at random gives on each item; 0 where it has none."""
    return [_random_option_accuracy(seed) for seed in seeds]


def _random_option_accuracy(seed: Seed) -> float:
    given = seed.facts.get("choices") if "choices" in seed.extra else None
    known = read_options(given) if given else {}
    return 1 / len(known) if known else 0.0


def guesser_of_card(card: RunFolder, domain: Domain) -> Guesser:
    """The guesses that step 1 chose.

    Raises:
        DataError: that step was run by an older kit, which chose none.
    """
    try:
        kept = card.result["guessing"]["families"]
        found = {one["family"]: Guess(**one) for one in kept}
    except (KeyError, TypeError) as error:
        raise DataError(
            "step 1 does not say what guessing gives: an older phi_kit ran it",
            where=str(card.path),
            todo="run the study again from there: --from pick_domain --redo",
        ) from error
    return Guesser(found, domain.verifier)
