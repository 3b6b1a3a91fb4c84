"""Train a recipe: network, optimizer, schedule and the compiled epoch."""
