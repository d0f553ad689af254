"""Models: catalogue, download, loading, chat templates, architecture, merging."""
