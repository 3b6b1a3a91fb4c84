"""The library behind the stages. It knows nothing of DVC."""
