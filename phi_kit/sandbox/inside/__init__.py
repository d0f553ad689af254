"""Standard library only: what is loaded inside a sandbox."""
