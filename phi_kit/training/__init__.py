"""QLoRA training, its data gate, and the arms that make it an experiment."""
