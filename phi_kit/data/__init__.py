"""Seeds: records, sources, duplicates, the seal and the frozen data sets."""
