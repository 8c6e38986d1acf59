# SPDX-License-Identifier: Apache-2.0
"""Order and cycles of a graph; nodes are numbers, and edges go to what a node waits for."""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def topological_order(upstream: Sequence[Collection[int]]) -> list[int]:
    """Give each node after all that it waits for; of several that could be next, the lowest.

    Nodes on a cycle, and those that wait for them, are left out.
    """
    missing = [len(set(sources)) for sources in upstream]
    downstream = _reversed(upstream)
    ready = [node for node, count in enumerate(missing) if count == 0]
    order = []
    while ready:
        node = heapq.heappop(ready)
        order.append(node)
        for follower in downstream[node]:
            missing[follower] -= 1
            if missing[follower] == 0:
                heapq.heappush(ready, follower)
    return order


def find_cycles(upstream: Sequence[Collection[int]]) -> list[list[int]]:
    """Give one shortest cycle for each group of nodes that wait for each other.

    Each node feeds the one after it, and the last one the first.
    """
    downstream = _reversed(upstream)
    cycles = []
    for group in _groups(upstream, downstream):
        cycle = _shortest_cycle(min(group), downstream, group)
        if cycle:
            cycles.append(cycle)
    return sorted(cycles)


def _reversed(upstream: Sequence[Collection[int]]) -> list[list[int]]:
    downstream: list[list[int]] = [[] for _ in upstream]
    for node, sources in enumerate(upstream):
        for source in sorted(set(sources)):
            downstream[source].append(node)
    return downstream


def _groups(
    upstream: Sequence[Collection[int]], downstream: Sequence[Collection[int]]
) -> list[set[int]]:
    """Give the strongly connected components: all that reach each other (Kosaraju's method)."""
    finished: list[int] = []
    seen: set[int] = set()
    for start in range(len(upstream)):
        if start not in seen:
            _visit(start, downstream, seen, finished)
    groups = []
    taken: set[int] = set()
    for start in reversed(finished):
        if start not in taken:
            group: list[int] = []
            _visit(start, upstream, taken, group)
            groups.append(set(group))
    return groups


def _visit(
    start: int, edges: Sequence[Collection[int]], seen: set[int], finished: list[int]
) -> None:
    """Walk depth first, without recursion: a pipeline may be a long chain."""
    seen.add(start)
    stack = [(start, iter(edges[start]))]
    while stack:
        node, rest = stack[-1]
        following = next((other for other in rest if other not in seen), None)
        if following is None:
            finished.append(node)
            stack.pop()
        else:
            seen.add(following)
            stack.append((following, iter(edges[following])))


def _shortest_cycle(
    start: int, downstream: Sequence[Collection[int]], group: set[int]
) -> list[int]:
    came_from: dict[int, int] = {}
    waiting = deque([start])
    while waiting:
        node = waiting.popleft()
        for follower in downstream[node]:
            if follower == start:
                path = [node]
                while path[-1] != start:
                    path.append(came_from[path[-1]])
                return path[::-1]
            if follower in group and follower not in came_from:
                came_from[follower] = node
                waiting.append(follower)
    return []
