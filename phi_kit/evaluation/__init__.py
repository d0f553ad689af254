"""Asking a model the items of a domain, and comparing what it answers."""
