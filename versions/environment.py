"""What a machine is, as far as it could decide a result."""

import os
import platform
from importlib import metadata

from fmnist import contract, pins

GROUPS = ("prepare", "train", "evaluate", "plot")
# Instruction sets that libraries of this field choose code by.
INSTRUCTIONS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_bf16", "avx512_fp16", "amx_tile")


def describe(commit: str) -> str:
    """Return a line for each fact, and one for the commit that runs here."""
    cpuinfo = contract.cpuinfo()
    flags = cpuinfo.get("flags", "").split()
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        system = platform.platform()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    names = [pin.split("==")[0] for pin in pins.pinned(*GROUPS)] + ["dvc"]
    facts = {
        "commit": commit,
        "processor": cpuinfo.get("model name", platform.processor() or "unknown"),
        "instruction sets": " ".join(name for name in INSTRUCTIONS if name in flags) or "unknown",
        "cores": f"{usable} of {os.cpu_count()}",
        "system": f"{system}, {platform.system()} {platform.machine()}",
        "C library": " ".join(platform.libc_ver()) or "unknown",
        "Python": platform.python_version(),
        "packages": " ".join(f"{name}=={metadata.version(name)}" for name in names),
        "switches": " ".join(f"{name}={value!r}" for name, value in contract.SWITCHES.items()),
    }
    return "\n".join(f"{name:17} {fact}" for name, fact in facts.items())
