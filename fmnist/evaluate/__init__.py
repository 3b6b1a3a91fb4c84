"""Turn predicted probabilities into the figures of the test set."""
