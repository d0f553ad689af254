"""Models of made-up ability: what they say depends only on a sample's own stream."""

from collections.abc import Callable, Mapping

import numpy as np

from phi_kit.inference.types import Completion

Say = Callable[[str, np.random.Generator, int], Completion]


class Fake:
    """A sampler that asks `say(prompt, draw, max_tokens)` for each sample."""

    identity = "fake"

    def __init__(self, say: Say, name: str = "fake"):
        self.say, self.name = say, name
        self.asked = []  # what every call was asked

    def render(self, instruction, prompt, **how):
        return prompt

    def stream(self, asked, sampling):
        self.asked.append(list(asked))
        for place, one in enumerate(asked):
            draw = np.random.default_rng(one.seed)
            yield place, self.say(one.prompt, draw, sampling.max_tokens)


def stopped(text: str) -> Completion:
    """A sample that ended by itself."""
    return Completion(text, 3, "stop", -0.5)


def cut(text: str = "Let us see, first") -> Completion:
    """A sample that reached the token limit."""
    return Completion(text, 16, "length")


def solver(rates: Mapping[str, float], answers: Mapping[str, str]) -> Fake:
    """Right with each prompt's own rate; wrong answers all differ."""

    def say(prompt, draw, limit):
        if draw.random() < rates[prompt]:
            return stopped(answers[prompt])
        return stopped(f"{draw.integers(10**12)}.5")

    return Fake(say)
