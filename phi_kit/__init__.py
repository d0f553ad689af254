"""phi_kit: data-first supervised fine-tuning, one notebook per step."""

__version__ = "0.1.0"
