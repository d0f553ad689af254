"""Rewards for reinforcement learning: what the domains' verifiers say, as numbers.

Phi-4-reasoning-plus is trained further on answers that a verifier rewards
(arXiv 2504.21318, section 4). `of` gives the function that TRL's `GRPOTrainer` asks
for, `prompts_of` the data set that goes with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from phi_kit import domains
from phi_kit.core.answer_style import Style
from phi_kit.data.records import Seed
from phi_kit.domains.base import Domain

if TYPE_CHECKING:
    from datasets import Dataset

# A text, or the messages of a turn as TRL hands them on.
Said = str | Sequence[dict[str, str]]


class VerifierReward:
    """1 for a right completion, 0 for a wrong one, `None` where nobody can tell.

    TRL leaves a `None` out of a completion's reward: a gold that cannot be read
    punishes nobody.

    Args:
        domain: whose verifier judges.
    """

    def __init__(self, domain: Domain):
        self.domain = domain
        self.__name__ = f"{domain.name}_verifier"  # what TRL logs it as

    def __call__(
        self,
        prompts: Sequence[Said],
        completions: Sequence[Said],
        *,
        answer: Sequence[str],
        extra: Sequence[str] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """The reward of each completion.

        Args:
            prompts: what was asked, as text or messages.
            completions: what was said, likewise.
            answer: the golds.
            extra: what the verifier needs besides, as JSON; see `Seed.extra`.
            columns: further columns of the data set, and what TRL adds; not looked at.

        Raises:
            ValueError: there are not as many golds as completions.
        """
        extras = extra or ["{}"] * len(completions)
        rewards = []
        for asked, said, gold, facts in zip(
            prompts, completions, answer, extras, strict=True
        ):
            seed = Seed(self.domain.name, _text(asked), str(gold), extra=facts or "{}")
            verdict = self.domain.verifier(seed, _text(said))
            rewards.append({"right": 1.0, "wrong": 0.0}.get(verdict.value))
        return rewards


def of(domain: str | Domain) -> VerifierReward:
    """The reward function of a domain, for `GRPOTrainer(reward_funcs=...)`.

    Args:
        domain: its name, or the domain itself where a study defines it.

    Raises:
        StudyError: there is no such domain.
    """
    return VerifierReward(domains.get(domain) if isinstance(domain, str) else domain)


def prompts_of(
    seeds: Iterable[Seed], domain: str | Domain, *, style: Style = "steps"
) -> Dataset:
    """Seeds as the data set that `GRPOTrainer` reads, asked in a style.

    Args:
        seeds: a frozen set's, or a pool's.
        domain: their domain.
        style: in which the model is asked.

    Returns:
        Columns `prompt` (messages), `answer`, `extra`.
    """
    from datasets import Dataset

    asks = (domains.get(domain) if isinstance(domain, str) else domain).in_style(style)
    rows = [
        {
            "prompt": [
                {"role": "system", "content": asks.instruction},
                {"role": "user", "content": seed.prompt},
            ],
            "answer": seed.answer,
            "extra": json.dumps(seed.facts),
        }
        for seed in seeds
    ]
    return Dataset.from_list(rows)


def _text(said: Said) -> str:
    """The last message's content, or the text itself."""
    return said if isinstance(said, str) else str(said[-1]["content"])
