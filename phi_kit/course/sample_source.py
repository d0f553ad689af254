"""Where a notebook's samples come from: a model, or a recording that the kit carries.

With `SOURCE = "recorded"` in its `ADVANCED` any notebook starts cold, without a model
and without a network: the study `workshop` is replayed from its ledger, first the
steps that this notebook reads, as far as they have not finished. Parameters may be
changed as far as what was recorded answers them; figures and manifests say that no
model ran.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from phi_kit import steps
from phi_kit.core.errors import StudyError, did_you_mean, disk_errors
from phi_kit.core.notebook_setup import set_up_notebook
from phi_kit.core.params import ADVANCED, StepParams, read_value
from phi_kit.core.replay_mode import REPLAY
from phi_kit.core.step_state import up_to_date
from phi_kit.models.model_dir import cache_folder
from phi_kit.study import config
from phi_kit.study.study_draft import Unit

from .project_folder import carried_files

SOURCE, MODEL, RECORDED = "SOURCE", "model", "recorded"
STUDY = "workshop"  # the study that is recorded
PACKED = Path(__file__).with_name("recorded") / f"{STUDY}.sqlite.xz"
P = TypeVar("P", bound=StepParams)


def begin(params: type[P], namespace: Mapping[str, Any]) -> P:
    """The parameters of a notebook that is about to run.

    Args:
        params: of the notebook's step.
        namespace: the notebook's `globals()`.

    Raises:
        StudyError: as `from_notebook` does; or `SOURCE` is neither of the two, or the
            recording has no such domain.
        RunError: what the step reads has not finished, or a changed parameter asks
            for what was not recorded.
    """
    set_up_notebook(namespace)  # before any step is replayed, which may be stopped
    source, namespace = _source(namespace)
    if source == MODEL:
        if Path(os.environ.get(REPLAY, "")).parent == _folder():
            del os.environ[REPLAY]  # an earlier run of this very cell set it
        return params.from_notebook(namespace)
    os.environ[REPLAY] = str(recorded_ledger())
    wanted = as_recorded(params.from_namespace(namespace))
    for unit in _missing(wanted):
        print(f"from the recording: {unit.title}")
        steps.load(unit.params.STEP).run(unit.params)
    values = {name.upper(): value for name, value in wanted.model_dump().items()}
    kept = {"get_ipython": namespace.get("get_ipython", lambda: None)}
    print("SOURCE is 'recorded': no model runs, its samples are repeated")
    return params.from_notebook(kept | values)


def as_recorded(given: P) -> P:
    """The recorded study's parameters for a step, with what a reader has changed.

    Args:
        given: as a notebook has them. What it names holds where its study is the
            recorded one, as in a workshop's copies; elsewhere its cell has the
            quickstart's values, and what differs from a default holds.

    Raises:
        StudyError: the recording has no such domain.
    """
    named = given.model_fields_set if given.study == STUDY else given.changed()
    values = unit_of(given).params.model_dump() | given.model_dump(include=set(named))
    return type(given).validated(values, where=f"{ADVANCED} with {SOURCE}")


def recorded_units() -> tuple[Unit, ...]:
    """Every step of the recorded study, in order."""
    return config.load(carried_files() / "params" / f"{STUDY}.yaml").units()


def unit_of(given: StepParams) -> Unit:
    """The recorded step that a notebook's parameters are of.

    Raises:
        StudyError: the recording has no such domain.
    """
    units = [unit for unit in recorded_units() if unit.params.STEP == given.STEP]
    domain = getattr(given, "domain", "")
    for unit in units:
        if unit.domain == domain:
            return unit
    known = [unit.domain for unit in units]
    raise StudyError(
        f"the recording has no domain '{domain}'{did_you_mean(domain, known)}",
        where=f"{SOURCE} = '{RECORDED}'",
        todo=f"take one of {', '.join(known)}, or SOURCE = 'model'",
    )


def recorded_ledger() -> Path:
    """The recorded ledger as a file; unpacked once.

    Raises:
        RunError: the cache cannot be written.
    """
    packed = PACKED.read_bytes()
    # Another recording is another file: a kernel may still read the old one.
    ledger = _folder() / f"{hashlib.sha256(packed).hexdigest()[:16]}.sqlite"
    if not ledger.is_file():
        with disk_errors(ledger):
            ledger.parent.mkdir(parents=True, exist_ok=True)
            partial = ledger.with_suffix(f".{os.getpid()}")
            partial.write_bytes(lzma.decompress(packed))
            partial.replace(ledger)
    return ledger


def pack_ledger(ledger: Path, packed: Path = PACKED) -> None:
    """Pack a study's ledger as a recording: without what SQLite keeps beside it.

    Args:
        ledger: of one study that has finished, and of nothing else.
        packed: the recording.
    """
    with disk_errors(packed), TemporaryDirectory() as folder:
        whole = Path(folder, "ledger.sqlite")
        with closing(sqlite3.connect(ledger)) as source:
            source.execute("VACUUM INTO ?", [str(whole)])
        packed.parent.mkdir(parents=True, exist_ok=True)
        packed.write_bytes(lzma.compress(whole.read_bytes(), preset=9))


def _folder() -> Path:
    return cache_folder().parent / "recorded"


def _source(namespace: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """`SOURCE`, and the namespace without it."""
    names = dict(namespace)
    advanced = names.get(ADVANCED, {})
    advanced = read_value(advanced) if isinstance(advanced, str) else advanced
    source = names.pop(SOURCE, MODEL)
    if isinstance(advanced, Mapping) and SOURCE in advanced:
        source = advanced[SOURCE]
        names[ADVANCED] = {k: v for k, v in advanced.items() if k != SOURCE}
    if source not in (MODEL, RECORDED):
        near = did_you_mean(str(source), (MODEL, RECORDED))
        raise StudyError(
            f"SOURCE is 'model' or 'recorded', not {source!r}{near}",
            where="the parameters cell",
            todo="correct it and run again; nothing was started",
        )
    return source, names


def _missing(wanted: StepParams) -> Iterator[Unit]:
    """The earlier steps that this one reads, as far as they have not finished."""
    for unit in recorded_units():
        same = unit.domain == getattr(wanted, "domain", unit.domain)
        if unit.params.STEP.number >= wanted.STEP.number or not same:
            continue
        params = unit.params.model_copy(update={"study": wanted.study})
        if not up_to_date(params):
            yield unit._replace(params=params)
