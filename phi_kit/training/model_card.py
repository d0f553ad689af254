"""Adapter folders as others expect them: standard PEFT files and a model card.

The card says what the adapter was trained on, how, and how it did on held-out
items; a study adds that once it is measured.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from phi_kit import __version__
from phi_kit.core.errors import disk_errors
from phi_kit.core.files import digest_json, write_atomic
from phi_kit.models import catalog

from .encoding import TrainingRow
from .preflight import GateReport
from .training_config import TrainingConfig

if TYPE_CHECKING:
    from phi_kit.inference.local.model import LocalModel

CARD_FILE = "README.md"
_UNKNOWN = "| held-out accuracy | not measured |"


@dataclass(frozen=True)
class ModelCard:
    """The contents of an adapter's model card.

    Attributes:
        arm: which rows of a study it was trained on.
        student: what the study calls the model.
        identity: of the weights beside which it was trained, precision included.
        report: the gate's.
        digest: names the training rows.
        recipe: how it was trained, by parameter.
    """

    arm: str
    student: str
    identity: str
    report: GateReport
    digest: str
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        student: LocalModel,
        rows: Sequence[TrainingRow],
        report: GateReport,
        *,
        arm: str,
        config: TrainingConfig,
    ) -> ModelCard:
        """The card of a training run."""
        outcome = config.outcome().items()
        recipe = {name: value for name, value in outcome if value != {}}
        return cls(
            arm, student.name, student.identity, report, rows_digest(rows), recipe
        )

    def text(self) -> str:
        """The card as Markdown with the hub's YAML head."""
        base, licence = catalog.published_name(self.student)
        report = self.report
        recipe = ", ".join(f"{name} {value}" for name, value in self.recipe.items())
        rows = f"{report.kept}" + f", {report.too_long} too long" * bool(
            report.too_long
        )
        facts = {
            "base model": base,
            "trained beside": f"`{self.identity}`",
            "arm": self.arm,
            "rows": rows,
            "trained tokens": f"{report.trained_tokens} of {report.tokens} in one pass",
            "data digest": f"`{self.digest}`",
            "recipe": recipe,
            "prompt template": f"`{report.train_template}`, turns end with "
            f"`{report.end_of_turn}`",
            "licence": f"{licence or 'as the base model'}; the rows' own apply, too",
        }
        table = "\n".join(f"| {name} | {fact} |" for name, fact in facts.items())
        head = {
            "base_model": base,
            "library_name": "peft",
            "license": (licence or "other").lower(),
            "pipeline_tag": "text-generation",
            "tags": ["lora", "phi-kit"],
            "phi_kit_base": self.identity,  # `export` merges into these and no others
        }
        # JSON is YAML, and quotes whatever a name may hold.
        lines = "\n".join(f"{key}: {json.dumps(value)}" for key, value in head.items())
        return _TEXT.format(
            head=lines,
            arm=self.arm,
            base=base,
            table=table,
            unknown=_UNKNOWN,
            version=__version__,
        )


_TEXT = """---
{head}
---

# {arm}: a LoRA adapter for {base}

| | |
|---|---|
{table}
{unknown}

Load it beside the base model, as it was trained and measured:

```python
from peft import PeftModel

model = PeftModel.from_pretrained(base_model, "{arm}")
```

`phi-kit export` merges it into 16-bit weights of the base model. Merging into
4-bit weights changes what it says (https://github.com/huggingface/peft/issues/2321).

Made with phi_kit {version}.
"""


def rows_digest(rows: Sequence[TrainingRow]) -> str:
    """Sixteen hex digits that name training rows and their order."""
    return digest_json([[row.prompt, row.completion] for row in rows])


def save_adapter(model: Any, folder: Path, card: ModelCard) -> None:
    """Write an adapter as a PEFT folder with its card.

    The base model is named as others can find it: by its id on the hub, where it
    has one, and not by a folder of this machine.

    Args:
        model: PEFT-wrapped.
        folder: where to; it is made if need be.
        card: what it is.

    Raises:
        RunError: the disk is full.
    """
    with disk_errors(folder):
        # Said outright, or peft asks the hub whether the vocabulary has grown.
        model.save_pretrained(folder, save_embedding_layers=False)
        path = folder / "adapter_config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        base, _ = catalog.published_name(card.student)
        if base != Path(card.student).name:  # no local folder
            config["base_model_name_or_path"] = base
            write_atomic(path, json.dumps(config, indent=2, sort_keys=True) + "\n")
        write_atomic(folder / CARD_FILE, card.text())


class AccuracyInterval(Protocol):
    """A share with its 95 % interval, over `n` items."""

    accuracy: float
    low: float
    high: float
    n: int


def add_accuracy(folder: Path, what: str, accuracy: AccuracyInterval) -> None:
    """Add a held-out accuracy to the card of an adapter.

    Args:
        folder: the adapter's.
        what: the items it was measured on (`dev of math`).
        accuracy: with its interval.
    """
    line = (
        f"| held-out accuracy, {what} | {accuracy.accuracy:.1%} "
        f"(95 % interval {accuracy.low:.1%} to {accuracy.high:.1%}, n = {accuracy.n}) |"
    )
    with disk_errors(folder):
        text = (folder / CARD_FILE).read_text(encoding="utf-8")
        if _UNKNOWN in text:
            text = text.replace(_UNKNOWN, line)
        else:
            last = list(re.finditer(r"^\| held-out accuracy.*\n", text, re.MULTILINE))
            text = f"{text[: last[-1].end()]}{line}\n{text[last[-1].end() :]}"
        write_atomic(folder / CARD_FILE, text)
