import resource
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from phi_kit import __version__, cli
from phi_kit.cli import app


def call(*arguments):
    return CliRunner().invoke(app, list(arguments), prog_name="phi-kit")


def _seconds_of_children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_imports_nothing_heavy():
    code = (
        "import sys\ntry:\n from phi_kit.cli import app\n app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'papermill', 'pandas', 'numpy'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    began = _seconds_of_children()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert _seconds_of_children() - began < 1
    assert done.stdout.splitlines()[-1] == "HEAVY []"
    for command in ("run", "status", "report", "models", "lab", "export"):
        assert command in done.stdout


def test_version():
    assert call("--version").stdout == f"phi-kit {__version__}\n"


def test_a_fault_is_a_message_on_stderr(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = tmp_path / "bad.yaml"
    study.write_text("domains: [math]\nfilter_egde: {}\nmodl: x\n")
    done = call("run", "bad.yaml", "--set", "rng_seed=-1")
    assert done.exit_code == 1
    assert "bad.yaml has 3 faults; nothing was started" in done.stderr
    assert "did you mean 'filter_edge'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("**/manifest.json"))


def test_a_missing_study_is_a_message():
    done = call("status", "quickstrat.yaml")
    assert done.exit_code == 1
    assert done.stderr.startswith("phi-kit: there is no study file 'quickstrat.yaml'")


def test_export_wants_a_finished_study_or_an_adapter(runs, tmp_path):
    done = call("export", "demo", "--to", str(tmp_path / "out"))
    assert done.exit_code == 1
    assert "06_expand_domains has not finished" in done.stderr
    done = call("export", str(tmp_path), "--to", str(tmp_path / "out"))
    assert done.exit_code == 1
    assert "there is no readable adapter here" in done.stderr
    assert not (tmp_path / "out").exists()


WRONG = [["run"], ["run", "x", "--form", "3"], ["walk"], ["export", "x"]]


@pytest.mark.parametrize("arguments", WRONG)
def test_a_wrong_command_line_is_exit_2(arguments):
    assert call(*arguments).exit_code == 2


def test_models_are_listed():
    done = call("models", "list")
    assert done.exit_code == 0
    assert "smollm2-135m" in done.stdout


def test_an_unknown_model_is_a_message():
    done = call("models", "pull", "smollm2")
    assert done.exit_code == 1
    assert "did you mean 'smollm2-135m'" in done.stderr


def test_each_command_is_a_module_of_its_name():
    commands = {one.name or one.callback.__name__ for one in app.registered_commands}
    commands |= {one.name for one in app.registered_groups}
    files = Path(cli.__file__).parent.glob("*.py")
    assert commands == {path.stem for path in files} - {"__init__", "common"}
