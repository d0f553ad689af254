"""Memory predicted before training, against what the kernel counted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from peak_run import RUNS

from phi_kit.core.errors import DataError
from phi_kit.training.encoding import TrainingRow
from phi_kit.training.estimate import predicted
from phi_kit.training.training_config import TrainingConfig

HERE = Path(__file__).resolve()
PATHS = os.pathsep.join([str(HERE.parents[2]), str(HERE.parents[1])])


def test_rows_that_are_all_too_long(tiny):
    rows = [TrainingRow("a b c d e f g h i j", "k", ("", "a"))]
    with pytest.raises(DataError, match="longer than 8 tokens"):
        predicted(tiny, TrainingConfig(max_row_tokens=8), rows=rows)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs the kernel's count")
@pytest.mark.parametrize("name", RUNS)
def test_predicted_peak_memory(name):
    """Short rows, checkpointing over long ones, a high rank with packed weights."""
    done = subprocess.run(
        [sys.executable, str(HERE.with_name("peak_run.py")), name],
        env={**os.environ, "PYTHONPATH": PATHS, "PHI_KIT_LEDGER": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["predicted"] == pytest.approx(found["measured"], rel=0.15), found
