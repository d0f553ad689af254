"""The rows of a long run on disk, one file a rank, in the order of its steps.

Each process maps its own file and reads a step's rows when their turn comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from phi_kit.core.errors import disk_errors

from .encoding import EncodedRow
from .ranks import deal


def write_shards(
    folder: Path, steps: Iterator[Sequence[EncodedRow]], ranks: int
) -> None:
    """Write every rank's rows as Arrow files, a record batch for each step.

    Args:
        folder: for the files; made if need be.
        steps: the rows of each optimiser step.
        ranks: how many processes.

    Raises:
        RunError: the disk is full.
    """
    import pyarrow as pa

    numbers = pa.list_(pa.int32())
    schema = pa.schema([("ids", numbers), ("labels", numbers)])
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        writers = [pa.ipc.new_file(_file(folder, r), schema) for r in range(ranks)]
        for step in steps:
            for writer, rows in zip(writers, deal(step, ranks), strict=True):
                columns = [[r.ids for r in rows], [r.labels for r in rows]]
                arrays = [pa.array(column, numbers) for column in columns]
                writer.write_batch(pa.record_batch(arrays, schema=schema))
        for writer in writers:
            writer.close()


def _file(folder: Path, rank: int) -> Path:
    return folder / f"rank-{rank}.arrow"


class ShardSteps(Sequence):
    """One rank's rows, step by step.

    Args:
        folder: as `write_shards` had it.
        rank: whose rows.
    """

    def __init__(self, folder: Path, rank: int):
        import pyarrow as pa

        self._reader = pa.ipc.open_file(pa.memory_map(str(_file(folder, rank))))

    def __len__(self) -> int:
        return self._reader.num_record_batches

    def __getitem__(self, step: int) -> list[EncodedRow]:
        columns = self._reader.get_batch(step).to_pydict()
        pairs = zip(columns["ids"], columns["labels"], strict=True)
        return [EncodedRow(ids, labels) for ids, labels in pairs]
