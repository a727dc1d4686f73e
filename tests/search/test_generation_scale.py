"""A generation of several times the paper's slots, for clusters: the same as a mix so many times as large."""

import dataclasses

import pytest

from fairnad_engine.errors import InputError
from fairnad_engine.search.config import RunConfig, parse_config
from fairnad_engine.search.costs import before_start
from fairnad_engine.search.forecast import forecast
from fairnad_engine.search.order import Unit, units_of
from fairnad_engine.search.plan import places_of, waves_of
from fairnad_engine.search.proposals import candidate_position
from tests.search.playing import RUN, play, workspace


def scaled(scale, **search):
    return parse_config({"search": {"generation_scale": scale, **search}}, "test")


def test_a_scaled_search_is_that_of_the_multiplied_mix_under_a_digest_of_its_own(tmp_path):
    found = []
    for number, search in enumerate(({"stages": (2, 2, 1), "generation_scale": 3}, {"stages": (6, 6, 3)})):
        with workspace(tmp_path / str(number), search, {"trained": 20}) as store:
            digest = play(store)
            slots = [dataclasses.astuple(one) for one in store.runs.slots(RUN)]
            found.append((slots, [(one.id, one.exact_hash) for one in store.runs.candidates(RUN)], digest))
    assert found[0][:2] == found[1][:2]
    assert found[0][2] != found[1][2]
    assert len([one for one in found[0][0] if one[1] == 1]) == 15


def test_a_scale_of_one_is_no_setting():
    assert scaled(1).digest_settings() == RunConfig().digest_settings()
    assert "generation_scale" not in scaled(1).outcome_settings()["search"]
    assert scaled(2).outcome_settings()["search"]["generation_scale"] == 2


@pytest.mark.parametrize(
    ("search", "most"),
    [({}, 20), ({"refill": True}, 10), ({"method": "evolution"}, 100), ({"stages": (0, 0, 10)}, 40)],
    ids=str,
)
def test_as_many_slots_as_positions_have_room_for_and_no_more(search, most):
    units = units_of(7, places_of(scaled(most, **search)))
    places = [candidate_position(unit) for unit in units]
    assert places == sorted(set(places))
    assert candidate_position(Unit(6, 200 * (1 + (not search.get("refill"))), 2)) < places[0]
    assert places[-1] < candidate_position(Unit(8, 1, 1))
    with pytest.raises(InputError, match=rf"generation_scale = {most + 1} makes .* with these stages up to {most}"):
        scaled(most + 1, **search)


def test_each_stage_and_each_wave_has_its_slots_so_many_times():
    by_stage = [[place.slot for place in wave] for wave in waves_of(scaled(3, proposals="sequential"))]
    assert [len(slots) for slots in by_stage] == [24, 24, 12]
    assert [slot for slots in by_stage for slot in slots] == list(range(1, 61))
    chains = [place.kind for place in places_of(scaled(3)) if place.stage == 3]
    assert chains[::2] == chains[:1] * 6 and chains[1::2] == chains[1:2] * 6 and chains[0] != chains[1]


def test_the_forecast_knows_the_larger_generation():
    ahead = {}
    for scale, stages in ((1, (8, 8, 4)), (3, (8, 8, 4)), (1, (24, 24, 12))):
        config = scaled(scale, stages=stages)
        costs = before_start(config, None, "", "not timed")
        ahead[scale, stages] = forecast(config, costs).generations
    assert ahead[3, (8, 8, 4)] == ahead[1, (24, 24, 12)] == 2
    assert ahead[1, (8, 8, 4)] == 5
