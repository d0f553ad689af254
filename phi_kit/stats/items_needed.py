"""What a comparison of this size can show: the least gain, and the items it would take.

Normal approximation: a difference is seen with the wanted power if it is as large as
(z of the level + z of the power) standard errors, and a standard error shrinks with
the root of the number of items (J. Cohen, Statistical Power Analysis, 2nd ed. 1988).
"""

from __future__ import annotations

import math

from scipy.stats import norm

from .intervals import Z

POWER = 0.8  # the usual one (Cohen 1988)


def detectable_gain(low: float, high: float, *, power: float = POWER) -> float:
    """The least gain that a comparison with this interval would show.

    Args:
        low: the lower end of the 95 % interval that was found, a fraction.
        high: its upper end.
        power: how often it would be shown.

    Returns:
        A difference of fractions, above zero. It hangs on how much the items differ
        and not on what was found.
    """
    standard_error = (high - low) / (2 * Z)
    return float((Z + norm.ppf(power)) * standard_error)


def items_to_see(
    gain: float, *, low: float, high: float, n: int, power: float = POWER
) -> float:
    """How many items of the same kind it would take to show a gain.

    Args:
        gain: the gain to show, a fraction; its sign does not matter.
        low: the lower end of the 95 % interval over `n` items.
        high: its upper end.
        n: the items that gave this interval.
        power: how often the gain would be shown.

    Returns:
        A whole number, or infinity for no gain at all.
    """
    if not gain:
        return math.inf
    least = detectable_gain(low, high, power=power)
    return math.ceil(round(n * (least / gain) ** 2, 6))
