"""What Stages II and III start from: parents above the floor, with slack or none; chains that see their first step."""

from __future__ import annotations

import pytest

from fairnad_engine.search.seeds import entropy
from tests.search.playing import RUN, SMALL, Designer, Verifier, play, workspace


def parents_of_stage_two(folder, search, budget):
    with workspace(folder, {"stages": (2, 6, 0), **search}, budget) as store:
        assert play(store) is not None
        candidates = {one.id: one for one in store.runs.candidates(RUN)}
        slots = [one for one in store.runs.slots(RUN) if one.stage == 2]
        return candidates["seed"], [(slot.kind, candidates[slot.parent_id]) for slot in slots]


def test_the_floor_keeps_weak_networks_out_of_the_parents(tmp_path):
    weakest = {}
    for floor in (0.5, 50.0):
        seed, found = parents_of_stage_two(tmp_path / str(floor), {"parent_floor": floor}, {"trained": 40})
        weakest[floor] = min(parent.accuracy for _, parent in found) - seed.accuracy
    assert weakest[0.5] >= -0.5
    # Without it the smallest ones are parents whatever they score.
    assert weakest[50.0] < -0.5


def test_a_parent_without_slack_gets_a_hyper_parameter_change(tmp_path):
    budget = {"trained": 40, "max_params": 20_000}
    _, found = parents_of_stage_two(tmp_path, {"parent_floor": 50.0}, budget)
    for kind, parent in found:
        slack = parent.params < 0.8 * 20_000 and parent.macs < 0.8 * SMALL["max_macs"]
        assert kind == ("scale-up" if slack else "hyper-parameter")
    assert {kind for kind, _ in found} == {"scale-up", "hyper-parameter"}


@pytest.fixture(scope="module")
def chains(tmp_path_factory):
    """Of each chain: its slot's parent, its first step's child or None, and the task of its second step."""
    designer = Designer(refuses=0.3)
    with workspace(tmp_path_factory.mktemp("chains"), {"stages": (1, 0, 5)}, {"trained": 40}) as store:
        assert play(store, designer=designer, verifier=Verifier(fails=0.3)) is not None
        run, candidates = store.runs.get(RUN), {one.id: one for one in store.runs.candidates(RUN)}
        tasks = {task.entropy: task for task in designer.tasks}
        found = []
        for slot in store.runs.slots(RUN):
            words = entropy(run.seed, slot.generation, 3, slot.slot, 2, 0, "design")
            if slot.stage == 3 and words in tasks:
                first = candidates.get(f"g{slot.generation:02d}-s{slot.slot:02d}.1")
                found.append((candidates[slot.parent_id], first, tasks[words]))
    return found


def test_the_second_step_starts_from_the_first_ones_trained_child_and_sees_its_score(chains):
    trained = [one for one in chains if one[1] is not None and one[1].status == "trained"]
    assert len(trained) > 3
    for _, first, task in trained:
        assert task.parent_source == first.source
        assert (task.parent_params, task.parent_macs) == (first.params, first.macs)
        own = task.memory[-1]
        assert (own.problem, own.change, own.outcome) == (first.kind, first.change, f"{first.accuracy:.2f} %")


def test_a_first_step_that_fails_is_shown_to_the_second_which_starts_from_the_same_parent(chains):
    failed = [one for one in chains if one[1] is None or one[1].status != "trained"]
    assert {one[1] is None for one in failed} == {True, False}
    for parent, first, task in failed:
        assert task.parent_source == parent.source
        own = task.memory[-1].outcome
        assert own == f"failed: {first.failure}" if first is not None else own.startswith("failed: ")
