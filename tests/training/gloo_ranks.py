"""Processes that train together over gloo, without Ray.

python gloo_ranks.py FOLDER RANK SIZE
"""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


class GlooTrainer:
    """In the place of Ray's trainer; a process that is lost is not replaced.

    Args:
        how: what each process is told.
        size: how many.
        folder: for what they share.
        dies_at: the last one is killed once so many steps are done.
    """

    def __init__(self, how, size, folder, *, dies_at=None):
        self.how, self.size, self.folder = how, size, folder
        self.dies_at = dies_at

    def fit(self):
        self.folder.mkdir()
        (self.folder / "how").write_bytes(pickle.dumps(self.how))
        ranks = [self._start(rank) for rank in range(self.size)]
        try:
            while any(rank.poll() is None for rank in ranks):
                if self.dies_at and self._steps() >= self.dies_at:
                    ranks[-1].kill()
                if any(rank.poll() for rank in ranks):
                    break
                time.sleep(0.02)
        finally:
            for rank in ranks:  # nobody waits for one that is lost
                rank.kill()
                rank.wait()
        codes = [rank.returncode for rank in ranks]
        if any(codes):
            said = [(self.folder / f"{r}.log").read_text() for r in range(self.size)]
            raise RuntimeError(f"they ended with {codes}: {said}")

    def _start(self, rank):
        words = [str(self.folder), str(rank), str(self.size)]
        path = os.pathsep.join(map(str, (HERE.parents[1], HERE.parent, HERE)))
        with (self.folder / f"{rank}.log").open("w") as log:
            return subprocess.Popen(
                [sys.executable, str(HERE / "gloo_ranks.py"), *words],
                env={**os.environ, "PYTHONPATH": path},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _steps(self):
        note = self.how["run"].shards / "steps.count"
        return int(note.read_text()) if note.exists() else 0


def join(folder, rank, size):
    """Take part as one of `size` processes."""
    import torch.distributed as dist

    from phi_kit.training.worker_training import train_as_rank

    store = dist.FileStore(str(folder / "store"), size)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=size)
    train_as_rank(pickle.loads((folder / "how").read_bytes()))
    dist.destroy_process_group()


if __name__ == "__main__":
    join(Path(sys.argv[1]), *map(int, sys.argv[2:]))
