"""The pipeline seen from outside: its graph, its lock file, DVC's commands and the machine.

Commands and benchmarks use it; no stage does.
"""
