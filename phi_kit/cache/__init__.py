"""The ledger: every sample ever paid for."""
