"""Which seeds are worth training on."""
