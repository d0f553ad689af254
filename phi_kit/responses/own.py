"""The student's own responses beside those of the study's sources: the arm `own`.

What a student wrote itself and got right teaches it the form of an answer and little
else: what other arms gain over it is not form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

from phi_kit.training.arms import OWN


def with_own(found: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """One table of both collections, each response once, `own` those of that arm.

    Args:
        found: candidates of the study's sources.
        own: candidates of the student alone, for all seeds.
    """
    import pandas as pd

    key = ["seed_id", "source", "model", "attempt"]
    mine = own.assign(own=own.kept)
    marks = mine.set_index(key).own
    first = found.assign(own=marks.reindex(found.set_index(key).index).eq(True).values)
    known = set(first[key].itertuples(index=False, name=None))
    new = [row not in known for row in mine[key].itertuples(index=False, name=None)]
    rest = mine[new].assign(kept=False)
    return pd.concat([first, rest], ignore_index=True).astype({OWN: bool})
