"""Protocols that ship with the program, and their schedule."""

import math

import pytest
from pydantic import ValidationError

from fairnad_engine.errors import InputError
from fairnad_engine.training.protocol import Protocol, load_protocol, protocol_names

DIGESTS = {"digits": "75d2b55fede8c15c", "smoke": "e4ac64fb78894492"}


@pytest.mark.parametrize(("name", "epochs"), [("nasbench201", 200), ("nasbench201-12", 12)])
def test_the_rate_of_each_epoch_is_the_published_formula(name, epochs):
    protocol = load_protocol(name)
    assert protocol.epochs == epochs
    rates = [protocol.learning_rate_at(epoch) for epoch in range(epochs)]
    expected = [0.05 * (1 + math.cos(math.pi * epoch / epochs)) for epoch in range(epochs)]
    assert rates == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["nasbench201", "nasbench201-12"])
def test_every_other_setting_is_the_published_one(name):
    protocol = load_protocol(name)
    assert (protocol.batch_size, protocol.momentum, protocol.nesterov, protocol.weight_decay) == (256, 0.9, True, 5e-4)
    assert (protocol.flip, protocol.warmup_epochs, protocol.label_smoothing, protocol.clip_norm) == (0.5, 0, 0, 0)
    assert [protocol.padding_for(side) for side in (32, 16)] == [4, 2]


def test_a_padding_in_pixels_is_the_same_for_every_size():
    assert [load_protocol("digits").padding_for(side) for side in (8, 32)] == [1, 1]


@pytest.mark.parametrize("value", [-1, 33, "1/4", 1.5])
def test_no_other_padding_is_taken(value):
    with pytest.raises(ValidationError, match="crop_padding"):
        Protocol(name="x", epochs=1, batch_size=8, learning_rate=1, crop_padding=value)


def test_a_bad_padding_in_a_file_is_one_line(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("name = 'x'\nepochs = 1\nbatch_size = 8\nlearning_rate = 1\ncrop_padding = 'much'\n")
    with pytest.raises(InputError, match="own.toml: crop_padding: "):
        load_protocol(str(path))


def test_all_presets_load_under_their_own_name_and_old_digests_stay():
    assert set(protocol_names()) >= {"digits", "smoke", "nasbench201", "nasbench201-12"}
    loaded = {name: load_protocol(name) for name in protocol_names()}
    assert all(protocol.name == name for name, protocol in loaded.items())
    assert len({protocol.digest for protocol in loaded.values()}) == len(loaded)
    assert {name: loaded[name].digest for name in DIGESTS} == DIGESTS
