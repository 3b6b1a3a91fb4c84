"""The pipeline seen from outside: its graph, its lock file, DVC's commands and the machine.

Only commands use it.
"""
