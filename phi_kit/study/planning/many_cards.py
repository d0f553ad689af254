"""What work of the report's size takes on many cards, by measured rates.

A card's time shrinks with the number of cards; what one process does for all of them
does not: the draw hands out every sample and writes it into the ledger, and every
optimiser step exchanges the adapter's gradients. docs/scale.md has the figures.
"""

from __future__ import annotations

from typing import NamedTuple

BYTES_PER_GRADIENT = 4  # float32


class SamplingWork(NamedTuple):
    """Samples to draw.

    Attributes:
        samples: in all.
        tokens: of one, on average.
        rate: tokens per second of a card (or a worker's processors).
        driver_seconds: of the process that draws, for each sample.
        unit: samples that are handed out together.
    """

    samples: float
    tokens: float
    rate: float
    driver_seconds: float
    unit: int

    def seconds(self, cards: int) -> float:
        """Time on so many cards, the slower of cards and driver.

        The last units do not end together: one unit's time is added, at most.
        """
        computed = self.samples * self.tokens / (self.rate * cards)
        tail = min(self.unit, self.samples) * self.tokens / self.rate
        return max(computed + tail * (cards > 1), self.samples * self.driver_seconds)

    @property
    def most_cards(self) -> float:
        """Cards beyond which the driver, and no card, decides how long it takes."""
        return self.tokens / (self.rate * self.driver_seconds)


class TrainingWork(NamedTuple):
    """Tokens to train on.

    Attributes:
        tokens: in all, repeats included.
        step_tokens: of one optimiser step, over all cards.
        rate: tokens per second of a card.
        trained_weights: of the adapter.
        link: bytes per second that each card sends to the next, and receives.
    """

    tokens: float
    step_tokens: float
    rate: float
    trained_weights: float
    link: float

    def seconds(self, cards: int) -> float:
        """Time on so many cards; gradients go around in a ring after every step.

        Each card sends 2 (n - 1) / n times the gradients (Patarasuk and Yuan 2009,
        https://doi.org/10.1016/j.jpdc.2008.09.002); nothing of it overlaps with
        computing.
        """
        steps = self.tokens / self.step_tokens
        gradients = BYTES_PER_GRADIENT * self.trained_weights
        exchange = 2 * (cards - 1) / cards * gradients / self.link
        return self.tokens / (self.rate * cards) + steps * exchange
