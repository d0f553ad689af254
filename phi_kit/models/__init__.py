"""Models: the catalogue, loading, sampling, endpoints and the ledger of samples."""
