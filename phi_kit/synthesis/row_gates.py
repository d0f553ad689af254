"""The gates of step 5, in the order in which rows come to them.

A reply `INVALID`, text that loops or speaks to a grader, a gold that its own verifier
refuses, a second way that disagrees, the seal on the row and on all its ancestors,
duplicates, and a question that a grader finds ill-posed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from phi_kit.data.dropped_rows import Reason
from phi_kit.data.near_duplicates import NearDuplicateIndex
from phi_kit.data.records import Seed, normalise_prompt
from phi_kit.data.row_filters import (
    ancestors,
    duplicate_reason,
    near_duplicate_reason,
    row_fault,
    sealed_reason,
)
from phi_kit.data.sealed_splits import Seal
from phi_kit.domains.base import Domain
from phi_kit.responses import text_faults
from phi_kit.selection.question_rubric import Complete, Grade, grade_questions
from phi_kit.verifiers.worked_steps import first_false_step

from .gates import Gate, MixRow, Passed, row_by_row

# What a teacher is told to write where a seed cannot be rewritten.
INVALID = "INVALID"
AGREEMENT = "agreement"  # the gate that holds a row's solution against its gold
_INVALID = re.compile(rf"\W*{INVALID}\b", re.IGNORECASE)


def is_invalid(text: str) -> bool:
    """Whether a text says that there is nothing to make."""
    return bool(_INVALID.match(text))


@dataclass
class RowGates:
    """What the gates know.

    Args:
        domain: whose verifier judges golds.
        seal: what training may never contain.
        known: seeds by id, among which ancestors are looked up.
        max_chars: a longer prompt is dropped.
        marks: control tokens that no row may have.
        alike: transforms whose rows are a model's words and may be near duplicates:
            those of a program differ in what is filled in, however alike they look.
        grade: asks a grader, where one is named.
    """

    domain: Domain
    seal: Seal
    known: dict[str, Seed]
    max_chars: int
    marks: Sequence[str] = ()
    alike: Collection[str] = ()
    grade: Complete | None = None
    seen: dict[str, Seed] = field(default_factory=dict)

    def named(self) -> dict[str, Gate]:
        """The gates by name, in their order."""
        gates: dict[str, Gate] = {
            "invalid": row_by_row(self._invalid),
            "text": row_by_row(self._degenerate),
            "gold": row_by_row(self._gold),
            AGREEMENT: row_by_row(self._agreement),
            "sealed": row_by_row(self._sealed),
            "duplicate": self._duplicates,
        }
        return gates | ({"well-posed": self._well_posed} if self.grade else {})

    def _invalid(self, row: MixRow) -> str | None:
        for text in (row.seed.prompt, row.seed.answer):
            if is_invalid(text):
                return Reason("invalid", detail="the teacher said so")
        return None

    def _degenerate(self, row: MixRow) -> str | None:
        """Text that teaches to loop, to end a turn early, or to speak to a grader."""
        seed = row.seed
        for where, text in (("", seed.prompt), ("in the solution: ", seed.solution)):
            if found := text_faults.control_token(text, self.marks):
                return Reason("control token", detail=where + found)
            if found := text_faults.loop(text):
                return Reason("loop", detail=where + found)
            # What its parent says already is no order to whoever grades the row.
            parent = self.known.get(seed.parent)
            said = parent.prompt if parent else ""
            if found := text_faults.grader_address(text, said):
                return Reason("speaks to a grader", detail=where + found)
        return None

    def _gold(self, row: MixRow) -> str | None:
        return row_fault(row.seed, self.domain.verifier, max_chars=self.max_chars)

    def _agreement(self, row: MixRow) -> str | None:
        """A worked solution is a second way: it has to arrive at the gold."""
        seed = row.seed
        if not seed.solution:
            return None
        if wrong := first_false_step(seed.solution, prompt=seed.prompt):
            return Reason("a step does not hold", detail=wrong)
        verdict = self.domain.verifier(seed, seed.solution)
        if verdict.right:
            return None
        return Reason("its solution arrives elsewhere", detail=verdict.extracted)

    def _sealed(self, row: MixRow) -> str | None:
        if hit := sealed_reason(row.seed, self.seal, self.known):
            return hit
        *_, oldest = [row.seed, *ancestors(row.seed, self.known)]
        if oldest.parent and oldest.parent not in self.known:
            return Reason("ancestor not found", detail=oldest.parent)
        return None

    def _duplicates(self, rows: Sequence[MixRow]) -> Passed:
        """Of equal rows the first; near duplicates among what models have written."""
        near, kept, dropped = NearDuplicateIndex(), [], []
        verifier = self.domain.verifier
        for seed in self.seen.values() if self.alike else ():
            near.find_duplicate(seed.prompt)
        for row in rows:
            if row.completion:  # another response to a question that is known
                kept.append(row)
                continue
            reason = duplicate_reason(row.seed, self.seen, verifier)
            if reason is None and row.by in self.alike:
                reason = near_duplicate_reason(row.seed, near, self.seen, verifier)
            elif reason is None and self.alike:
                near.find_duplicate(row.seed.prompt)
            if reason is None:
                self.seen[normalise_prompt(row.seed.prompt)] = row.seed
                kept.append(row)
            else:
                dropped.append((row, reason))
        return kept, dropped

    def _well_posed(self, rows: Sequence[MixRow]) -> Passed:
        """What a grader understands and finds one answer to; ungraded rows go."""
        grades = grade_questions(self.grade, [row.seed for row in rows])
        why = {id(row): _ill_posed(g) for row, g in zip(rows, grades, strict=True)}
        return row_by_row(lambda row: why[id(row)])(rows)


def _ill_posed(grade: Grade | str) -> str | None:
    if isinstance(grade, str):
        return Reason("not graded", detail=grade)
    if not grade.well_posed:
        return Reason("ill-posed", detail=grade.reason)
    return None


def seen_prompts(seeds: Iterable[Seed]) -> dict[str, Seed]:
    """Seeds by their prompts, as duplicates are compared."""
    return {normalise_prompt(seed.prompt): seed for seed in seeds}
