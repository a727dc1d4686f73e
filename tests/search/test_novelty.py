"""A quota of structural edits and the refusal of near duplicates, in whole searches whose timing is random."""

import hashlib
from collections import Counter
from dataclasses import replace
from itertools import combinations

import pytest

from fairnad_engine.llm.protocol import EditType
from fairnad_engine.search.memory import SIMILAR_ENOUGH, Memory, edit_counts
from fairnad_engine.search.sketch import similarity, sketch
from tests.search.playing import RUN, Designer, chance, play, workspace

MIX = {"stages": (4, 3, 2)}  # eight units of Stages I and III in a generation
UNITS = 8
BOTH = {"structural_quota": 0.75, "near_duplicates": "strict"}


class Varied(Designer):
    """Edits of every type; one program in three is another one with a word changed."""

    def design(self, task):
        design = super().design(task)
        kinds = list(EditType)
        kind = kinds[int(len(kinds) * chance("kind", design.source))]
        shape = int(3 * chance("shape", design.source))
        number = int(hashlib.sha256(design.source.encode()).hexdigest()[:6], 16) if shape else 7
        body = f"def forward(x):\n    return x * {number} + {number}  # {design.source[:8]}\n"
        return replace(design, source=body, edit_type=kind)


def searched(folder, timing=0.0, kills=(), lanes=2, **search):
    with workspace(folder, {**MIX, **search}, {"trained": 24}, lanes=lanes) as store:
        digest = None
        for kill_at in (*kills, None):
            digest = play(store, timing, kill_at, designer=Varied())
        return digest, store.runs.candidates(RUN), store.runs.attempts(RUN)


def alike(candidates):
    judged = [sketch(one.source) for one in candidates]  # none is only built wider
    return sum(similarity(a, b) >= SIMILAR_ENOUGH for a, b in combinations(judged, 2))


def types(candidates):
    """Edits of Stages I and III by type, for each generation."""
    return edit_counts(Memory([one for one in candidates if one.stage in (1, 3)], []).edit_log())


def test_a_generation_keeps_the_room_that_its_structural_edits_need(tmp_path):
    free, bound = searched(tmp_path / "a"), searched(tmp_path / "b", structural_quota=0.75)
    room = UNITS - 6
    assert any(found.total() - found["structural"] > room for found in types(free[1]).values())
    assert all(found.total() - found["structural"] <= room for found in types(bound[1]).values())
    failures = Counter(one.failure for one in bound[2])
    assert failures["quota"] > 0
    assert "quota" not in {one.failure for one in free[2]}
    # Stage II changes sizes by definition and is not asked.
    assert {one.edit_type for one in bound[1] if one.stage == 2} - {"structural"}


def test_the_quota_counts_what_an_earlier_wave_of_the_generation_came_to(tmp_path):
    _, candidates, _ = searched(tmp_path, structural_quota=0.75, proposals="sequential", refill=True)
    assert all(found.total() - found["structural"] <= UNITS - 6 for found in types(candidates).values())


def test_near_duplicates_are_refused_before_they_are_candidates(tmp_path):
    free, strict = searched(tmp_path / "a"), searched(tmp_path / "b", near_duplicates="strict")
    assert alike(free[1]) > 0
    assert alike(strict[1]) == 0
    refused = [one for one in strict[2] if one.failure == "near-duplicate"]
    assert refused
    assert "near-duplicate" not in {one.failure for one in free[2]}
    assert not {one.source for one in refused} & {one.source for one in strict[1]}
    assert all("is all but that of" in one.message for one in refused)


def test_timing_lanes_and_kills_leave_one_digest(tmp_path):
    first = searched(tmp_path / "a", **BOTH)[0]
    assert first is not None
    assert first != searched(tmp_path / "off")[0]
    for n, (timing, lanes, kills) in enumerate([(1.0, 1, ()), (2.0, 4, ()), (3.0, 2, (3, 5, 4)), (4.0, 8, (2, 9))]):
        assert searched(tmp_path / str(n), timing, kills, lanes, **BOTH)[0] == first


@pytest.mark.parametrize("wrong", [{"structural_quota": 1.5}, {"near_duplicates": "some"}])
def test_wrong_values_are_refused(tmp_path, wrong):
    with pytest.raises(Exception, match="search"), workspace(tmp_path, wrong):
        pass
