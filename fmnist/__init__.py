"""The library behind the stages: a pipeline that classifies Fashion-MNIST. It knows nothing of DVC."""
