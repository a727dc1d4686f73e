"""Well-formed replies that would fill the trusted side's memory, hold it up, or end it with an error of its own."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from fairnad_engine.backbone.analysis import measure
from fairnad_engine.backbone.graph import GraphRefusedError, parse_graph
from fairnad_engine.backbone.jail import wire
from fairnad_engine.backbone.verifier import check_weights

ROW = [("aten.zeros.default", [[1]]), ("aten.expand.default", [{"n": 0}, [5000]])]
MANY_ROWS = [("aten.zeros.default", [[1]]), ("aten.expand.default", [{"n": 0}, [4000]])]

# Each is small enough to run where it is not refused; a real one differs by its numbers alone.
BOMBS: dict[str, list[tuple[str, list[Any]]]] = {
    "squares of squares": [("py.mul", [2**62, 2**62]), *(("py.mul", [{"n": n}, {"n": n}]) for n in range(6))],
    "list repeated": [("py.mul", [[1] * 4096, 10])],
    "string repeated": [("py.mul", ["constant", 10])],
    "list joined": [("py.add", [[1], [1]])],
    "unbound": [*ROW, ("aten.unbind.int", [{"n": 1}])],
    "unbound along the last": [*ROW, ("aten.unbind.int", [{"n": 1}, -1])],
    "split": [*ROW, ("aten.split.Tensor", [{"n": 1}, 1])],
    "chunked": [*ROW, ("aten.chunk.default", [{"n": 1}, 2**40])],
    "many times unbound": [*MANY_ROWS, *(("aten.unbind.int", [{"n": 1}]) for _ in range(30))],
}


def document(nodes: list[tuple[str, list[Any]]], shapes: list[list[int]] | None = None) -> dict[str, Any]:
    at = len(nodes)
    logits = [
        ("aten.mean.dim", [{"x": 0}, [1, 2, 3], True]),
        ("aten.reshape.default", [{"n": at}, [-1, 1]]),
        ("aten.expand.default", [{"n": at + 1}, [-1, 10]]),
    ]
    mode = {
        "nodes": [{"op": op, "args": args, "kwargs": {}} for op, args in [*nodes, *logits]],
        "output": {"n": at + 2},
    }
    form = {"aliases": [], "kind": "buffer", "dtype": "float32", "requires_grad": False}
    tensors = [{"name": f"w{n}", "shape": shape, **form} for n, shape in enumerate(shapes or [])]
    return {"version": 1, "input": [3, 8, 8], "classes": 10, "tensors": tensors, "train": mode, "eval": mode}


def weights(header: dict[str, Any]) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


def test_the_document_is_measured_without_a_bomb() -> None:
    few = [("aten.zeros.default", [[4, 4]]), ("aten.unbind.int", [{"n": 0}]), ("py.getitem", [{"n": 1}, 3])]
    sizes = [("aten.sym_size.int", [{"x": 0}, 0]), ("py.mul", [{"n": 3}, 4]), ("py.neg", [{"n": 4}])]
    assert measure(parse_graph(document([*few, *sizes]))).params == 0


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_in_a_graph_is_refused(name: str) -> None:
    graph = parse_graph(document(BOMBS[name]))
    with pytest.raises(GraphRefusedError, match="pieces|whole number"):
        measure(graph)


def test_an_empty_tensor_of_impossible_sizes_is_refused() -> None:
    with pytest.raises(GraphRefusedError, match="elements"):
        parse_graph(document([], [[2**31] * 7 + [0]]))


def test_weights_of_impossible_sizes_are_refused() -> None:
    entry = {"dtype": "F32", "shape": [2**64 - 1, 0], "data_offsets": [0, 0]}
    with pytest.raises(GraphRefusedError, match="cannot be read"):
        check_weights(parse_graph(document([])), weights({"w": entry}))


def test_a_longer_table_of_weights_than_any_graph_has_is_refused() -> None:
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = weights({f"{'w' * 2000}{n}": entry for n in range(5000)})
    with pytest.raises(GraphRefusedError, match="table"):
        check_weights(parse_graph(document([])), header)


@pytest.mark.parametrize(
    "reply",
    [b'{"a":"\xed\xa0\x80"}', '{"a":"\\ud800"}'.encode("utf-16"), '{"a":1}'.encode("utf-32"), b'\xef\xbb\xbf{"a":1}'],
    ids=["raw half a character", "half a character in UTF-16", "UTF-32", "byte order mark"],
)
def test_json_is_utf_8_of_whole_characters(reply: bytes) -> None:
    with pytest.raises(wire.FrameError):
        wire.parse_json(reply)
