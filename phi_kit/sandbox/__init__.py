"""Runs code that nobody has read, bounded in every direction."""
