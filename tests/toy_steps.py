"""Two steps that cost nothing."""

from typing import ClassVar

from phi_kit.core.params import StepParams


class Toy(StepParams):
    """A first step."""

    STEP: ClassVar[str] = "01_toy"
    domain: str = "math"
    size: int = 3


class Next(StepParams):
    """A step that reads the first."""

    STEP: ClassVar[str] = "02_next"
    NEEDS: ClassVar[tuple[str, ...]] = ("01_toy",)
    domain: str = "math"
