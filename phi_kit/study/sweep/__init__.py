"""Sweeps: many variants of one study, every notebook that they share run once."""
