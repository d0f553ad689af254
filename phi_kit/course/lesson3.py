"""What notebook 3 uses, and its exercises: how sure a few samples make one."""

from __future__ import annotations

from phi_kit.core.step_table import COLLECT_SEEDS
from phi_kit.course.before_after import reply_and_lesson
from phi_kit.course.exercise import FUNCTION, NUMBER, Exercise, Mistake, about, gives
from phi_kit.course.guess_log import compare_guess, keep_guess
from phi_kit.course.sample_source import begin
from phi_kit.data.records import from_frame
from phi_kit.domains import of as domain_of
from phi_kit.evaluation.ask import ask
from phi_kit.inference.completion import open_sampler
from phi_kit.responses.checks import ResponseChecks
from phi_kit.responses.response import Response
from phi_kit.selection.pass_rate_posterior import Counts, Prior, credible_interval
from phi_kit.selection.tiers import tier_probabilities
from phi_kit.stats.intervals import Accuracy, wilson_interval
from phi_kit.steps import filter_edge as step

__all__ = [
    "COLLECT_SEEDS",
    "Accuracy",
    "Counts",
    "Prior",
    "Response",
    "ResponseChecks",
    "ask",
    "begin",
    "best_of_k",
    "compare_guess",
    "credible_interval",
    "domain_of",
    "from_frame",
    "keep_guess",
    "open_sampler",
    "posterior_mean",
    "reply_and_lesson",
    "samples_to_give_up",
    "step",
    "tier_probabilities",
    "wilson_interval",
]

posterior_mean = Exercise(
    NUMBER,
    about(1.5 / 5),
    "The prior is worth one sample, half of it right; it pulls a little to one half.",
    [
        Mistake(
            about(1 / 4),
            "that is the plain rate, which would call 0 of 4 impossible. Count the "
            "prior's a and b as right and wrong ones, too.",
        ),
        Mistake(
            about(2 / 6),
            "that is the uniform prior, a = b = 1. Jeffreys' is a = b = ½.",
        ),
    ],
    "the mean of Beta(α, β) is α / (α + β); what are α and β after the samples?",
)

samples_to_give_up = Exercise(
    NUMBER,
    about(24, within=0.1),
    "Two dozen wrong answers in a row before one may say: below a tenth. A filter that "
    "draws four samples cannot know this of a single seed, only of a pool.",
    [
        Mistake(
            about(23, within=0.1),
            "with 23 the upper end is still .1024. One more than that.",
        ),
        Mistake(
            about(29, within=1.1),
            "that is the rule of three: a one-sided bound without a prior. Here the "
            "two-sided interval above is meant.",
        ),
        Mistake(
            about(10, within=0.1),
            "a rate of a tenth does not promise a right one in ten: ten samples all "
            "miss in a third of all cases.",
        ),
    ],
    "call `interval(0, wrong)` for growing `wrong` and look at its upper end.",
)

best_of_k = Exercise(
    FUNCTION,
    gives(((4, 1, 2), 0.5), ((8, 3, 1), 3 / 8), ((8, 0, 4), 0.0), ((4, 3, 2), 1.0)),
    "Counting the draws without any right sample has no bias, however few there are.",
    [
        Mistake(
            gives(((4, 1, 2), 1 - 0.75**2), ((8, 3, 1), 3 / 8)),
            "1 - (1 - p)^k takes the estimate p for the truth and comes out too low. "
            "Count the ways to choose k of the n samples without a right one.",
        ),
        Mistake(
            gives(((4, 1, 2), 0.25), ((8, 3, 1), 3 / 8)),
            "that is pass@1, whatever k is.",
        ),
    ],
    "with n samples, c of them right: C(n, k) ways to choose, C(n - c, k) without a "
    "right one.",
)
