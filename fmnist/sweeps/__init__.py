"""Sweeps: many trainings of a recipe with other values, on one machine or on a cluster.

Only the commands sweep and apply use it; a change here reruns no stage.
"""
