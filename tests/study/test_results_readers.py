"""Scores as the readers themselves read them, where these are installed.

    pip install lm_eval            # and every-eval-ever, which wants Python 3.12

Neither is a dependency of the kit or of its tests. Both read what is written here:
lm_eval 0.4.13 and every-eval-ever 0.3.0, in November 2026.
"""

import json
from pathlib import Path

import pytest
import scored

from phi_kit.study.results_export import export_results


@pytest.fixture
def exported(runs, tmp_path):
    scored.finish()
    export_results("demo", tmp_path / "results")
    return tmp_path / "results"


def test_lm_evals_own_reader_reads_ours(exported):
    utils = pytest.importorskip("lm_eval.utils")
    pytest.importorskip("pytablewriter")
    folder = exported / "lm_eval/demo-final"
    names = sorted(str(path) for path in folder.iterdir())
    (results,) = utils.get_results_filenames(names)
    samples = utils.get_sample_results_filenames(names)
    assert {utils.get_file_task_name(Path(one).name) for one in samples} == {
        *("gsm8k", "math", "math-500")
    }
    assert utils.get_latest_filename([results]) == results
    # It leaves `.json` on a date, and takes `.jsonl` off.
    dates = {utils.get_file_datetime(Path(one).stem) for one in [results, *samples]}
    assert len(dates) == 1
    read = json.loads(Path(results).read_text())
    table = utils.make_table(read)
    rows = [line for line in table.splitlines() if "exact_match" in line]
    assert len(rows) == 3
    assert all("| 0.75|±  |0.0993|" in row for row in rows), table


def test_the_record_that_lm_evals_layout_gives_says_the_same(exported):
    """Every Eval Ever's converter is a second reader of the harness's layout."""
    pytest.importorskip("every_eval_ever.eval_types", exc_type=ImportError)
    from every_eval_ever.converters.lm_eval.adapter import LMEvalAdapter

    told = {"source_organization_name": "us", "evaluator_relationship": "other"}
    logs = LMEvalAdapter().transform_from_directory(exported / "lm_eval", told)
    found = {
        (log.model_info.name, one.evaluation_name): one.score_details
        for log in logs
        for one in log.evaluation_results
    }
    assert len(found) == 2 * 3
    for (model, _), details in found.items():
        assert details.score == {"demo-final": 0.75, "smollm2-135m": 0.25}[model]
        assert details.uncertainty.standard_error.value > 0
        assert details.uncertainty.num_samples == 20
