"""How a set grows: transforms, the gates their rows pass, lineage, the frozen set."""
