"""Whatever stops a run: the checkpoint stands, the message helps, memory is freed."""

import errno
import gc
import os
import subprocess
import sys
import textwrap
import weakref
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from runs_of_five import RECIPE, run
from transformers import TrainerCallback

from phi_kit.core.errors import PhiKitError, RunError, StudyError
from phi_kit.training import trainer, training_run
from phi_kit.training.checkpoints import Checkpoints
from phi_kit.training.failures import TrainingStoppedError

HERE = Path(__file__).resolve().parent
NO_MEMORY = "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"


@pytest.fixture(scope="module")
def undisturbed(tiny, tmp_path_factory):
    root = tmp_path_factory.mktemp("undisturbed")
    return run(tiny, root / "work", root / "arm"), root / "arm"


def last_step(work):
    (folder,) = (work / "arm").iterdir()
    return Checkpoints(folder).step


def at_step(number, error):
    def watch(row):
        if row["step"] == number:
            raise error

    return watch


def losses(change):
    """The loss of a run, changed; `change` gets how many there have been."""
    count = iter(range(1000))

    def loss_of(model):
        real = real_loss_of(model)
        return lambda *a, **k: change(next(count), lambda: real(*a, **k))

    real_loss_of = training_run.choose_loss
    return loss_of


def nan_from(number):
    return lambda n, loss: loss() * (float("nan") if n >= number else 1)


def raising(number, error):
    def change(n, loss):
        if n >= number:
            raise error
        return loss()

    return change


class Held(TrainerCallback):
    """What must be gone after a run: its optimiser, its adapter, its state."""

    def __init__(self):
        self.refs = []

    def on_train_begin(self, args, state, control, *, model, optimizer, **_):
        inner = getattr(optimizer, "optimizer", optimizer)
        self.refs += [weakref.ref(thing) for thing in (state, model, inner)]

    def alive(self):
        gc.collect()
        assert len(self.refs) >= 3
        return [ref for ref in self.refs if ref() is not None]


STOPS = {
    "NaN": (nan_from(2), RunError, r"loss became NaN at step 3[\s\S]*learning_rate"),
    "infinite": (
        lambda n, loss: loss() * (float("inf") if n > 1 else 1),
        RunError,
        r"loss became infinite at step 3",
    ),
    "no memory": (
        raising(2, RuntimeError(NO_MEMORY)),
        RunError,
        r"memory ran out[\s\S]*lower max_row_tokens[\s\S]*carries on after step 2",
    ),
    "full disk": (
        raising(2, OSError(errno.ENOSPC, "No space left on device")),
        RunError,
        r"disk is full[\s\S]*free some space[\s\S]*carries on after step 2",
    ),
    "Ctrl-C": (
        raising(2, KeyboardInterrupt()),
        TrainingStoppedError,
        r"stopped by hand[\s\S]*step 2[\s\S]*run the same cell",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STOPS)
def test_what_stops_a_run(name, tiny, tmp_path, monkeypatch, undisturbed):
    change, kind, said = STOPS[name]
    work, out, held = tmp_path / "work", tmp_path / "arm", Held()
    with monkeypatch.context() as patch:
        patch.setattr(training_run, "choose_loss", losses(change))
        with pytest.raises(kind, match=said) as caught:
            run(tiny, work, out, callbacks=[held])
    assert isinstance(caught.value, PhiKitError)
    assert last_step(work) == 2  # what it had learned is kept
    assert not (out / "adapter_model.safetensors").exists()
    # A notebook keeps the last error with its traceback; `caught` does here.
    assert held.alive() == []
    assert "peft_config" not in vars(tiny.model)
    assert not any("lora" in type(m).__module__ for m in tiny.model.modules())
    assert tiny.model.config._attn_implementation == "sdpa"
    done, folder = undisturbed
    assert run(tiny, work, out) == done
    weights = [(f / "adapter_model.safetensors").read_bytes() for f in (out, folder)]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_ctrl_c_is_still_an_interrupt_to_everyone_else(tiny, tmp_path):
    stop = at_step(1, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt, match="starts from the beginning"):
        run(tiny, tmp_path / "work", tmp_path / "arm", watch=stop)


@pytest.mark.slow
def test_a_bug_stays_a_bug(tiny, tmp_path):
    with pytest.raises(ZeroDivisionError):
        run(
            tiny,
            tmp_path / "w",
            tmp_path / "arm",
            watch=at_step(2, ZeroDivisionError()),
        )


@pytest.mark.slow
def test_nan_in_the_gradient_reaches_no_checkpoint(tiny, tmp_path, monkeypatch):
    def poisoned(n, loss):
        found = loss()
        if n == 2:
            found.register_hook(lambda slope: slope * float("nan"))
        return found

    monkeypatch.setattr(training_run, "choose_loss", losses(poisoned))
    with pytest.raises(RunError, match="gradient became NaN at step 3"):
        run(tiny, tmp_path / "work", tmp_path / "arm")
    assert last_step(tmp_path / "work") == 2


class Cramped:
    """A machine that holds so many tokens at once, and no more."""

    def __init__(self, tokens):
        self.tokens, self.tried = tokens, []

    def __call__(self, _, loss):
        size = self.tried[-1]
        if size > self.tokens:
            raise RuntimeError(NO_MEMORY)
        return loss()


@pytest.mark.slow
def test_when_memory_runs_out_micro_batches_get_smaller(
    tiny, tmp_path, monkeypatch, undisturbed, capsys
):
    cramped = Cramped(tokens=45)
    real = trainer.pack

    def counted(rows, **options):
        cramped.tried.append(sum(len(row.ids) for row in rows))
        return real(rows, **options)

    monkeypatch.setattr(trainer, "pack", counted)
    monkeypatch.setattr(training_run, "choose_loss", losses(cramped))
    found = run(tiny, tmp_path / "work", tmp_path / "arm")
    said = capsys.readouterr().out
    assert "memory ran out at step 1; micro-batches of at most" in said
    assert "the batch stays what it was" in said
    assert said.count("memory ran out") <= 2  # the next steps know
    assert found.losses == pytest.approx(undisturbed[0].losses, abs=1e-4)
    assert found.history[-1]["micro_tokens"] <= 45
    # A run that carries on keeps to it: its sums are in the same order.
    facts = sorted((tmp_path / "work" / "arm").glob("*/checkpoint-5/whole.json"))
    assert '"tokens": ' in facts[0].read_text()


@pytest.mark.slow
def test_with_one_row_at_a_time_activations_are_computed_twice(
    tiny, tmp_path, monkeypatch, undisturbed, capsys
):
    state = []

    def change(_, loss):
        inner = tiny.model
        if not getattr(inner.model, "gradient_checkpointing", False) and not any(
            getattr(layer, "gradient_checkpointing", False)
            for layer in inner.model.layers
        ):
            state.append("refused")
            raise RuntimeError(NO_MEMORY)
        return loss()

    monkeypatch.setattr(training_run, "choose_loss", losses(change))
    found = run(tiny, None, tmp_path / "arm")
    assert "activations are computed twice" in capsys.readouterr().out
    assert found.losses == pytest.approx(undisturbed[0].losses, abs=1e-4)
    assert not any(
        getattr(layer, "gradient_checkpointing", False)
        for layer in tiny.model.model.layers
    )
    assert state


FULL = """
    import resource, sys
    from pathlib import Path
    sys.path[:0] = {paths!r}
    import tiny
    from runs_of_five import run
    from phi_kit.core.errors import RunError
    student = tiny.tiny_student(tiny.tokenizer())
    def watch(row):
        if row["step"] == 3:  # from here on no file of a checkpoint fits
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    import signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        run(student, Path({work!r}), Path({out!r}), watch=watch)
    except RunError as error:
        print(error)
"""


@pytest.mark.slow
def test_a_disk_that_fills_up_while_a_checkpoint_is_written(
    tiny, tmp_path, undisturbed
):
    work, out = tmp_path / "work", tmp_path / "arm"
    paths = [str(HERE), str(HERE.parent)]
    code = FULL.format(paths=paths, work=str(work), out=str(out))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "the disk is full" in done.stdout, done.stderr
    assert "carries on after step 2" in done.stdout
    assert last_step(work) == 2
    assert run(tiny, work, out) == undisturbed[0]


@pytest.mark.slow
def test_a_tracker_that_is_not_there(tiny, tmp_path):
    wrong = RECIPE.with_(report_to=["tensorbored"])
    with pytest.raises(StudyError, match="tensorbored"):
        run(tiny, tmp_path / "work", tmp_path / "arm", recipe=wrong)
    absent = RECIPE.with_(report_to=["wandb"])
    with pytest.raises(RunError, match=r"(?i)wandb[\s\S]*install it"):
        run(tiny, tmp_path / "work", tmp_path / "arm", recipe=absent)


@pytest.mark.slow
def test_a_tracker_is_told(tiny, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    recipe, logs = RECIPE.with_(report_to=["tensorboard"]), tmp_path / "logs"
    done = run(tiny, None, tmp_path / "arm", recipe=recipe, logs=logs)
    events = EventAccumulator(str(logs / "arm"))
    events.Reload()
    told = [one.value for one in events.Scalars("train/loss")]
    assert told == pytest.approx(done.losses)
    assert {"train/learning_rate", "train/tokens_per_second", "train/memory_mb"} <= set(
        events.Tags()["scalars"]
    )


@pytest.mark.slow
def test_a_server_gives_its_memory_back_before_training(tiny, monkeypatch):
    closed = []
    server = SimpleNamespace(close=lambda: closed.append("closed"))
    monkeypatch.setattr(training_run, "_train", lambda *_: {"first": [*closed]})
    student = replace(tiny, engine=server)
    assert training_run.run_training(student, None) == {"first": ["closed"]}
