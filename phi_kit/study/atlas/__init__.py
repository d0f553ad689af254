"""The atlas of a sweep: one table and one page of all its variants."""
