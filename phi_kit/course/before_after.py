"""One question in the words of each model: before training, and after."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from phi_kit.data.records import Seed

_RIGHT, _OTHER = "✓ right", "✗ not right"
_LONGEST = 400  # characters of an answer that are shown


@dataclass(frozen=True)
class BeforeAfter:
    """A question, its gold answer, and what each model said.

    Args:
        question: as the user turn says it.
        gold: the answer.
        said: text and verdict by arm.
        why: how the question was chosen.
    """

    question: str
    gold: str
    said: Mapping[str, tuple[str, str]]
    why: str

    def __repr__(self) -> str:
        lines = [f"{self.why}:", self.question, f"gold: {self.gold}"]
        for arm, (text, verdict) in self.said.items():
            lines += ["", f"{arm} ({_sign(verdict)}):", _shown(text)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        # One below the other: beside each other they are narrow strips on a phone. No
        # <dl>: Jupyter floats its terms, and they drift apart from their words.
        parts = [
            f"<p>{html.escape(self.why)}: <b>{html.escape(self.question)}</b> "
            f"(gold: {html.escape(self.gold)})</p>"
        ]
        for arm, (text, verdict) in self.said.items():
            quoted, style = html.escape(_shown(text)), "margin:2px 0 10px 40px"
            parts.append(
                f"<div><b>{html.escape(arm)}</b>, {_sign(verdict)}</div>"
                f'<pre style="white-space:pre-wrap;{style}">{quoted}</pre>'
            )
        return "".join(parts)


def before_and_after(
    samples: pd.DataFrame, seeds: Sequence[Seed], *, arm: str
) -> BeforeAfter:
    """The first question that an arm gets right and base does not, in all words.

    Where there is none, the first question of all.

    Args:
        samples: of base and the arms on the same items: `seed_id`, `arm`, `text`,
            `verdict`. The first sample of each counts.
        seeds: the items.
        arm: which one; without rows of its own the last one of the table.
    """
    first = samples.drop_duplicates(["seed_id", "arm"])
    arms = list(first.arm.unique())
    arm = arm if arm in arms else arms[-1]
    table = first.pivot(index="seed_id", columns="arm", values="verdict")
    known = [seed for seed in seeds if seed.id in table.index]
    gained = [
        seed
        for seed in known
        if table.loc[seed.id, arm] == "right" and table.loc[seed.id, "base"] != "right"
    ]
    seed = (gained or known)[0]
    why = (
        f"The first of {len(gained)} questions that {arm} gets right and base does not"
    )
    mine = first[first.seed_id == seed.id].set_index("arm")
    said = {name: (mine.text[name], mine.verdict[name]) for name in arms}
    return BeforeAfter(
        seed.prompt, seed.answer, said, why if gained else "One question"
    )


def reply_and_lesson(
    samples: pd.DataFrame, responses: pd.DataFrame, seeds: Sequence[Seed]
) -> BeforeAfter:
    """What a student says to a seed now, and what it will be taught to say.

    The first seed that it misses; where it misses none that will be taught, the first.

    Args:
        samples: the student's: `seed_id`, `text`, `verdict`.
        responses: of step 3: `seed_id`, `text`, `source`, `verdict`, and whether they
            are `kept`, which at least one is.
        seeds: the seeds.
    """
    taught = responses[responses.kept].drop_duplicates("seed_id").set_index("seed_id")
    known = {seed.id: seed for seed in seeds if seed.id in taught.index}
    asked = samples[samples.seed_id.isin(known)]
    missed = asked[asked.verdict != "right"]
    reply = (missed if len(missed) else asked).iloc[0]
    lesson, seed = taught.loc[reply.seed_id], known[reply.seed_id]
    said = {
        "the student now": (reply.text, reply.verdict),
        f"what it will be taught, from `{lesson.source}`": (
            lesson.text,
            lesson.verdict,
        ),
    }
    many = missed.seed_id.nunique()
    why = f"The first of {many} seeds that will be taught and that the student misses"
    return BeforeAfter(seed.prompt, seed.answer, said, why if many else "One seed")


def _sign(verdict: str) -> str:
    return _RIGHT if verdict == "right" else _OTHER


def _shown(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
