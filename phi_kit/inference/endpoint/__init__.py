"""Completions from an OpenAI-compatible server."""
