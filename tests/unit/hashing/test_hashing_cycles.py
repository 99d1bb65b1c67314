"""Values that contain themselves: the walk ends, and different graphs differ."""

import copy
import pickle
from typing import Any

from lightwork.hashing import hash as key_of


class Node:
    def __init__(self, name: str) -> None:
        self.name = name
        self.links: list[Node] = []
        self.peers: set[Node] = set()
        self.by: dict[Node, str] = {}


def ring(names: str) -> Node:
    nodes = [Node(name) for name in names]
    for node, following in zip(nodes, nodes[1:] + nodes[:1], strict=True):
        node.links.append(following)
    return nodes[0]


def crowd(names: str) -> Node:
    nodes = [Node(name) for name in names]
    for node in nodes:
        node.peers.update(nodes)
        node.by.update({other: other.name for other in nodes})
    return nodes[0]


def test_a_list_in_itself_has_a_key() -> None:
    """The shortest loops end, and differ from each other."""
    one: list[Any] = []
    one.append(one)
    two: list[Any] = [[]]
    two[0].append(two)
    loop: dict[str, Any] = {}
    loop["a"] = loop
    assert len({key_of(one), key_of(two), key_of(loop), key_of([one])}) == 4


def test_copies_of_graphs_agree() -> None:
    """Rings, and sets and dicts of nodes that lead back to themselves."""
    for graph in (ring("a"), ring("abcdef"), crowd("ab"), crowd("abcdefgh")):
        assert key_of(graph) == key_of(copy.deepcopy(graph)) == key_of(pickle.loads(pickle.dumps(graph)))


def test_different_graphs_differ() -> None:
    """Names and the way the links go both count."""
    graphs = [
        ring("a"),
        ring("aa"),
        ring("ab"),
        ring("ba"),
        ring("aab"),
        ring("abc"),
        ring("acb"),
        crowd("ab"),
    ]
    graphs += [crowd("abc"), crowd("abd")]
    assert len({key_of(graph) for graph in graphs}) == len(graphs)


def test_a_graph_inside_records_has_a_key() -> None:
    """Columns of records do not hide a loop."""
    rows: list[dict[str, Any]] = [{"n": place} for place in range(6)]
    for row in rows:
        row["all"] = rows
    assert key_of(rows) == key_of(copy.deepcopy(rows))
    rows[3]["n"] = 7
    assert key_of(rows) != key_of(copy.deepcopy(rows[:5]))
