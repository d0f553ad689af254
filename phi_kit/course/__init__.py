"""What the notebooks teach with: exercises, kept guesses, one module per lesson."""
