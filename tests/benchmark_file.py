"""benchmarks.json: one row for each figure, by name; a newer one takes its place."""

import json
from pathlib import Path

from phi_kit.core.files import versions

FILE = Path(__file__).resolve().parents[1] / "benchmarks.json"


class BenchmarkFile:
    """The figures of the repository, and those that are measured now.

    Args:
        path: the file that is written.
        more: what every new row says besides, such as the card's name.
    """

    def __init__(self, path: Path = FILE, **more: str):
        self.path, self.more = path, more
        self.measured: dict[str, dict] = {}

    def add(self, name: str, figure: float, *, unit: str, n: int, what: str) -> dict:
        """Keep a figure: at once, for what comes next may take the process with it.

        Returns:
            Its row.
        """
        row = {"name": name, "figure": round(figure, 4), "unit": unit, "n": n}
        row |= {"what": what, **self.more, "versions": dict(versions())}
        self.measured[name] = row
        # Read anew: another run may have measured something meanwhile.
        source = self.path if self.path.is_file() else FILE
        rows = {row["name"]: row for row in json.loads(source.read_text())}
        rows |= self.measured
        ordered = [rows[name] for name in sorted(rows)]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(ordered, indent=1) + "\n")
        return row
