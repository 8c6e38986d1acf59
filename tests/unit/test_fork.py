# SPDX-License-Identifier: Apache-2.0
"""Forked children: arrays are inherited, handles are strangers."""

from __future__ import annotations

import pytest

#: A parent that forks once; `child` is what the child does, with `context` and `variable` in reach.
PARENT = """
import os, sys, traceback, warnings
import numpy as np
import clara_fastio as fastio

context = fastio.create_context()
variable = context.variable("x", shape=(4,), dtype="i32")
with variable.map("w") as array:
    array[:] = 5
block = context.create(16)
mapping = variable.map("{mode}")
array = mapping.array
pid = os.fork()
if pid == 0:
    try:
{child}
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
status = os.waitpid(pid, 0)[1]
print("child", status, flush=True)
{parent}
mapping.close()
context.close()
print("end", flush=True)
"""


def run(run_program, child, *, mode="r", parent=""):
    indented = "\n".join(f"        {line}" for line in child.splitlines())
    program = run_program(PARENT.format(child=indented, mode=mode, parent=parent))
    program.expect("child 0")
    program.expect("end")
    program.finish()
    assert program.errors == ""


@pytest.mark.parametrize(
    "use",
    [
        "context.variable('y')",
        "context['x']",
        "'x' in context",
        "len(context)",
        "context.create(10)",
        "context.get('x')",
        "context.connection('a')",
        "context.adopt(0, 'a')",
        "context.entries()",
        "context.processes()",
        "variable.map('r')",
        "variable.map('w')",
        "variable.shape",
        "variable.name",
        "variable.version",
        "variable.access",
        "variable.is_allocated",
        "variable.update_shape((4,))",
        "variable.allocate()",
        "variable.wait(timeout=1)",
        "dict(variable.attrs)",
        "variable.free()",
        "block.map('w')",
        "block.publish('b')",
        "block.nbytes",
        "block.set_type_and_dimensions('u8', (1,))",
        "mapping.commit()",
        "mapping.close()",
    ],
)
def test_child_gets_an_error_for_every_use(run_program, use):
    run(run_program, f"try: {use}\nexcept fastio.ForkedContextError: pass\nelse: assert False")


def test_child_reads_the_arrays_of_its_parent(run_program):
    run(run_program, "assert array.tolist() == [5, 5, 5, 5]")


def test_child_fills_the_output_of_its_parent(run_program):
    run(
        run_program,
        "array[:] = [1, 2, 3, 4]",
        mode="w",
        parent="assert array.tolist() == [1, 2, 3, 4]\n"
        "mapping.commit()\n"
        "assert variable.version == 2",
    )


def test_end_of_the_child_takes_nothing_from_its_parent(run_program):
    run(
        run_program,
        "import gc\n"
        "warnings.simplefilter('error')\n"
        "del mapping, array, variable, block\n"
        "context.close()\n"
        "del context\n"
        "gc.collect()",
        mode="w",
        parent="array[:] = 9\nmapping.commit()\nassert variable.version == 2\nblock.publish('b')",
    )


def test_child_that_ends_as_programs_do_leaves_its_parent_alone(run_program):
    program = run_program(
        """
        import os, sys
        import clara_fastio as fastio
        context = fastio.create_context()
        variable = context.variable("x", shape=(4,))
        mapping = variable.map("w")
        pid = os.fork()
        if pid == 0:
            sys.exit(3)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
        mapping.array[:] = 1
        mapping.close()
        assert variable.version == 1
        context.close()
        print("end", flush=True)
        """
    )
    program.expect("end")
    program.finish()
    assert program.errors == ""


def test_child_opens_the_context_anew_by_name(run_program):
    run(
        run_program,
        "with fastio.open_context(context.name) as mine:\n"
        "    assert not mine.is_host\n"
        "    with mine['x'].map('r') as again:\n"
        "        assert again.tolist() == [5, 5, 5, 5]",
    )
