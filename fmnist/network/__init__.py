"""What training and evaluation share: TensorFlow under the numeric contract, prediction, scores.

A change here reruns train and evaluate. Importing this package loads TensorFlow.
"""

from fmnist.network.lean_import import lean_import
from fmnist.network.quiet import quiet

# Keras loads these for functions that nothing here uses.
with quiet(), lean_import("matplotlib", "pandas", "sklearn"):
    import tensorflow  # noqa: F401
