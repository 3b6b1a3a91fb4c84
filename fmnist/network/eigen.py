"""Fix the cache sizes by which Eigen, within TensorFlow, cuts matrix products into blocks.

Eigen asks the processor for the sizes of its caches, and the edge of a block is summed in another
order than its middle: machines with other caches get other last digits. No environment variable
sets the sizes, and TensorFlow does not export the function that does, ``Eigen::setCpuCacheSizes``.
So they are set where that function keeps them: a static variable, which the symbol tables of
TensorFlow's libraries name. TensorFlow's version is a pin; one without that variable is refused.

https://gitlab.com/libeigen/eigen/-/blob/3.4/Eigen/src/Core/products/GeneralBlockPanelKernel.h
"""

import ctypes
import mmap
import struct
from pathlib import Path

# Bytes of L1 and L2 of a core, and of L3: Intel's Haswell, the oldest processor of the contract.
CACHE_SIZES = (32 << 10, 256 << 10, 8 << 20)

# `CacheSizes m_cacheSizes` in `manage_caching_sizes`: three ptrdiff_t; and its guard, whose first
# byte says that it is initialized (Itanium C++ ABI, 3.3.2).
_SIZES = b"_ZZN5Eigen8internal20manage_caching_sizesENS_6ActionEPlS2_S2_E12m_cacheSizes"
_GUARD = b"_ZGVZN5Eigen8internal20manage_caching_sizesENS_6ActionEPlS2_S2_E12m_cacheSizes"

_SYMBOL_TABLE, _SYMBOL_SIZE = 2, 24  # type of an ELF-64 section, bytes of an entry


def set_cache_sizes(libraries: list[Path]) -> None:
    """Set the sizes in each of these loaded libraries, before they multiply anything.

    Raises:
        LookupError: a library is not loaded, or names no such variable.
    """
    for library in libraries:
        base = _base(library)
        sizes, guard = (base + value for value in _symbols(library, _SIZES, _GUARD))
        (ctypes.c_ssize_t * 3).from_address(sizes)[:] = CACHE_SIZES
        ctypes.c_uint8.from_address(guard).value = 1


def _base(library: Path) -> int:
    """Return the address at which a library is loaded."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, _, offset, _, _, *path = line.split(maxsplit=5)
        if path == [str(library.resolve())] and int(offset, 16) == 0:
            return int(addresses.partition("-")[0], 16)
    raise LookupError(f"{library} is not loaded")


def _symbols(library: Path, *names: bytes) -> list[int]:
    """Return the values of symbols, found in the library's symbol table (ELF-64)."""
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as elf:
        first, size, count = struct.unpack_from("<Q10xHH", elf, 0x28)
        headers = range(first, first + size * count, size)
        sections = [struct.unpack_from("<4xI16xQQI", elf, header) for header in headers]
        for kind, start, length, link in sections:
            if kind == _SYMBOL_TABLE:
                _, strings, strings_length, _ = sections[link]
                found = [
                    elf.find(b"\0" + name + b"\0", strings, strings + strings_length)
                    for name in names
                ]
                if -1 not in found:
                    return [_value(elf, start, start + length, at + 1 - strings) for at in found]
    raise LookupError(f"{library} names no {names[0].decode()}")


def _value(elf: mmap.mmap, start: int, end: int, name: int) -> int:
    """Return the value of the symbol whose name begins at ``name`` of the table of strings."""
    at = elf.find(struct.pack("<I", name), start, end)
    while at != -1 and (at - start) % _SYMBOL_SIZE:
        at = elf.find(struct.pack("<I", name), at + 1, end)
    if at == -1:
        raise LookupError("its symbol table is damaged")
    return struct.unpack_from("<8xQ", elf, at)[0]
