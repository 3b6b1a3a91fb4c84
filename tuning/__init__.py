"""Sweeps: many trainings of a recipe with other values, on one machine or many."""
