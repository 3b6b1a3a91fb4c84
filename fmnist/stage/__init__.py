"""What every stage uses: the numeric contract, parameters, files, errors and the life of a process.

A change here reruns all stages.
"""
