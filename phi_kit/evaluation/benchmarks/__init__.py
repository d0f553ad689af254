"""Public benchmarks by name, a local file as one, and the offline regression suite."""
