"""Verifiers: is this response right? Three answers, each with its reason."""
