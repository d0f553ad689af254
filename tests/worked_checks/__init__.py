"""A second reading of worked solutions: each line worked out again by other means.

Nothing of the package's own worked solutions is used here: sums are checked by the
numbers' remainders, programs by running them, syllogisms in every possible world.
"""

from worked_checks import letters, logic, numbers, programs, safety, science
from worked_checks.reading import FaultError, split

CHECKS = {
    **numbers.CHECKS, **letters.CHECKS, **logic.CHECKS, **programs.CHECKS,
    **science.CHECKS, **safety.CHECKS,
}  # fmt: skip


# What a checker stumbles over when a text is not of the form that it reads.
_BROKEN = (ValueError, LookupError, TypeError, AttributeError, AssertionError)


def fault(seed, form, text):
    """What is wrong with a worked solution; nothing if every line is confirmed."""
    try:
        steps, answer = split(text)
        CHECKS[seed.family](seed, form, steps, answer)
    except (FaultError, SyntaxError, NameError, *_BROKEN) as error:
        return f"{type(error).__name__}: {error}"
    return ""
