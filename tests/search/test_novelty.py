"""A quota of structural edits and the refusal of near duplicates, in whole searches whose timing is random."""

import hashlib
import json
from collections import Counter
from dataclasses import replace
from itertools import combinations

import pytest

from fairnad_engine.llm.protocol import EditType
from fairnad_engine.search.edit_types import Edit
from fairnad_engine.search.memory import SIMILAR_ENOUGH, Memory, edit_counts
from fairnad_engine.search.sketch import similarity, sketch
from tests.search.playing import RUN, Designer, chance, play, workspace

MIX = {"stages": (4, 3, 2)}  # eight units of Stages I and III in a generation
UNITS = 8
BOTH = {"structural_quota": 0.75, "near_duplicates": "strict"}


class Varied(Designer):
    """Says that all it does is structural; one program in three is another one with a word changed."""

    def design(self, task):
        design = super().design(task)
        shape = int(3 * chance("shape", design.source))
        number = int(hashlib.sha256(design.source.encode()).hexdigest()[:6], 16) if shape else 7
        body = f"def forward(x):\n    return x * {number} + {number}  # {design.source[:8]}\n"
        return replace(design, source=body)


def judged(_parent, child):
    """Edits of every type, whatever was said of them."""
    kinds = list(EditType)
    return Edit(kinds[int(len(kinds) * chance("kind", child.name))])


def searched(folder, timing=0.0, kills=(), lanes=2, **search):
    with workspace(folder, {**MIX, **search}, {"trained": 24}, lanes=lanes) as store:
        digest = None
        for kill_at in (*kills, None):
            digest = play(store, timing, kill_at, designer=Varied(), judge_edit=judged)
        return digest, store.runs.candidates(RUN), store.runs.attempts(RUN)


def alike(candidates):
    judged = [sketch(one.source) for one in candidates]  # none is only built wider
    return sum(similarity(a, b) >= SIMILAR_ENOUGH for a, b in combinations(judged, 2))


def types(candidates):
    """Edits of Stages I and III by type, for each generation."""
    return edit_counts(Memory([one for one in candidates if one.stage in (1, 3)]).edit_log())


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


def grown(_parent, child):
    """Half of the children have a layer more than their parents."""
    return Edit(EditType.HYPERPARAMETER, (8, 8), (8, 8, 8) if chance("grown", child.name) < 0.5 else (8, 8))


def test_a_hyper_parameter_step_that_adds_a_layer_is_refused_and_the_model_told(tmp_path):
    designer = Designer()
    with workspace(tmp_path, {**MIX, "scale_up": 0.0}, {"trained": 24}) as store:
        assert play(store, designer=designer, judge_edit=grown) is not None
        candidates, attempts = store.runs.candidates(RUN), store.runs.attempts(RUN)
    by_stage = {stage: [c for c in candidates if c.stage == stage] for stage in (1, 2, 3)}
    assert by_stage[2]
    assert not any(chance("grown", one.graph) < 0.5 for one in by_stage[2])
    # What is asked for in other stages may grow.
    assert any(chance("grown", one.graph) < 0.5 for one in by_stage[1])
    refused = [one for one in attempts if one.failure == "resized"]
    assert {one.purpose for one in refused} <= {"hyper-parameter", "debug"}
    told = [task.failure.message for task in designer.tasks if task.failure and task.failure.kind == "resized"]
    assert told
    assert set(told) == {"3 layers where the parent has 2; change one hyper-parameter that is neither depth nor width"}


def test_a_run_that_began_before_edits_were_judged_keeps_the_types_that_were_proposed(tmp_path):
    with workspace(tmp_path, {**MIX, "scale_up": 0.0}, {"trained": 12}) as store:
        environment = store.runs.get(RUN).environment
        assert environment.pop("edits_judged") is True
        store._db.table("runs").update(RUN, {"environment_json": json.dumps(environment)})
        assert play(store, judge_edit=grown) is not None
        assert {one.edit_type for one in store.runs.candidates(RUN)} == {"structural"}
        assert "resized" not in {one.failure for one in store.runs.attempts(RUN)}


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
