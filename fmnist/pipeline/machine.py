"""The machine, as far as it could decide a result."""

import os
import platform
from importlib import metadata

from fmnist.dataset import pins
from fmnist.stage import contract

GROUPS = ("prepare", "train", "evaluate", "plot")
# Instruction sets by which numeric libraries choose code, of x86-64 and of ARM.
INSTRUCTIONS = (
    *("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_bf16", "avx512_fp16", "amx_tile"),
    *("asimd", "asimddp", "fphp", "bf16", "i8mm", "sve", "sve2", "sme", "sme2"),
)


def facts() -> dict[str, str | int]:
    """Return what decides speed and, outside the contract, results."""
    cpuinfo = contract.cpuinfo()
    flags = (cpuinfo.get("flags") or cpuinfo.get("Features", "")).split()
    processor = cpuinfo.get("model name") or platform.processor() or "unknown"
    if "CPU part" in cpuinfo:  # ARM names its processors by numbers
        processor = f"ARM {cpuinfo['CPU implementer']} {cpuinfo['CPU part']}"
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        system = platform.platform()
    cores = os.cpu_count() or 1
    return {
        "processor": processor,
        "family": f"{cpuinfo.get('cpu family', '?')}, model {cpuinfo.get('model', '?')}",
        "instruction sets": " ".join(name for name in INSTRUCTIONS if name in flags) or "unknown",
        "cores": cores,
        "usable cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores,
        "memory GiB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{system}, {platform.system()} {platform.machine()}",
        "C library": " ".join(platform.libc_ver()) or "unknown",
        "Python": platform.python_version(),
    }


def packages() -> dict[str, str]:
    """Return the installed version of each package that decides results, and of DVC."""
    names = [pin.split("==")[0] for pin in pins.pinned(*GROUPS)] + ["dvc"]
    return {name: metadata.version(name) for name in names}


def describe(commit: str) -> str:
    """Return a line for each fact, for the commit that runs here, and for the contract."""
    found = {
        "commit": commit,
        **facts(),
        "packages": " ".join(f"{name}=={version}" for name, version in packages().items()),
        "switches": " ".join(f"{name}={value!r}" for name, value in contract.SWITCHES.items()),
    }
    return "\n".join(f"{name:17} {fact}" for name, fact in found.items())
