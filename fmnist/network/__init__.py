"""What training and evaluation share: TensorFlow under the numeric contract, prediction, scores.

A change here reruns train and evaluate. Importing this package loads TensorFlow.
"""

from fmnist.network.quiet import quiet

with quiet():
    import tensorflow  # noqa: F401
