"""One notebook, run headless."""
