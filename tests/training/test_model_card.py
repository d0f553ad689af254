"""An adapter folder says what it is, and opens anywhere."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from phi_kit.models.chat_template import Asked
from phi_kit.training.encoding import TrainingRow
from phi_kit.training.model_card import CARD_FILE, add_accuracy, rows_digest
from phi_kit.training.qlora import train
from phi_kit.training.training_config import TrainingConfig

ROWS = [
    TrainingRow(
        f"<|im_start|>user\nWhat is {a} + {b}?<|im_end|>\n<|im_start|>assistant\n",
        f"{a + b}",
    )
    for a in range(3)
    for b in range(2)
]
LONG = replace(ROWS[0], completion=", ".join(map(str, range(100))))


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    """An adapter of a model that stands in for the embedded one."""
    student = replace(tiny, name="smollm2-135m", identity="0123456789abcdef/float32")
    out = tmp_path_factory.mktemp("adapters") / "teachable"
    recipe = TrainingConfig(rank=4, epochs=1, batch=4, max_row_tokens=64)
    train(student, [*ROWS, LONG], recipe, out=out, rng_seed=3)
    return out


def read(folder):
    from huggingface_hub import ModelCard

    return ModelCard.load(folder / CARD_FILE)


def test_the_head_is_what_the_hub_reads(folder):
    data = read(folder).data
    assert data.base_model == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert (data.library_name, data.license) == ("peft", "apache-2.0")
    assert data.pipeline_tag == "text-generation"
    assert "lora" in data.tags


def test_the_card_says_what_and_how(folder):
    text = read(folder).text
    for fact in (
        "# teachable: a LoRA adapter for HuggingFaceTB/SmolLM2-135M-Instruct",
        "| trained beside | `0123456789abcdef/float32` |",
        "| arm | teachable |",
        "| rows | 6, 1 too long |",
        f"| data digest | `{rows_digest([*ROWS, LONG])}` |",
        "rank 4, learning_rate 0.001, epochs 1, batch 4",
        "turns end with `<|im_end|>`",
        "| licence | Apache-2.0; the rows' own apply, too |",
        "| held-out accuracy | not measured |",
    ):
        assert fact in text
    assert "More Information Needed" not in text


def test_no_folder_of_this_machine_is_named(folder):
    from pathlib import Path

    from phi_kit.models import catalog

    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    for path in folder.iterdir():
        if path.suffix in (".json", ".md"):
            assert str(Path.home()) not in path.read_text()
            assert str(catalog.cache_folder()) not in path.read_text()


def test_accuracies_are_added_one_by_one(folder, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    math = SimpleNamespace(accuracy=0.235, low=0.17, high=0.301, n=100)
    add_accuracy(copy, "dev of math", math)
    add_accuracy(copy, "dev of puzzles", replace_score(math, accuracy=0.5))
    text = (copy / CARD_FILE).read_text()
    assert "not measured" not in text
    first = "dev of math | 23.5% (95 % interval 17.0% to 30.1%, n = 100) |"
    assert f"{first}\n| held-out accuracy, dev of puzzles | 50.0%" in text
    assert read(copy).data.library_name == "peft"


def replace_score(score, **values):
    return SimpleNamespace(**{**vars(score), **values})


def test_the_card_is_no_part_of_an_adapters_identity(folder, tmp_path):
    import shutil

    from phi_kit.models.model_dir import identity

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / CARD_FILE).write_text("another")
    assert identity(copy) == identity(folder)


def test_the_digest_names_rows_and_their_order():
    assert rows_digest(ROWS) == rows_digest(list(ROWS))
    assert rows_digest(ROWS) != rows_digest(ROWS[::-1])
    assert rows_digest(ROWS) != rows_digest(
        [replace(ROWS[0], completion="9"), *ROWS[1:]]
    )
    assert rows_digest(ROWS) == rows_digest(
        [replace(row, rendered_from=Asked("a", "b")) for row in ROWS]
    )
