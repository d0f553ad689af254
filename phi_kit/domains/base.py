"""The one shape of a domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from phi_kit.core.errors import StudyError, did_you_mean
from phi_kit.data.procedural import Family
from phi_kit.data.records import Seed
from phi_kit.verify.base import Verifier

# A transform rewrites a seed into variants whose answers it computes itself.
Transform = Callable[[Seed, int], list[Seed]]


@dataclass(frozen=True)
class Domain:
    """What is asked, how an answer must look, and who checks it."""

    name: str
    title: str
    description: str
    instruction: str
    answer_kind: str
    verifier: Verifier
    families: tuple[Family, ...]
    transforms: Mapping[str, Transform]

    def chosen(self, names: Sequence[str] = ()) -> list[Family]:
        """The families of these names, the easiest first; without names the usual ones.

        Raises:
            StudyError: the domain has no such family.
        """
        known = {family.name: family for family in self.families}
        for name in names:
            if name not in known:
                raise StudyError(
                    f"{self.name} has no family '{name}'{did_you_mean(name, known)}",
                    todo="name its families in pick_domain, or leave the list empty",
                )
        return [f for f in self.families if (f.name in names if names else f.usual)]
