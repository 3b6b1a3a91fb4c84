"""Everything else that a person runs, each with a make target.

Importing this package applies the numeric contract, before a command imports what computes.
"""

from fmnist.stage import contract

contract.apply()
