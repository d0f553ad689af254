"""Which sealed item a prompt overlaps, and in which words."""
