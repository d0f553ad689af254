"""What every step stands on: errors, randomness, parameters, run folders."""
