"""Why a response may not be trained on.

Every candidate gets one reason, the first that applies in the order of `REASONS`; a
response that has none may be trained on. A response may be right and yet teach a model
to loop, to change its language, or to stop in the middle.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from phi_kit.core.sample_counts import UNANSWERED
from phi_kit.data.records import Seed, normalise_prompt
from phi_kit.data.verdict import Verdict
from phi_kit.evaluation.ask import BYTES_PER_TOKEN
from phi_kit.models.chat_template import control_token_ids, turn_framing
from phi_kit.models.control_tokens import FAMILIES
from phi_kit.training.encoding import completion_after
from phi_kit.training.row_checks import SealLookup
from phi_kit.verifiers.worked_steps import first_false_step

from . import text_faults
from .from_gold import GOLD
from .language_switch import language_switch
from .response import Response
from .written_style import as_written, style_fault

if TYPE_CHECKING:
    import pandas as pd

    from phi_kit.domains.base import Domain
    from phi_kit.inference.types import Sampler

NO_REPLY, TRUNCATED, EMPTY = "no reply", "truncated", "empty"
CONTROL, LOOP, LANGUAGE = "control token", "loop", "language switch"
GRADER, WRONG, UNKNOWN = "speaks to a grader", "wrong", "cannot tell"
STYLE, TOO_LONG, FALSE_STEP = "not in style", "too long", "false step"
HINT, SEALED = "tells of the hint", "holds a sealed item"
# In the order in which they are looked for.
REASONS = (
    *(NO_REPLY, TRUNCATED, EMPTY, CONTROL, LOOP, LANGUAGE, GRADER),
    *(WRONG, UNKNOWN, STYLE, TOO_LONG, FALSE_STEP, HINT, SEALED),
)


MORE = "it says more than the answer"
HINTED = "hinted"  # the source whose responses were given the gold


class CheckedResponse(NamedTuple):
    """A response that was looked at.

    Attributes:
        response: as its source offered it.
        text: as a row would teach it: in the study's style.
        tokens: of the text and the end of the turn, as the student counts them.
        verdict: what the verifier says of the text.
        reason: why it may not be trained on, one of `REASONS`; empty if it may.
        detail: what was found, in a few words.
    """

    response: Response
    text: str
    tokens: int
    verdict: Verdict
    reason: str
    detail: str

    @property
    def usable(self) -> bool:
        """Whether it may be trained on."""
        return not self.reason


@dataclass(frozen=True)
class ResponseChecks:
    """The checks on responses to the seeds of one domain.

    Args:
        domain: whose verifier and style they are.
        student: who is to learn from them; its tokenizer counts, if it shows one.
        max_tokens: of a response, the end of its turn included; `None` for no limit.
            The gold alone is never too long.
        judged: verdicts that are known already, by seed and text.
        sealed: tells what a text has in common with a held-out item; a seal's `hit`.
    """

    domain: Domain
    student: Sampler
    max_tokens: int | None = None
    judged: Mapping[tuple[str, str], Verdict] = field(default_factory=dict)
    sealed: SealLookup | None = None
    _seen: dict[tuple[str, Response], CheckedResponse] = field(default_factory=dict)

    def __call__(self, seed: Seed, response: Response) -> CheckedResponse:
        """Look at a response; the same one again costs nothing."""
        key = (seed.id, response)
        if key not in self._seen:
            self._seen[key] = self._candidate(seed, response)
        return self._seen[key]

    def usable(self, seed: Seed, response: Response) -> bool:
        """Whether a response may be trained on."""
        return self(seed, response).usable

    def tokens(self, text: str) -> int:
        """Tokens that the loss would see of a text, as `evaluation.ask` counts them."""
        if self._tokenizer is None:
            return -(-len(text.encode()) // BYTES_PER_TOKEN)
        framing = turn_framing(self._tokenizer, thinking=self.domain.thinking)
        said = completion_after(framing, text)
        return len(self._tokenizer(said, add_special_tokens=False).input_ids) + 1

    def fits(self, tokens: int) -> bool:
        """Whether so many tokens are within the limit."""
        return self.max_tokens is None or tokens <= self.max_tokens

    @cached_property
    def controls(self) -> tuple[str, ...]:
        """Texts of the control tokens of the student and of the known families."""
        own: set[str] = set()
        if self._tokenizer is not None:
            ids = sorted(control_token_ids(self._tokenizer))
            own = set(self._tokenizer.convert_ids_to_tokens(ids))
        return tuple(sorted(own | set(FAMILIES)))

    @property
    def _tokenizer(self) -> Any:
        return getattr(self.student, "tokenizer", None)

    def _candidate(self, seed: Seed, response: Response) -> CheckedResponse:
        text = as_written(response.text, self.domain.style)
        verdict = self._verdict(seed, response, text)
        tokens = self.tokens(text)
        reason, detail = self._fault(seed, response, text, verdict, tokens)
        return CheckedResponse(response, text, tokens, verdict, reason, detail)

    def _verdict(self, seed: Seed, response: Response, text: str) -> Verdict:
        if response.finish in UNANSWERED:
            return Verdict("unknown", UNANSWERED[response.finish])
        known = self.judged.get((seed.id, text))
        return known or self.domain.verifier(seed, text)

    def _fault(
        self, seed: Seed, response: Response, text: str, verdict: Verdict, tokens: int
    ) -> tuple[str, str]:
        """The first reason that applies and what was found; two empty texts if none."""
        if response.finish in UNANSWERED:
            return NO_REPLY, UNANSWERED[response.finish]
        if response.finish != "stop":
            return TRUNCATED, f"it ended with {response.finish}"
        if not text.strip():
            return EMPTY, ""
        if found := text_faults.control_token(text, self.controls):
            return CONTROL, found
        if found := text_faults.loop(text, self._tokenizer):
            return LOOP, found
        if found := language_switch(text, seed.prompt, seed.answer):
            return LANGUAGE, found
        if found := text_faults.grader_address(text, seed.prompt):
            return GRADER, found
        if not verdict.right:
            return WRONG if verdict.value == "wrong" else UNKNOWN, verdict.reason
        if found := self._style_fault(seed, text, verdict):
            return STYLE, found
        if not self.fits(tokens) and response.source != GOLD:
            return TOO_LONG, f"{tokens} tokens"
        if found := first_false_step(text, prompt=seed.prompt):
            return FALSE_STEP, found
        if response.source == HINTED and (found := text_faults.hint(text)):
            return HINT, found
        # The gate would refuse the whole training run for it.
        if self.sealed and (hit := self.sealed(text)):
            return SEALED, str(hit)
        return "", ""

    def _style_fault(self, seed: Seed, text: str, verdict: Verdict) -> str:
        free = "refusal" in self.domain.checker or self.domain.checker == "judge"
        fault = style_fault(text, self.domain.style, gold=seed.answer, free=free)
        if fault or self.domain.style != "answer" or free:
            return fault
        return "" if is_bare(text, seed.answer, verdict.extracted) else MORE


def is_bare(text: str, gold: str, extracted: str) -> bool:
    """Whether a text is an answer and nothing beside it.

    Args:
        text: of a response.
        gold: the seed's answer.
        extracted: what the verifier read as the answer.
    """
    said, golden = _plain(text), _plain(gold)
    # What is read as an answer may be a whole equation; a unit may come with it.
    words, fewest = (len(re.findall(r"\w+", one)) for one in (said, golden))
    if said == golden or (said == _plain(extracted) and words <= fewest + 1):
        return True
    fence = text.strip()
    return fence.startswith("```") and fence.endswith("```") and fence.count("```") == 2


def _plain(text: str) -> str:
    return normalise_prompt(text).strip(" .$*_`\"'\\()[]{}")


def known_verdicts(samples: pd.DataFrame) -> dict[tuple[str, str], Verdict]:
    """The verdicts of samples that were judged already, by seed and text.

    Args:
        samples: as `evaluation.ask.ask` returns them.
    """
    columns = ("seed_id", "text", "verdict", "reason", "extracted", "lenient")
    if not set(columns) <= set(samples.columns):
        return {}
    rows = zip(*(samples[name] for name in columns), strict=True)
    return {
        (seed, text): Verdict(value, reason, extracted, lenient)
        for seed, text, value, reason, extracted, lenient in rows
        if value in ("right", "wrong")
    }
