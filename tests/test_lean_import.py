"""TensorFlow loads without packages that Keras would use only if they are installed."""

import subprocess
import sys

from projects import ROOT

UNUSED = ("matplotlib", "pandas", "sklearn")


def test_tensorflow_loads_without_unused_packages_which_can_be_imported_afterwards():
    program = (
        "import stages, fmnist.network, gc, sys\n"
        f"print([name for name in {UNUSED} if name in sys.modules], gc.isenabled())\n"
        f"import {', '.join(UNUSED)}\n"
        "print(sklearn.__name__)"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True)
    assert result.stdout.decode() == "[] True\nsklearn\n", result.stderr.decode()


def test_a_package_that_was_imported_before_stays():
    program = (
        "import stages, pandas, sys\nimport fmnist.network\nprint(sys.modules['pandas'] is pandas)"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True)
    assert result.stdout.decode() == "True\n", result.stderr.decode()
