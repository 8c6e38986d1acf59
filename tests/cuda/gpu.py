# SPDX-License-Identifier: Apache-2.0
"""What processes of these tests do on the device; they import it, the tests themselves do not.

The kernels are compiled and started once by `warm`: a module that is loaded while a kernel runs may
wait for that kernel, and then nothing would show what the library itself waits for.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import numpy as np

# Programs run with -W error; what other people's libraries warn of is no failure of ours.
warnings.simplefilter("default")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import cupy as cp

MIB, GIB = 1 << 20, 1 << 30

# Time that passes is what matters, not cycles: the clock of the device changes its pace. The cycles
# are there so that it ends in any case.
_SOURCE = r"""
extern "C" __global__ void spin(unsigned long long nanoseconds) {
  unsigned long long start, now;
  const long long begin = clock64();
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(start));
  do {
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  } while (now - start < nanoseconds && clock64() - begin < (long long)(4 * nanoseconds));
}

#define EACH_WORD \
  for (unsigned long long i = blockIdx.x * (unsigned long long)blockDim.x + threadIdx.x; \
       i < words; i += (unsigned long long)gridDim.x * blockDim.x)

__device__ unsigned int word(unsigned long long i, unsigned int seed) {
  return (unsigned int)(i * 2654435761ull) ^ (unsigned int)(i >> 31) ^ seed;
}
extern "C" __global__ void fill(unsigned int* to, unsigned long long words, unsigned int value) {
  EACH_WORD to[i] = value;
}
extern "C" __global__ void copy(unsigned int* to, const unsigned int* from,
                                unsigned long long words) {
  EACH_WORD to[i] = from[i];
}
extern "C" __global__ void count(const unsigned int* from, unsigned long long words,
                                 unsigned int value, unsigned long long* others) {
  EACH_WORD if (from[i] != value) atomicAdd(others, 1ull);
}
extern "C" __global__ void pattern(unsigned int* to, unsigned long long words, unsigned int seed) {
  EACH_WORD to[i] = word(i, seed);
}
extern "C" __global__ void compare(const unsigned int* from, unsigned long long words,
                                   unsigned int seed, unsigned long long* others) {
  EACH_WORD if (from[i] != word(i, seed)) atomicAdd(others, 1ull);
}
"""
_MODULE = cp.RawModule(code=_SOURCE)
_KERNELS = {
    name: _MODULE.get_function(name)
    for name in ("spin", "fill", "copy", "count", "pattern", "compare")
}


def stream():
    """Make a stream that waits for no other."""
    return cp.cuda.Stream(non_blocking=True)


def mark(on):
    """Give an event that is done when the stream has done what it was given so far."""
    event = cp.cuda.Event(disable_timing=True)
    event.record(on)
    return event


def _launch(name, on, *arguments, blocks=264):
    with on:
        _KERNELS[name]((blocks,), (256 if blocks > 1 else 1,), arguments)


def spin(seconds, on):
    """Keep the stream busy."""
    _launch("spin", on, np.uint64(seconds * 1e9), blocks=1)


def fill(array, value, on):
    """Write one value to each 32-bit word."""
    _launch("fill", on, array, _words(array), np.uint32(value))


def copy(to, array, on):
    """Copy one array into another."""
    _launch("copy", on, to, array, _words(array))


def pattern(array, seed, on):
    """Write another value to each word."""
    _launch("pattern", on, array, _words(array), np.uint32(seed))


def count(array, value, on):
    """Count the words that are not this value; the result is on the device, see `number`."""
    return _counted("count", array, value, on)


def compare(array, seed, on):
    """Count the words that are not what `pattern` wrote."""
    return _counted("compare", array, seed, on)


def _counted(name, array, argument, on):
    with on:
        others = cp.zeros(1, np.uint64)
    _launch(name, on, array, _words(array), np.uint32(argument), others)
    return others


def _words(array):
    return np.uint64(array.nbytes // 4)


def number(counted, on):
    """Wait for a stream, and fetch what was counted there."""
    on.synchronize()
    return int(cp.asnumpy(counted)[0])


def warm():
    """Compile and load everything, so that nothing is left to be loaded later."""
    on = stream()
    with on:
        array, other = cp.empty(1024, np.uint32), cp.empty(1024, np.uint32)
    spin(1e-6, on)
    fill(array, 3, on)
    copy(other, array, on)
    assert number(count(other, 3, on), on) == 0
    pattern(array, 3, on)
    assert number(compare(array, 3, on), on) == 0
    assert number(compare(array, 4, on), on) == 1024


def works(on):
    """Use the device for something of one's own; whatever went wrong before is raised here."""
    with on:
        array = cp.zeros(64, np.uint32)
    return number(count(array, 0, on), on) == 0


def free_memory():
    """Give the bytes that are free on the device."""
    return int(cp.cuda.runtime.memGetInfo()[0])


def wait_for_memory(nbytes, seconds=20):
    """Wait until so many bytes are free; give what is."""
    deadline = time.monotonic() + seconds
    while (free := free_memory()) < nbytes and time.monotonic() < deadline:
        time.sleep(0.01)
    return free


def held():
    """Count the descriptors and the maps of this process."""
    process = Path("/proc/self")
    return len(list((process / "fd").iterdir())), len((process / "maps").read_text().splitlines())
