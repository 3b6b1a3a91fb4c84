"""Committed versions of the project: a checkout of one, its seeds, and how two of them compare.

Commands and benchmarks use it; no stage does.
"""
