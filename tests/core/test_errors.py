"""An error says what, where and what to do."""

import errno
import pickle

import pytest

from phi_kit.core.errors import (
    DiskFullError,
    KernelDiedError,
    PhiKitError,
    RunError,
    StudyError,
    did_you_mean,
    disk_errors,
    tells_of_full_disk,
)


def test_says_what_where_and_what_to_do():
    error = PhiKitError("no column 'x'", where="a.csv", todo="name it")
    assert str(error) == "no column 'x'\n  where: a.csv\n  to do: name it"
    assert str(PhiKitError("only this")) == "only this"


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("SAMPELS", ["samples", "model"], "; did you mean 'samples'?"),
        ("question", ["QUESTION", "b"], "; did you mean 'QUESTION'?"),
        ("xyz", ["b", "a"], "; known: a, b"),
        ("x", [], ""),
    ],
)
def test_did_you_mean(word, known, said):
    assert did_you_mean(word, known) == said


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        Exception("I/O error: No space left on device (os error 28)"),  # safetensors
    ],
)
def test_a_full_disk_is_one_clear_message(error, tmp_path):
    said = r"disk is full[\s\S]*free some space"
    with pytest.raises(RunError, match=said), disk_errors(tmp_path):
        raise error


@pytest.mark.parametrize("error", [FileNotFoundError("x"), KeyError("x")])
def test_other_errors_stay_what_they_are(error, tmp_path):
    with pytest.raises(type(error)), disk_errors(tmp_path):
        raise error


@pytest.mark.parametrize("kind", [RunError, DiskFullError, KernelDiedError, StudyError])
def test_an_error_goes_to_another_process_and_back_whole(kind):
    error = pickle.loads(pickle.dumps(kind("what", where="here", todo="that")))
    assert type(error) is kind
    assert (error.what, error.where, error.todo) == ("what", "here", "that")


def test_a_full_disk_is_known_by_its_text():
    assert tells_of_full_disk("OSError: [Errno 28] No space left on device: 'x'")
    assert not tells_of_full_disk("ValueError: no space")
