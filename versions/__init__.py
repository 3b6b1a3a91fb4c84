"""Committed versions of the project: a checkout of one, what its dvc.lock says, how it compares."""
