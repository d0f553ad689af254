"""What a study found, in sentences made from its numbers.

"Cannot tell" is a finding like the other two and is said as plainly, with what it would
take to settle it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from phi_kit.core.number_format import count, is_number, percent, points, points_span
from phi_kit.evaluation.decision import SCALE
from phi_kit.stats.comparison import NOT_CONSTANT
from phi_kit.stats.items_needed import detectable_gain, items_to_see
from phi_kit.stats.paired_tests import EQUAL

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
    EQUAL: "Training on all domains at once keeps what training on {domain} alone "
    "gave: the two are equal within the margin",
}

MIX = {
    "better": "In {domain}, the mix of organic and made rows taught more than organic "
    "rows alone at equal trained tokens",
    "worse": "In {domain}, the mix of organic and made rows taught less than organic "
    "rows alone at equal trained tokens",
    "cannot tell": "In {domain}, this run cannot tell whether the made rows teach more "
    "or less than organic rows alone at equal trained tokens",
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
    """One sentence and the verdict it rests on.

    Attributes:
        text: the sentence.
        verdict: better, worse, cannot tell, or better than base only.
        about: what was compared, in a few words; empty for a warning.
        row: the comparison: `delta`, `low`, `high` and `n`.
    """

    text: str
    verdict: str
    about: str = ""
    row: Mapping[str, Any] = field(default_factory=dict)

    @property
    def least_seen(self) -> float | None:
        """The least gain that these items show in four of five studies."""
        low, high = self.row.get("low"), self.row.get("high")
        if not (is_number(low) and is_number(high) and high > low):
            return None
        return detectable_gain(low, high)

    def items_for(self, gain: Any) -> float | None:
        """How many items would show such a gain; `None` if that is not known."""
        if self.least_seen is None or not is_number(self.row.get("n")):
            return None
        if not is_number(gain) or not gain:
            return None
        low, high = self.row["low"], self.row["high"]
        return items_to_see(gain, low=low, high=high, n=self.row["n"])

    @property
    def settling(self) -> str:
        """What would settle a "cannot tell"; empty for another verdict."""
        if self.verdict != "cannot tell" or self.least_seen is None:
            return ""
        said = (
            f"These {count(self.row.get('n'))} items show a difference of "
            f"{100 * self.least_seen:.1f} points in four of five studies"
        )
        if items := self.items_for(self.row.get("delta")):
            said += f"; one as large as was found here takes {count(items)} items"
        return f"{said}, one of 5 points {count(self.items_for(0.05))}."


def verdict_of(said: Any, low: Any, high: Any) -> str:
    """A verdict; read off the interval where a step gave none."""
    if said:
        return str(said)
    if is_number(low) and low > 0:
        return "better"
    return "worse" if is_number(high) and high < 0 else "cannot tell"


def verdict(row: Mapping[str, Any]) -> str:
    """A row's verdict."""
    return verdict_of(row.get("verdict"), row.get("low"), row.get("high"))


def evidence(row: Mapping[str, Any]) -> str:
    """The numbers of a sentence: gain, interval and n."""
    if not is_number(row.get("delta")):
        return "it was not measured"
    return (
        f"{points(row['delta'])} points, 95\u00a0% interval "
        f"{points_span(row.get('low'), row.get('high'))}, n\u00a0=\u00a0"
        f"{count(row.get('n'))}"
    )


def finding(
    words: Mapping[str, str], domain: Any, row: Mapping[str, Any], *, about: str
) -> Finding:
    """One row of a step's result as a sentence.

    Args:
        words: the sentence by verdict.
        domain: that was measured.
        row: the comparison.
        about: what was compared, in a few words.
    """
    outcome = verdict(row)
    text = words.get(outcome, words["cannot tell"]).format(domain=domain)
    guess = ""
    if is_number(row.get("guess")):
        guess = (
            f" One constant answer per family gives {percent(row['guess'])}, the "
            f"adapter {percent(row.get('final'))}."
        )
    text = f"{text}: {evidence(row)}.{guess}"
    return Finding(text, outcome, f"{domain}: {about}", row)


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
        found.append(finding(FINAL, domain, row, about="final over base"))
        for control, words in FINAL_OVER.items():
            if over := over_control(row, control):
                about = f"final over {control.replace('_', '-')}"
                found.append(finding(words, domain, over, about=about))
    return found


def on_decision(result: Mapping[str, Any]) -> list[Finding]:
    """What step 7 decided, and what would settle what is open; none of an older kit."""
    decision = result.get("decision") or {}
    if not isinstance(decision, Mapping) or not decision.get("verdict"):
        return []
    said = [f"Decision: {decision['verdict']}."]
    for one in decision.get("criteria") or []:
        said.append(f"{one.get('status')}: {one.get('name')} ({one.get('why')}).")
        if one.get("next"):
            said.append(f"Next: {one['next']}.")
    scaled = decision["verdict"] == SCALE
    return [Finding(" ".join(said), "better" if scaled else "cannot tell")]


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
        finding(words, domain, row, about=about)
        for words, row, about in (
            (ARMS, result.get("teachable_vs_random"), "teachable over random"),
            (OWN, result.get("teachable_vs_own"), "teachable over own"),
            (FEW_SHOT, result.get("teachable_vs_few_shot"), "teachable over few-shot"),
            (DOSE, (result.get("dose") or {}).get("change"), "last dose over earlier"),
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
    return [
        finding(MERGED, row.get("domain", "items"), row, about="together over alone")
        for row in retention
    ]


def on_made_rows(organic: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """What made rows are worth beside organic ones alone (step 6, where it asked)."""
    return [
        finding(MIX, row.get("domain", "items"), row, about="mix over organic alone")
        for row in organic
    ]
