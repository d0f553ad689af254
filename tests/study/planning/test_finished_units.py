import fake_study

from phi_kit.study import config
from phi_kit.study.planning.finished_units import finished_units

PICK, EDGE = ("pick_domain", "math"), ("filter_edge", "math")


def finish(study, **edge):
    fake_study.run(fake_study.Pick(study=study))
    fake_study.run(fake_study.Edge(study=study, samples=3, **edge))


def planned(*sets):
    return finished_units(config.load("toy", ["domains=[math]", *sets]))


def test_finished_steps_are_counted_with_what_they_kept(project):
    finish("toy")
    done = planned()
    assert set(done) == {PICK, EDGE}
    assert (done[EDGE].kept, done[EDGE].study) == (2, "")


def test_what_another_study_lends_counts(project):
    finish("first")
    assert planned() == {}
    done = planned("from=first")
    assert {key: unit.study for key, unit in done.items()} == {
        PICK: "first",
        EDGE: "first",
    }
    assert set(planned("from=first", "filter_edge.samples=4")) == {PICK}
    fake_study.run(fake_study.Pick(study="toy"))  # the study's own comes first
    done = planned("from=first")
    assert (done[PICK].study, done[EDGE].study) == ("", "first")


def test_what_reads_a_step_that_is_run_again_is_not_done(project):
    finish("toy")
    assert planned("pick_domain.items=4") == {}
    assert planned("redo=true") == {}


def test_a_damaged_or_missing_source_is_run(project):
    finish("first")
    (project / "runs/first/math/01_pick_domain/manifest.json").write_text("{")
    assert planned("from=first") == {}
    assert planned("from=nowhere") == {}
