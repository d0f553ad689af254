"""The same question answered by base and by the final adapter."""

import gzip
import json
from dataclasses import asdict

import fake_study
import pandas as pd
import pytest

from phi_kit.core.files import digest
from phi_kit.data.records import Seed
from phi_kit.study.report import study_report
from phi_kit.study.report.side_by_side_answers import side_by_side

# By question: whether base and final are right.
OUTCOMES = [(0, 0), (0, 1), (1, 1), (0, 1), (1, 0), (0, 1)]


@pytest.fixture
def answered(tmp_path, monkeypatch):
    """A study whose step 7 asked six test items, each model twice."""
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path))
    demo = fake_study.build(tmp_path)
    items = [Seed("math", f"Question <{n}>?", str(n)) for n in range(len(OUTCOMES))]
    card, last = demo / "math/01_pick_domain", demo / "07_benchmark"
    (card / "sealed").mkdir()
    seal = card / "sealed/test.seal"
    lines = [json.dumps(asdict(item)) for item in items]
    seal.write_bytes(gzip.compress("\n".join(lines).encode()))
    samples = [
        {"domain": "math", "seed_id": items[n].id, "model": model, "finish": "stop"}
        | {"text": f" {model} says {n}, take {take} ", "sample": take}
        | {"verdict": "right" if right != take else "wrong"}
        for n, both in enumerate(OUTCOMES)
        for model, right in zip(("base", "final"), both, strict=True)
        for take in (0, 1)
    ]
    pd.DataFrame(samples).to_parquet(last / "samples.parquet")
    for folder, name in ((card, "sealed/test.seal"), (last, "samples.parquet")):
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["files"] = {name: digest(folder / name)}
        manifest["inputs"] = {"math/01_pick_domain": "0123456789abcdef"}
        (folder / "manifest.json").write_text(json.dumps(manifest))
    return demo


def test_the_first_question_of_each_outcome_the_changes_first(answered):
    found = side_by_side("demo", "math")
    assert [(one.outcome, one.items) for one in found] == [
        ("only the final adapter is right", 3),
        ("only base is right", 1),
        ("neither is right", 1),
        ("both are right", 1),
    ]
    first = found[0]
    assert (first.question, first.gold, first.of) == ("Question <1>?", "1", 6)
    assert first.base.text == "base says 1, take 0"
    assert (first.base.verdict, first.final.verdict) == ("wrong", "right")


def test_the_page_shows_them_escaped(answered):
    page = study_report.write("demo").read_text(encoding="utf-8")
    assert "3 of 6 questions: only the final adapter is right" in page
    assert "<blockquote>Question &lt;1&gt;?</blockquote>" in page
    assert page.index("base says 1") < page.index("final says 1, take 0")


def test_another_test_set_or_a_changed_file_shows_none(answered):
    assert side_by_side("demo", "puzzles") == []
    manifest = answered / "07_benchmark/manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace("0123456789abcdef", "fedcba9876543210"))
    assert side_by_side("demo", "math") == []
    manifest.write_text(text)
    (answered / "07_benchmark/samples.parquet").write_bytes(b"changed")
    assert side_by_side("demo", "math") == []
    assert "One question, two answers" not in study_report.write("demo").read_text()
