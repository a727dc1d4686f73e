"""Frames: what goes in comes out, and hostile bytes are refused without harm."""

from __future__ import annotations

import json
import random
import struct

import pytest

from fairnad_engine.backbone.jail import wire


def _frame(header: bytes, blobs: bytes = b"") -> bytes:
    return struct.pack(">I", len(header)) + header + blobs


def test_round_trip() -> None:
    header = {"data": {"x": [1, 2.5, None, True, "é\u2028"]}}
    blobs = {"weights": bytes(range(256)), "empty": b""}
    assert wire.decode(wire.encode(header, blobs)) == (header, blobs)


def test_every_cut_and_every_extra_byte_is_refused() -> None:
    frame = wire.encode({"ok": True}, {"b": b"12345"})
    for end in range(len(frame)):
        with pytest.raises(wire.FrameError):
            wire.decode(frame[:end])
    with pytest.raises(wire.FrameError):
        wire.decode(frame + b"x")


def test_flipped_bytes_never_raise_anything_else() -> None:
    frame = wire.encode({"ok": True, "data": {"a": [1, {"b": "c"}]}}, {"w": b"123"})
    draw = random.Random(0)
    refused = 0
    for _ in range(3000):
        broken = bytearray(frame)
        for _ in range(draw.randint(1, 4)):
            broken[draw.randrange(len(broken))] = draw.randrange(256)
        try:
            wire.decode(bytes(broken))
        except wire.FrameError:
            refused += 1
    assert refused > 1000


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"blobs":[],"x":NaN}',
        b'{"blobs":[],"x":-Infinity}',
        b'{"blobs":[],"x":1e999}',
        b'{"blobs":[],"x":' + b"9" * 5000 + b"}",
        b'{"blobs":[],"x":"\\ud800"}',
        b'{"blobs":[],"x":"\xff"}',
        b'{"blobs":[],"x":[' + b"0," * 1_100_000 + b"0]}",
        b'{"x":1}',
        b'{"blobs":{}}',
        b'{"blobs":[["w",-1]]}',
        b'{"blobs":[["w",true]]}',
        b'{"blobs":[["../w",0]]}',
        b'{"blobs":[["w",0],["w",0]]}',
        b'{"blobs":[["w",1]]}',
        b"[]",
        b"",
    ],
    ids=lambda header: repr(header[:24]),
)
def test_hostile_headers_are_refused(header: bytes) -> None:
    with pytest.raises(wire.FrameError):
        wire.decode(_frame(header))


def test_the_refused_headers_differ_from_good_ones_only_in_what_is_refused() -> None:
    assert wire.decode(_frame(b'{"blobs":[["w",1]],"x":1e99}', b"y")) == ({"x": 1e99}, {"w": b"y"})


def test_replies_beyond_the_bounds_are_not_sent() -> None:
    with pytest.raises(wire.FrameError, match="larger"):
        wire.encode({}, {"b": bytes(wire.MAX_BLOB_BYTES + 1)})
    with pytest.raises(wire.FrameError, match="larger"):
        wire.encode({"x": "y" * wire.MAX_HEADER_BYTES}, {})


def test_pickles_are_only_bytes() -> None:
    frame = wire.encode({}, {"p": b"cos\nsystem\n(S'true'\ntR."})
    assert wire.decode(frame)[1]["p"].startswith(b"cos")
    assert json.loads(frame[4 : 4 + struct.unpack(">I", frame[:4])[0]])["blobs"] == [["p", 23]]
