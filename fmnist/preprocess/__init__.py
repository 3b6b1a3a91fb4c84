"""Turn the raw files into normalized training, validation and test images."""
