"""Completions from a model on this machine."""
