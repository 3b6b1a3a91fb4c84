"""The numeric contract: results are a function of the parameters, not of the machine.

`apply` fixes what a user's environment could change and caps the instruction set. It runs when
`stages` or `commands` is imported, because NumPy, TensorFlow and Matplotlib read these switches
when they load. `fmnist.network.tensorflow_contract` fixes the rest. What each switch does was
measured: ``docs/contract.md``.
"""

import os
import platform
import sys
import time
from pathlib import Path

from fmnist.stage.command import InputError

# Variables with these prefixes decide numbers or drawings; those not set below are removed.
FAMILIES = (
    *("TF_", "TENSORFLOW_", "XLA_", "ONEDNN_", "DNNL_", "KERAS_", "CUDA_", "ABSL_"),
    *("NPY_", "OPENBLAS_", "GOTO_", "OMP_", "GOMP_", "KMP_", "MKL_", "BLIS_"),
    *("MPL", "MATPLOTLIB", "FREETYPE_", "LC_", "LANGUAGE"),
)
KEPT = {"MPLCONFIGDIR"}  # where Matplotlib keeps its cache of fonts

SWITCHES = {
    # What each library computes with at most. XLA's and NumPy's results depend on it; oneDNN's, as
    # `fmnist.network` uses it, are the same with AVX2, and were not compared with more than this.
    "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2"
    " --xla_cpu_enable_platform_dependent_math=false"
    " --xla_cpu_use_xnnpack=false",
    "NPY_ENABLE_CPU_FEATURES": "X86_V3",
    "OPENBLAS_CORETYPE": "Haswell",
    # Without oneDNN, TensorFlow blocks gradients of convolutions by the size of the caches.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # Sums split among threads depend on how many there are. TensorFlow's are a parameter.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
    # No configuration from the home folder: there is nothing below /dev/null.
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": os.devnull,
    "MPLBACKEND": "agg",
    "MATPLOTLIBRC": os.devnull,
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}

# On other processors these would end the process instead of choosing other code.
FOR_AVX2 = ("NPY_ENABLE_CPU_FEATURES", "OPENBLAS_CORETYPE")
INSTRUCTIONS = ("avx2", "fma", "bmi1", "bmi2", "f16c", "abm", "movbe")  # NumPy's X86_V3
CPUINFO = Path("/proc/cpuinfo")
PROJECT = Path(__file__).resolve().parent.parent.parent


def apply() -> None:
    """Put the switches into this process's environment; warn where the contract cannot hold.

    Calling it again changes nothing.

    Raises:
        InputError: ``GLIBC_TUNABLES`` masks processor features, which it does before Python starts.
        RuntimeError: a library that reads the switches was imported before them.
    """
    if "hwcaps" in os.environ.get("GLIBC_TUNABLES", ""):
        raise InputError(
            "GLIBC_TUNABLES: expected no hwcaps, which choose other mathematical functions,"
            f" found {os.environ['GLIBC_TUNABLES']!r}; unset it"
        )
    reasons = unmet()
    has_avx2 = platform.machine() == "x86_64" and not reasons
    switches = {name: value for name, value in SWITCHES.items() if has_avx2 or name not in FOR_AVX2}
    wanted = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or not (name.startswith(FAMILIES) or name in SWITCHES)
    } | switches
    early = {"numpy", "tensorflow", "keras", "matplotlib"} & set(sys.modules)
    if early and not switches.items() <= os.environ.items():
        raise RuntimeError(f"contract.apply() has to run before importing {sorted(early)}")
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)
    time.tzset()
    _leave_out_foreign_packages()
    for reason in reasons:
        print(
            f"warning: results may differ from dvc.lock's on this machine: {reason}",
            file=sys.stderr,
        )


def _leave_out_foreign_packages() -> None:
    """Import no package from PYTHONPATH, where an older NumPy may be, but those of the project."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    foreign = {Path(path).resolve() for path in given if path} - {PROJECT}
    sys.path[:] = [path for path in sys.path if Path(path).resolve() not in foreign]


def unmet() -> list[str]:
    """Return the facts of this machine under which the contract does not promise equal bytes."""
    if sys.platform != "linux":
        return [f"expected Linux, found {platform.system()}"]
    if platform.machine() not in ("x86_64", "aarch64"):
        return [f"expected an x86-64 or a 64-bit ARM processor, found {platform.machine()}"]
    reasons = []
    if platform.libc_ver()[0] != "glibc":
        reasons.append("expected glibc, found another C library")
    if platform.machine() == "x86_64":
        flags = cpuinfo().get("flags", "").split()
        if missing := [name for name in INSTRUCTIONS if name not in flags]:
            reasons.append(f"expected a processor with {' and '.join(missing)}, found none")
    elif "sme" in cpuinfo().get("Features", "").split():
        reasons.append("expected an ARM processor without SME, found SME")
    return reasons


def cpuinfo() -> dict[str, str]:
    """Return what Linux knows about the first processor; nothing on other systems."""
    if not CPUINFO.exists():
        return {}
    first, _, _ = CPUINFO.read_text(encoding="utf-8").partition("\n\n")
    entries = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in entries}
