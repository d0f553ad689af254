"""The budget of a study: what it has spent at endpoints, and what it may spend.

Every reply is one line of `runs/<study>/spent.jsonl`, written when it arrives, so
that a budget holds for the study: over all steps, runs and processes. The highest
possible cost of a request is reserved before it is sent. What a provider bills for
cancelled requests is not known here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from phi_kit.core.errors import disk_errors
from phi_kit.core.params import EndpointSettings
from phi_kit.core.paths import SPENDING_LOG

FILE = SPENDING_LOG


@dataclass
class Amount:
    """Tokens and money."""

    tokens: int = 0
    cost: float = 0.0

    def add(self, other: Amount, sign: int = 1) -> None:
        """Add another amount, or subtract it with a sign of -1."""
        self.tokens += sign * other.tokens
        self.cost += sign * other.cost


class Budget:
    """The budget of one study, or of one notebook without a study.

    Args:
        model: name of the model, for the file.
        settings: prices and budgets.
        file: of the lines, read and written; amounts are only counted without it.
    """

    def __init__(self, model: str, settings: EndpointSettings, file: Path | None):
        self.model, self.settings, self.file = model, settings, file
        self.spent, self.reserved = Amount(), Amount()
        self._read_bytes = 0  # of the file, already counted
        self._read_new_lines()

    def price(self, tokens_in: int, tokens_out: int) -> float | None:
        """The cost of these tokens, or `None` where a price is not known."""
        prices = self.settings.price_in, self.settings.price_out
        if None in prices:
            return None
        return (tokens_in * prices[0] + tokens_out * prices[1]) / 1e6

    def max_amount(self, prompt: str, max_tokens: int) -> Amount:
        """The highest amount that a request can use.

        A token is at least one byte (byte-level BPE); the template's own tokens are
        covered by the prompt's JSON around the text.
        """
        tokens_in = len(prompt.encode())
        cost = self.price(tokens_in, max_tokens) or 0.0
        return Amount(tokens_in + max_tokens, cost)

    def fits(self, amount: Amount) -> bool:
        """Whether the amount can be spent beside what is spent and reserved."""
        tokens = self.spent.tokens + self.reserved.tokens + amount.tokens
        cost = self.spent.cost + self.reserved.cost + amount.cost
        limits = self.settings
        return (limits.budget_tokens is None or tokens <= limits.budget_tokens) and (
            limits.budget_cost is None or cost <= limits.budget_cost
        )

    @contextmanager
    def reserve(self, amount: Amount) -> Iterator[None]:
        """Reserve an amount while a request is under way."""
        self.reserved.add(amount)
        try:
            yield
        finally:
            self.reserved.add(amount, -1)

    def record(
        self, tokens_in: int, tokens_out: int, *, counted: bool = True
    ) -> float | None:
        """Count a reply; returns its cost, if its tokens were counted."""
        cost = self.price(tokens_in, tokens_out) if counted else None
        if self.file is None:
            self.spent.add(Amount(tokens_in + tokens_out, cost or 0.0))
            return cost
        row = {"model": self.model, "in": tokens_in, "out": tokens_out, "cost": cost}
        with disk_errors(self.file):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            # One short write at the end of the file: processes do not mix lines.
            with self.file.open("ab", buffering=0) as file:
                file.write(f"{json.dumps(row)}\n".encode())
        self._read_new_lines()
        return cost

    def _read_new_lines(self) -> None:
        """Count new lines of the file, from any process."""
        if self.file is None or not self.file.is_file():
            return
        with self.file.open("rb") as file:
            file.seek(self._read_bytes)
            new = file.read()
        lines = new[: new.rfind(b"\n") + 1]  # a last line may still be coming
        self._read_bytes += len(lines)
        for line in lines.splitlines():
            try:
                row = json.loads(line)
                tokens = int(row["in"]) + int(row["out"])
                amount = Amount(tokens, float(row["cost"] or 0.0))
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                continue  # incomplete after a kill
            self.spent.add(amount)

    def __str__(self) -> str:
        cost = f", {self.spent.cost:.4g} of money" if self.spent.cost else ""
        return f"{self.spent.tokens} tokens{cost} spent"
