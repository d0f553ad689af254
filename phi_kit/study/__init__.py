"""Studies: the YAML file that describes one, and the runner that carries it out."""
