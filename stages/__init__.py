"""The five stages; ``dvc.yaml`` runs each as ``python -m stages.<name>``.

Importing this package applies the numeric contract, before a stage imports what computes.
"""

from fmnist.stage import contract

contract.apply()
