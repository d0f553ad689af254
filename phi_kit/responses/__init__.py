"""Where a row's response comes from, and the checks before it may be trained on."""
