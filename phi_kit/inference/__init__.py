"""Completions from models, local or behind a URL, through one `draw`."""
