"""The math verifier: exact first, then by type, last by computer algebra."""
