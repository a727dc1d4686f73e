"""What a search derives is kept as ideas of their own kind: with their ancestry, once, and never drawn unapproved."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fairnad_engine.llm.derived import derived_idea
from fairnad_engine.llm.protocol import Purpose
from fairnad_engine.llm.rules.designer import RulesDesigner
from fairnad_engine.llm.rules.render import render
from fairnad_engine.llm.rules.seeds import SEEDS
from tests.search.playing import RUN, Designer, play, workspace
from tests.unit.test_rules_designer import task

MIX = {"stages": (3, 1, 3)}


class Deriving(Designer):
    """Derives another idea each time."""

    def design(self, task):
        design = super().design(task)
        if design.derived is None:
            return design
        return replace(design, derived=derived_idea("conv.depthwise", "derived", f"Do {design.source[:12]}."))


def derived_of(store):
    return {one.id: one for one in store.ideas.all() if one.origin == "derived"}


def searched(folder, kills=(), trained=20, designer=Deriving):
    with workspace(folder, MIX, {"trained": trained}) as store:
        digest = None
        for kill_at in (*kills, None):
            digest = play(store, kill_at=kill_at, designer=designer())
        kept = {one: (row.status, row.sub, store.ideas.derivations(one)) for one, row in derived_of(store).items()}
        return digest, store.runs.candidates(RUN), kept, {c.idea_id for c in store.runs.candidates(RUN)}


def test_every_derived_idea_of_a_backbone_is_kept_with_its_ancestry(tmp_path):
    _, candidates, kept, drawn = searched(tmp_path)
    made = [one for one in candidates if one.derived]
    assert len(made) > 4
    assert kept.keys() == {one.derived["id"] for one in made}
    ideas = {one.id: one.derived["id"] if one.derived else one.idea_id for one in candidates}
    known = 0
    for one in made:
        status, sub, (ancestry,) = kept[one.derived["id"]]
        assert (status, sub) == ("proposed", "conv.depthwise")
        assert (ancestry.run_id, ancestry.candidate_id) == (RUN, one.id)
        assert (ancestry.parent_id, ancestry.kind) == (one.parent_id, one.kind)
        if ideas[one.parent_id] is not None:
            assert ancestry.from_id == ideas[one.parent_id]
            known += 1
    assert known
    assert not drawn & kept.keys()


def test_kills_and_resumes_leave_the_same_ideas(tmp_path):
    first = searched(tmp_path / "a")
    assert first[0] is not None
    for n, kills in enumerate([(2, 3, 4), (7, 1, 6)]):
        again = searched(tmp_path / str(n), kills)
        assert (again[0], again[2]) == (first[0], first[2])


def test_an_approved_one_is_drawn_from_the_next_generation_on(tmp_path):
    with workspace(tmp_path, MIX, {"trained": 40}, subs=["conv.depthwise"], ideas=1) as store:
        assert play(store, kill_at=12, designer=Deriving()) is None
        before = {one for event in store.runs.events(RUN) if event["kind"] == "ideas" for one, *_ in event["payload"]}
        chosen = sorted(derived_of(store))[:2]
        store.ideas.decide(chosen, "approved", "person")
        running = max(one.number for one in store.runs.generations(RUN))
        assert play(store, designer=Deriving()) is not None
        turns = [(slot.generation, slot.ideas[0]) for slot in store.runs.slots(RUN) if slot.ideas]
        assert not set(chosen) & before
        assert {generation for generation, idea in turns if idea in chosen} >= {running + 1}
        assert not any(generation <= running for generation, idea in turns if idea in chosen)
        assert not {idea for _, idea in turns} & (derived_of(store).keys() - set(chosen))
        made = [one for one in store.runs.candidates(RUN) if one.idea_id in chosen]
        assert made
        assert all(store.outcomes.of_idea(one.idea_id).valid for one in made)


def test_ideas_that_an_older_version_stored_without_an_id_get_one(tmp_path):
    _, candidates, kept, _ = searched(tmp_path, designer=Designer)
    assert kept.keys() == {derived_idea("conv.depthwise", "derived", "do").id}
    assert {one.derived["id"] for one in candidates if one.derived} == kept.keys()


@pytest.mark.parametrize("purpose", [Purpose.SIMILAR, Purpose.OPPOSITE])
def test_the_rules_name_what_they_derive_by_its_content(purpose):
    asked = replace(task(purpose, "act.smooth"), parent_source=render(SEEDS["digits-small"]))
    found = RulesDesigner().design(asked).derived
    assert found == derived_idea(found.sub, found.name, found.instruction)
    assert found.id.startswith("derived-")
