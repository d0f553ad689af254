"""What a study found, in sentences made from its numbers.

"Cannot tell" is a finding like the other two and is said as plainly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from phi_kit.core.number_format import count, is_number, percent, points, points_span
from phi_kit.stats.comparison import NOT_CONSTANT

FINAL = {
    "better": "On held-out {domain} the final adapter is better than base",
    "worse": "On held-out {domain} the final adapter is worse than base",
    "cannot tell": "On held-out {domain} this run cannot tell whether the final "
    "adapter is better or worse than base",
    NOT_CONSTANT: "On held-out {domain} the final adapter is better than base, not "
    "than one constant answer per family",
}
ARMS = {
    "better": "In {domain}, training on teachable seeds beat training on random ones",
    "worse": "In {domain}, training on teachable seeds did worse than on random ones",
    "cannot tell": "In {domain}, this run cannot tell whether teachable seeds teach "
    "more or less than random ones",
}
OWN = {
    "better": "In {domain}, teachable seeds taught more than the student's own right "
    "responses, which teach the form alone",
    "worse": "In {domain}, teachable seeds taught less than the student's own right "
    "responses",
    "cannot tell": "In {domain}, this run cannot tell whether teachable seeds taught "
    "more than the form that the student's own right responses teach",
}
FEW_SHOT = {
    "better": "In {domain}, training on teachable seeds beat worked examples in base's "
    "prompt, which cost nothing",
    "worse": "In {domain}, worked examples in base's prompt did better than training",
    "cannot tell": "In {domain}, this run cannot tell whether training beats worked "
    "examples in base's prompt",
}
FINAL_OVER = {
    "own": {
        "better": "On held-out {domain} the final adapter is better than step 4's "
        "adapter of the student's own right responses, which had the probe's tokens "
        "only: it learnt more than that form, or learnt it in a longer run",
        "worse": "On held-out {domain} the final adapter is worse than step 4's "
        "adapter of the student's own right responses, at the probe's tokens",
        "cannot tell": "On held-out {domain} this run cannot tell whether the final "
        "adapter learnt more than the form that step 4's adapter of the student's own "
        "right responses learnt, at the probe's tokens",
    },
    "few_shot": {
        "better": "On held-out {domain} the final adapter is better than base with "
        "worked examples in its prompt",
        "worse": "On held-out {domain} base with worked examples in its prompt is "
        "better than the final adapter",
        "cannot tell": "On held-out {domain} this run cannot tell whether the final "
        "adapter is better than base with worked examples in its prompt",
    },
}
MERGED = {
    "better": "Training on all domains at once did better on {domain} than training on "
    "{domain} alone",
    "worse": "Training on all domains at once lost some of what training on {domain} "
    "alone gave",
    "cannot tell": "This run cannot tell whether training on all domains at once "
    "changes what {domain} alone gave",
}

# Different responses of the student's own below which a reader is warned: eight
# batches of a training run (kit default).
FEW_OWN = 64

DOSE = {
    "worse": "In {domain}, the gain tapers: the last increase of the rows gave less "
    "than the one before",
    "better": "In {domain}, the last increase of the rows gave more than the one "
    "before",
    "cannot tell": "In {domain}, this run cannot tell whether more rows of the same "
    "kind would help less and less",
}


@dataclass(frozen=True)
class Finding:
    """One sentence and the verdict it rests on."""

    text: str
    verdict: str


def verdict(row: Mapping[str, Any], low: str = "low", high: str = "high") -> str:
    """A row's verdict; read off its interval where a step gave none."""
    if recorded := row.get("verdict"):
        return str(recorded)
    least, most = row.get(low), row.get(high)
    if is_number(least) and least > 0:
        return "better"
    return "worse" if is_number(most) and most < 0 else "cannot tell"


def evidence(row: Mapping[str, Any]) -> str:
    """The numbers of a sentence: gain, interval and n."""
    if not is_number(row.get("delta")):
        return "it was not measured"
    return (
        f"{points(row['delta'])} points, 95\u00a0% interval "
        f"{points_span(row.get('low'), row.get('high'))}, n\u00a0=\u00a0"
        f"{count(row.get('n'))}"
    )


def finding(words: Mapping[str, str], domain: Any, row: Mapping[str, Any]) -> Finding:
    """One row of a step's result as a sentence."""
    outcome = verdict(row)
    text = words.get(outcome, words["cannot tell"]).format(domain=domain)
    guess = ""
    if is_number(row.get("guess")):
        guess = (
            f" One constant answer per family gives {percent(row['guess'])}, the "
            f"adapter {percent(row.get('final'))}."
        )
    return Finding(f"{text}: {evidence(row)}.{guess}", outcome)


def on_benchmarks(scores: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """Whether the final adapter beats base and the controls, by domain (step 7).

    Single samples (pass@1) are the headline; votes stand in the table.
    """
    headlines: dict[Any, Mapping[str, Any]] = {}
    for row in scores:
        domain = row.get("domain", "items")
        if domain not in headlines or row.get("metric") == "pass@1":
            headlines[domain] = row
    found = []
    for domain, row in headlines.items():
        found.append(finding(FINAL, domain, row))
        for control, words in FINAL_OVER.items():
            if over := over_control(row, control):
                found.append(finding(words, domain, over))
    return found


def over_control(row: Mapping[str, Any], control: str) -> dict[str, Any]:
    """What the final adapter gains over a control, as a row; empty if not measured."""
    name = f"over_{control}"
    if not is_number(row.get(name)):
        return {}
    ends = {end: row.get(f"{name}_{end}") for end in ("low", "high")}
    return {"delta": row[name], "n": row.get("n"), **ends}


def teachable_or_random(domain: str, result: Mapping[str, Any]) -> list[Finding]:
    """What the teachable arm is worth beside each control, and whether more rows are.

    All of it is step 4's.
    """
    found = [
        finding(words, domain, row)
        for words, row in (
            (ARMS, result.get("teachable_vs_random")),
            (OWN, result.get("teachable_vs_own")),
            (FEW_SHOT, result.get("teachable_vs_few_shot")),
            (DOSE, (result.get("dose") or {}).get("change")),
        )
        if row
    ]
    return [*found, *_few_own(domain, result)]


def _few_own(domain: str, result: Mapping[str, Any]) -> list[Finding]:
    """A warning where the student's own responses were few, and repeated often."""
    arms = result.get("arms")
    rows = [row for row in arms or () if isinstance(row, Mapping)]
    own = next((row for row in rows if row.get("arm") == "own"), {})
    if not is_number(own.get("rows")) or own["rows"] >= FEW_OWN:
        return []
    often = own.get("passes")
    times = f", each seen about {often:.0f} times" if is_number(often) else ""
    text = (
        f"In {domain}, the student's own right responses are only {count(own['rows'])} "
        f"different ones{times}: what that arm shows of form rests on few."
    )
    return [Finding(text, "cannot tell")]


def after_merging(retention: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """What merging the domains did to each of them (step 6)."""
    return [finding(MERGED, row.get("domain", "items"), row) for row in retention]
