# SPDX-License-Identifier: Apache-2.0
"""One of three stages, in a process of its own.

Usage: python -m bench.gpu.programs.pipeline produce|filter|reduce CONTEXT NBYTES device|host CPU
With ``host`` the frames lie in pinned host memory, and each stage copies them.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

import clara_fastio as fastio
from bench.gpu import kernels
from bench.gpu.programs.serving import serve, timed
from bench.harness.serving import pin

DEPTH = 4
TO_DEVICE, TO_HOST = 1, 2


class Stage:
    """What all stages have; `step` handles one frame."""

    def __init__(self, role: str, context: fastio.Context, nbytes: int, memory: str) -> None:
        self.on = kernels.stream()
        self._context = context
        self._is_on_device = memory == "device"
        self._stream = {"stream": self.on} if self._is_on_device else {}
        self._number = 0
        self._frames: Any = None
        self.step = getattr(self, role)
        if role != "reduce":
            self._output = context.variable(
                role,
                shape=(nbytes // 4,),
                dtype="u32",
                queue=fastio.Queue(depth=DEPTH),
                memory=memory,
                pinned=not self._is_on_device,
            )
            self._output.reserve("next")
        self._own = None if self._is_on_device else [kernels.empty(nbytes) for _ in range(2)]
        self._total = kernels.counters(1)

    def _input(self, producer: str) -> Any:
        if self._frames is None:
            self._frames = self._context[producer].frames(name="next", **self._stream)
        return self._frames.next(timeout=20)

    def produce(self) -> None:
        """Fill a frame."""
        self._number += 1
        with self._output.next(timeout=20, **self._stream) as array:
            if self._own is None:
                kernels.fill(array, self._number, self.on)
            else:
                kernels.fill(self._own[0], self._number, self.on)
                self._copy(array, self._own[0], TO_HOST)

    def filter(self) -> None:
        """Make a frame of another."""
        frame = self._input("produce")
        with self._output.next(timeout=20, **self._stream) as array:
            if self._own is None:
                kernels.twice(array, frame.array, self.on)
            else:
                self._copy(frame.array, self._own[0], TO_DEVICE)
                kernels.twice(self._own[1], self._own[0], self.on)
                self._copy(array, self._own[1], TO_HOST)
        frame.release()

    def reduce(self) -> None:
        """Add a frame up."""
        frame = self._input("filter")
        if self._own is None:
            kernels.add(frame.array, self._total, self.on)
        else:
            self._copy(frame.array, self._own[0], TO_DEVICE)
            kernels.add(self._own[0], self._total, self.on)
        frame.release()

    def _copy(self, host: Any, device: Any, way: int) -> None:
        """Copy, and wait: nothing else orders the device among users of host memory."""
        ends = (device.data.ptr, host.ctypes.data)
        to, source = ends if way == TO_DEVICE else ends[::-1]
        kernels.cp.cuda.runtime.memcpyAsync(to, source, host.nbytes, way, self.on.ptr)
        self.on.synchronize()


def main() -> None:
    """Take orders."""
    role, name, nbytes, memory, cpu = sys.argv[1:]
    pin(int(cpu))
    kernels.warm()
    stage = Stage(role, fastio.open_context(name), int(nbytes), memory)
    gc.disable()

    def run(steps: int) -> None:
        for _ in range(steps):
            stage.step()
        stage.on.synchronize()

    serve(lambda _, steps: timed(lambda: run(steps), steps))


if __name__ == "__main__":
    main()
