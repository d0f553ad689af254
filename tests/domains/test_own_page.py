"""The page about a domain of one's own, followed word by word, ends in a study."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import countries
import pytest

from phi_kit.data.file_readers import SUFFIXES
from phi_kit.domains.custom import Definition, OwnFile, OwnHub
from phi_kit.study import config

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "your-own-domain.md").read_text()
STUDY = re.search(r"```yaml\n(.*?)```", PAGE, re.S)[1]
UNITS = {
    "contains": "numeric",
    "Answer in one short sentence.": "Give only the number.",
}


def study(tmp_path, rows: Path, text: str = STUDY) -> Path:
    """The page's study over a file that lies elsewhere."""
    assert "data/capitals.csv" in text
    path = tmp_path / "own.yaml"
    path.write_text(text.replace("data/capitals.csv", str(rows)))
    return path


def test_the_page_is_a_study(tmp_path):
    rows = countries.capitals(tmp_path / "capitals.csv")
    units = config.load(study(tmp_path, rows)).units()
    assert [unit.step for unit in units][:2] == ["pick_domain", "collect_seeds"]
    limit = units[1].params.sources[0].limit
    assert limit > 300  # a person's rows are all read
    first = rows.read_text(encoding="utf-8").splitlines()
    assert re.search(r"```csv\n(.*)\n", PAGE)[1] == first[0]


def test_the_page_knows_every_key():
    for kind in (OwnFile, OwnHub, Definition):
        for name in kind.model_fields:
            assert f"`{name}" in PAGE or name == "weight", name
    assert all(f"`{suffix}`" in PAGE for suffix in SUFFIXES)


def through(tmp_path, path: Path) -> tuple[subprocess.CompletedProcess, Path]:
    runs = tmp_path / "runs"
    done = subprocess.run(
        [sys.executable, "-m", "phi_kit", "run", str(path)],
        env={**os.environ, "PHI_KIT_RUNS": str(runs), "PHI_KIT_LEDGER": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done, runs / "geography"


@pytest.mark.sweep
def test_followed_literally_it_ends_in_a_finished_study(tmp_path):
    rows = countries.capitals(tmp_path / "capitals.csv")
    done, folder = through(tmp_path, study(tmp_path, rows))
    assert done.returncode == 0, done.stderr[-2000:]
    assert "study 'geography' is finished" in done.stdout + done.stderr
    card = folder / "geography"
    flow = json.loads((card / "02_collect_seeds/manifest.json").read_text())["flow"]
    assert flow["read"] == 200
    assert "unread" not in flow
    tiers = json.loads((card / "03_filter_edge/manifest.json").read_text())["result"]
    assert tiers["tiers"]["teachable"] >= 8
    assert (folder / "report.html").is_file()


@pytest.mark.sweep
def test_conversions_end_in_a_study_or_in_what_to_do(tmp_path):
    text = STUDY
    for old, new in UNITS.items():
        assert old in text
        text = text.replace(old, new)
    rows = countries.lengths(tmp_path / "lengths.csv")
    done, folder = through(tmp_path, study(tmp_path, rows, text))
    if done.returncode:
        assert "to do:" in done.stdout + done.stderr
    else:
        assert (folder / "report.html").is_file()
