"""A study of a user's own domain: one CSV file and a few lines of YAML."""

from __future__ import annotations

import csv
from pathlib import Path

STUDY = """\
study: own
domains:
  plus:
    verifier: numeric
    instruction: Give only the answer.
    sources:
      - {path: PATH, question: Question, answer: Answer}
"""
# Sizes at which all seven steps take minutes.
SMALL = """\
pick_domain: {dev_items: 8, test_items: 8, samples: 1, max_tokens: 8}
filter_edge: {samples: 4, max_samples: 4, confirm: 1, max_tokens: 8}
probe_sft: {epochs: 1}
expand_domains: {epochs: 1}
benchmark: {samples: 1, max_tokens: 8}
"""


def sums(path: Path) -> Path:
    """Sixty sums as a CSV."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Question", "Answer"])
        for n in range(60):
            writer.writerow([f"What is {n % 8} plus {n // 8}?", n % 8 + n // 8])
    return path


def written(path: Path, text: str, rows: Path) -> Path:
    """The study as a file, over these rows."""
    path.write_text(text.replace("PATH", str(rows)))
    return path
