"""The numeric contract: results are a function of the parameters, not of the machine.

`apply` fixes what a user's environment could change and caps the instruction set, and has to run
before NumPy, TensorFlow or Matplotlib is imported, because they read these switches when they load.
`apply_to_tensorflow` fixes the rest. What each switch does was measured; see ``docs/contract.md``.
"""

import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fmnist import eigen
from fmnist.command import InputError

# Variables of these families decide numbers or pictures; those not set below are removed.
FAMILIES = (
    *("TF_", "TENSORFLOW_", "XLA_", "ONEDNN_", "DNNL_", "KERAS_", "CUDA_", "ABSL_"),
    *("NPY_", "OPENBLAS_", "GOTO_", "OMP_", "GOMP_", "KMP_", "MKL_", "BLIS_"),
    *("MPL", "MATPLOTLIB", "FREETYPE_", "LC_", "LANGUAGE"),
)

SWITCHES = {
    # One instruction set for all, whatever the processor has beyond it.
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2"
    " --xla_cpu_enable_platform_dependent_math=false"
    " --xla_cpu_use_xnnpack=false",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "NPY_ENABLE_CPU_FEATURES": "X86_V3",
    "OPENBLAS_CORETYPE": "Haswell",
    # Without oneDNN, TensorFlow blocks gradients of convolutions by the size of the caches.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # Sums split among threads depend on how many there are. TensorFlow's are a parameter.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
    # No configuration from the home folder: nothing can stand below /dev/null.
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": os.devnull,
    "MPLBACKEND": "agg",
    "MATPLOTLIBRC": os.devnull,
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}

TENSORFLOW = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")  # hold Eigen's code
INSTRUCTIONS = ("avx2", "fma")
CPUINFO = Path("/proc/cpuinfo")


def apply() -> None:
    """Put the switches into this process's environment; say where the contract cannot hold.

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
    wanted = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(FAMILIES) and name not in SWITCHES
    } | SWITCHES
    early = {"numpy", "tensorflow", "keras", "matplotlib"} & set(sys.modules)
    if early and not SWITCHES.items() <= os.environ.items():
        raise RuntimeError(f"contract.apply() has to run before importing {sorted(early)}")
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)
    time.tzset()
    for reason in unmet():
        print(
            f"warning: results may differ from dvc.lock's on this machine: {reason}",
            file=sys.stderr,
        )


def unmet() -> list[str]:
    """Return the facts of this machine under which the contract does not promise equal bytes."""
    if sys.platform != "linux":
        return [f"expected Linux, found {platform.system()}"]
    if platform.machine() != "x86_64":
        return [f"expected an x86-64 processor, found {platform.machine()}"]
    reasons = []
    if platform.libc_ver()[0] != "glibc":
        reasons.append("expected glibc, found another C library")
    flags = cpuinfo().get("flags", "").split()
    if missing := [name for name in INSTRUCTIONS if name not in flags]:
        reasons.append(f"expected a processor with {' and '.join(missing)}, found none")
    return reasons


def cpuinfo() -> dict[str, str]:
    """Return what Linux says of the first processor; nothing on other systems."""
    if not CPUINFO.exists():
        return {}
    first, _, _ = CPUINFO.read_text(encoding="utf-8").partition("\n\n")
    entries = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in entries}


def apply_to_tensorflow(threads: int) -> None:
    """Import TensorFlow with deterministic operators and a fixed number of threads.

    Args:
        threads: within an operator (shards of its work); operators run one after another.
    """
    with _quiet():
        import tensorflow as tf
        from keras import config

        from fmnist import batch_normalization

        if not unmet():
            folder = Path(tf.sysconfig.get_lib())
            try:
                eigen.set_cache_sizes([folder / name for name in TENSORFLOW])
            except LookupError as error:
                raise InputError(
                    f"TensorFlow: expected the build that requirements.lock names, found another:"
                    f" {error}; `sh commands/install.sh` mends it"
                ) from None
        batch_normalization.install()
        tf.config.experimental.enable_op_determinism()
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.constant(0)  # starts the runtime, which logs the processor's features
    config.disable_interactive_logging()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what C++ prints to standard error while it loads, unless loading fails."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
