import fake_study
import pytest

from phi_kit.core import params as core_params
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.paths import spending_folder
from phi_kit.core.step_run import previous_result
from phi_kit.core.step_state import run_folder_path, up_to_date
from phi_kit.core.taken_over import take_over

Pick, Edge = fake_study.Pick, fake_study.Edge


@pytest.fixture
def first(runs):
    """A study that has finished its first step, with a table and a figure."""
    return fake_study.run_with_figure(Pick(study="first")).run_folder


def test_the_same_work_of_another_study_is_taken_over(first):
    params = Pick(study="sweep/variant")
    assert take_over(params, first)
    assert up_to_date(params)
    taken = RunFolder(run_folder_path(params))
    assert taken.path.parts[-4:] == ("sweep", "variant", "math", "01_pick_domain")
    assert taken.manifest == first.manifest
    assert taken.table().equals(first.table())
    assert (taken.path / "figures/line.png").samefile(first.path / "figures/line.png")
    assert not list(taken.path.parent.glob(".*.partial"))


def test_running_one_of_the_two_again_leaves_the_other(first):
    take_over(Pick(study="second"), first)
    before = first.table()
    fake_study.run_with_figure(Pick(study="second", items=5))
    assert len(RunFolder.of("second", Pick.STEP, domain="math").table()) == 5
    assert RunFolder(first.path).table().equals(before)
    assert up_to_date(Pick(study="first"))


def test_other_work_is_not_taken_over(first):
    other = Pick(study="second", items=4)
    assert not take_over(other, first)
    assert not run_folder_path(other).exists()
    (first.path / "rows.parquet").write_bytes(b"")  # as somebody may
    assert not take_over(Pick(study="second"), RunFolder(first.path))


def test_what_stood_there_is_kept_beside_it(first):
    fake_study.run_with_figure(Pick(study="second", items=5))
    params = Pick(study="second")
    assert take_over(params, first)
    assert len(RunFolder(previous_result(run_folder_path(params))).table()) == 5


def test_what_reads_it_fits_too(first):
    read = fake_study.run(Edge(study="first")).run_folder
    take_over(Pick(study="second"), first)
    assert take_over(Edge(study="second"), read)
    assert up_to_date(Edge(study="second"))


@pytest.mark.parametrize("name", ["a/b/c", "a/", "/a", "../a", "a/..", "a/b c"])
def test_a_place_is_a_study_or_a_variant_of_a_sweep(name):
    with pytest.raises(ValueError, match="study"):
        core_params.StepParams(study=name)
    assert core_params.StepParams(study="bands/low-0.1").study == "bands/low-0.1"


def test_the_variants_of_a_sweep_share_one_budget(runs):
    assert spending_folder("bands/low-0.1") == spending_folder("bands/low-0.2")
    assert spending_folder("demo") == runs / "demo"
