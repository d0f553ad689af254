"""Several processes and machines: sessions of Ray."""
