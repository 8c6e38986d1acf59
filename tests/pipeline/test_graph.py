# SPDX-License-Identifier: Apache-2.0
"""Order and cycles, for any graph."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from clara_fastio.pipeline.graph import find_cycles, topological_order
from tests.pipeline.definitions import problems_of, resolve

# How long one example takes says nothing; a database would be left in the tree.
PATIENT = settings(deadline=None, database=None)


@st.composite
def graphs(draw: st.DrawFn) -> list[set[int]]:
    count = draw(st.integers(1, 12))
    node = st.integers(0, count - 1)
    edges = draw(st.lists(st.tuples(node, node).filter(lambda edge: edge[0] != edge[1])))
    upstream: list[set[int]] = [set() for _ in range(count)]
    for source, target in edges:
        upstream[target].add(source)
    return upstream


def reaches(upstream: list[set[int]], start: int, goal: int) -> bool:
    seen, waiting = set(), list(upstream[start])
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += upstream[node]
    return goal in seen


@PATIENT
@given(graphs())
def test_order_puts_each_node_after_what_it_waits_for(upstream):
    order = topological_order(upstream)
    assert len(set(order)) == len(order)
    for place, node in enumerate(order):
        assert upstream[node] <= set(order[:place])
    on_cycle = {node for node in range(len(upstream)) if reaches(upstream, node, node)}
    left_out = set(range(len(upstream))) - set(order)
    behind = {n for n in range(len(upstream)) if any(reaches(upstream, n, c) for c in on_cycle)}
    assert left_out == on_cycle | behind


@PATIENT
@given(graphs())
def test_order_breaks_ties_by_the_list(upstream):
    order = topological_order(upstream)
    for place, node in enumerate(order):
        ready = {other for other in order[place:] if upstream[other] <= set(order[:place])}
        assert node == min(ready)


@PATIENT
@given(graphs())
def test_each_group_of_nodes_that_wait_for_each_other_has_one_cycle(upstream):
    cycles = find_cycles(upstream)
    on_cycle = {node for node in range(len(upstream)) if reaches(upstream, node, node)}
    for cycle in cycles:
        assert len(set(cycle)) == len(cycle) >= 2
        for source, target in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
            assert source in upstream[target]
        first = cycle[0]
        group = {n for n in on_cycle if reaches(upstream, n, first) and reaches(upstream, first, n)}
        assert set(cycle) <= group
        on_cycle -= group
    assert not on_cycle


def definition_of(upstream: list[set[int]]) -> str:
    lines = ["api-version: 0.4.0", "name: graph", "operators:"]
    for node, sources in enumerate(upstream):
        inputs = (f"{{from: N{source}, path: /from/{source}}}" for source in sorted(sources))
        lines.append(f"- name: n{node}\n  container: {{image: i}}\n  output: [{{path: /o}}]")
        lines.append(f"  input: [{', '.join(inputs)}]")
    return "\n".join(lines)


@PATIENT
@given(graphs())
def test_graph_survives_being_written_and_read(upstream):
    if len(topological_order(upstream)) == len(upstream):
        operators = resolve(definition_of(upstream)).operators
        assert {each.name: each.upstream for each in operators} == {
            f"n{node}": {f"n{source}" for source in sources}
            for node, sources in enumerate(upstream)
        }
        assert [each.name for each in operators] == [f"n{n}" for n in topological_order(upstream)]
    else:
        problems = problems_of(definition_of(upstream))
        assert len(problems) == len(find_cycles(upstream))
        for problem, cycle in zip(problems, find_cycles(upstream), strict=False):
            assert "these operators wait for each other" in problem.message
            assert problem.message.count(" -> ") == len(cycle) or len(problems) > 1


def test_operator_without_edges_is_kept():
    assert topological_order([set(), set(), {0}]) == [0, 1, 2]


def test_long_chain_needs_no_recursion():
    count = 20_000
    upstream = [set() if node == 0 else {node - 1} for node in range(count)]
    assert topological_order(upstream) == list(range(count))
    assert find_cycles(upstream) == []
    upstream[0] = {count - 1}
    assert find_cycles(upstream) == [list(range(count))]


def test_long_cycle_is_shown_shortened():
    upstream = [{(node - 1) % 50} for node in range(50)]
    (problem,) = problems_of(definition_of(upstream))
    assert problem.message.endswith("-> n17 -> ... -> n0")
