# SPDX-License-Identifier: Apache-2.0
"""What the benches do on the device, as kernels that cupy compiles; `warm` loads all of them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import cupy as cp

_SOURCE = r"""
#define EACH(type, n) \
  for (unsigned long long i = blockIdx.x * (unsigned long long)blockDim.x + threadIdx.x; \
       i < (n); i += (unsigned long long)gridDim.x * blockDim.x)

extern "C" __global__ void spin(unsigned long long nanoseconds) {
  unsigned long long start, now;
  const long long begin = clock64();
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(start));
  do {
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  } while (now - start < nanoseconds && clock64() - begin < (long long)(4 * nanoseconds));
}
extern "C" __global__ void stamp(unsigned long long* to, unsigned long long place) {
  unsigned long long now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  to[place] = now;
}
extern "C" __global__ void fill(unsigned int* to, unsigned long long words, unsigned int value) {
  EACH(unsigned int, words) to[i] = value;
}
extern "C" __global__ void twice(unsigned int* to, const unsigned int* from,
                                 unsigned long long words) {
  EACH(unsigned int, words) to[i] = 2 * from[i] + 1;
}
extern "C" __global__ void add(const unsigned int* from, unsigned long long words,
                               unsigned long long* total) {
  unsigned long long sum = 0;
  EACH(unsigned int, words) sum += from[i];
  for (int step = 16; step > 0; step /= 2) sum += __shfl_down_sync(0xffffffffu, sum, step);
  if (threadIdx.x % 32 == 0) atomicAdd(total, sum);
}
extern "C" __global__ void read(const uint4* from, unsigned long long quads, unsigned int* out) {
  unsigned int sum = 0;
  EACH(uint4, quads) {
    const uint4 quad = from[i];
    sum ^= quad.x ^ quad.y ^ quad.z ^ quad.w;
  }
  if (sum == 0x12345678u) *out = sum;
}
"""
_MODULE = cp.RawModule(code=_SOURCE)
_KERNELS = {
    name: _MODULE.get_function(name) for name in ("spin", "stamp", "fill", "twice", "add", "read")
}


def stream() -> Any:
    """Make a stream that waits for no other."""
    return cp.cuda.Stream(non_blocking=True)


def launch(name: str, on: Any, *arguments: Any, blocks: int = 1056) -> None:
    """Start a kernel."""
    with on:
        _KERNELS[name]((blocks,), (256 if blocks > 1 else 1,), arguments)


def spin(nanoseconds: int, on: Any) -> None:
    """Keep the stream busy."""
    launch("spin", on, np.uint64(nanoseconds), blocks=1)


def stamp(to: Any, place: int, on: Any) -> None:
    """Write down the device's own time."""
    launch("stamp", on, to, np.uint64(place), blocks=1)


def fill(to: Any, value: int, on: Any) -> None:
    """Write one value to each word."""
    launch("fill", on, to, np.uint64(to.nbytes // 4), np.uint32(value))


def twice(to: Any, source: Any, on: Any) -> None:
    """Write twice the other's words, plus one."""
    launch("twice", on, to, source, np.uint64(to.nbytes // 4))


def add(source: Any, total: Any, on: Any) -> None:
    """Add up all words."""
    launch("add", on, source, np.uint64(source.nbytes // 4), total)


def read(source: Any, out: Any, on: Any) -> None:
    """Read everything."""
    launch("read", on, source, np.uint64(source.nbytes // 16), out)


def empty(nbytes: int) -> Any:
    """Allocate words as cupy does."""
    return cp.empty(nbytes // 4, np.uint32)


def counters(number: int) -> Any:
    """Allocate numbers that are zero."""
    found = cp.zeros(number, np.uint64)
    cp.cuda.runtime.deviceSynchronize()
    return found


def fetch(array: Any) -> list[int]:
    """Copy to the host, once everything is done."""
    cp.cuda.runtime.deviceSynchronize()
    found: list[int] = cp.asnumpy(array).tolist()
    return found


def warm() -> None:
    """Compile and load every kernel: a module that is loaded later may wait for what runs."""
    on = stream()
    array, other, total = empty(4096), empty(4096), counters(4)
    spin(1000, on)
    stamp(total, 0, on)
    fill(array, 1, on)
    twice(other, array, on)
    add(other, total, on)
    read(other, array, on)
    on.synchronize()
