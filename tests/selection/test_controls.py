"""Random control rows that cost as much training as the chosen ones."""

import pytest

from phi_kit.selection.controls import matched_control


def test_the_control_matches_in_rows_and_tokens():
    tokens = [10 + (7 * i) % 90 for i in range(300)]
    chosen = sorted(range(300), key=lambda i: -tokens[i])[:60]  # the longest
    control = matched_control(tokens, chosen, rng_seed=1)
    wanted = sum(tokens[i] for i in chosen)
    assert len(set(control)) == len(chosen)
    assert abs(sum(tokens[i] for i in control) - wanted) / wanted < 0.15
    assert control == matched_control(tokens, chosen, rng_seed=1)
    assert control != matched_control(tokens, chosen, rng_seed=2)


def test_the_control_is_drawn_from_everyone():
    tokens, chosen = [20] * 100, list(range(50))
    control = matched_control(tokens, chosen, rng_seed=1)
    assert 10 < len(set(control) & set(chosen)) < 40  # no more, no less than chance


@pytest.mark.parametrize("chosen", [[], [0], [0, 1, 2]])
def test_the_control_of_small_pools(chosen):
    assert len(matched_control([5, 6, 7], chosen, rng_seed=1)) == len(chosen)
