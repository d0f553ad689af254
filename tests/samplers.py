"""A sampler that costs nothing and counts what it is asked."""

from dataclasses import dataclass, field

from phi_kit.inference.types import Completion


@dataclass
class Counting:
    """Says the seed of each sample; `breaks` raises after so many of them."""

    name: str = "counting"
    identity: str = "weights-1/float32"
    breaks: int | None = None
    asked: list = field(default_factory=list)

    def render(self, instruction, prompt, **how):
        return f"{instruction}|{prompt}|"

    def stream(self, asked, sampling):
        for place, one in enumerate(asked):
            if self.breaks is not None and len(self.asked) >= self.breaks:
                raise ConnectionError("the model is gone")
            self.asked.append(one)
            finish = "length" if one.seed % 5 == 0 else "stop"
            text = f"{one.prompt[:20]} {one.seed % sampling.max_tokens}"
            yield place, Completion(text, 1 + one.seed % 7, finish, -(one.seed % 3) / 7)
