"""Editing the attribute template: the tree, where ideas go, and undoing it in a workspace."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairnad_engine.errors import InputError
from fairnad_engine.knowledge import template_edit as edit
from fairnad_engine.knowledge.template import Template, check
from fairnad_engine.knowledge.template_fields import checked_signature, field_text, signature_text
from fairnad_engine.knowledge.template_history import affected, apply_edit, undo, undoable
from fairnad_engine.knowledge.template_tree import render
from fairnad_engine.store import Store
from fairnad_engine.workspace import template_of

SHIPPED = Template.load()


def subs(template, main):
    return [sub.id.partition(".")[2] for sub in template.subs_of(main)]


class TestTree:
    def test_what_is_rendered_is_read_back(self):
        again = Template.parse(render(SHIPPED), "again")
        assert again.levels == SHIPPED.levels
        assert again.references == SHIPPED.references
        assert render(again) == render(SHIPPED)

    def test_every_edit_gives_a_template_whose_text_is_itself(self):
        for one in (
            edit.add_main(SHIPPED, "block", "Recurrence", "Loops."),
            edit.add_sub(SHIPPED, "conv", "Deformable", "Taps that move."),
            edit.change(SHIPPED, "conv.grouped", "name", "Groups"),
            edit.move(SHIPPED, "conv.grouped", "branch"),
            edit.merge(SHIPPED, "conv.grouped", "branch.cardinality"),
            edit.split(SHIPPED, "conv.depthwise", "Separable", "", "separable"),
            edit.delete(SHIPPED, "conv.grouped"),
        ):
            assert Template.parse(one.text, "t").digest == one.template.digest != SHIPPED.digest
            assert one.base == SHIPPED.digest
            assert set(one.gone) == {s.id for s in SHIPPED.subs} - {s.id for s in one.template.subs}

    def test_add(self):
        new = edit.add_sub(SHIPPED, "conv", "  Deformable   conv ", "Taps that move.").template
        added = new.sub("conv.deformable-conv")
        assert (added.name, added.cues, added.action) == (
            "Deformable conv",
            ("deformable conv",),
            "Use deformable conv",
        )
        new = edit.add_main(new, "block", "Recurrence", "Loops.").template
        assert (new.level_of("recurrence"), new.subs_of("recurrence")) == ("block", ())
        assert edit.add_sub(new, "recurrence", "Recurrence", "x").selected == "recurrence.recurrence"

    @pytest.mark.parametrize(
        ("name", "problem"),
        [
            ("", "empty"),
            (" \n ", "empty"),
            ("x" * 61, "61"),
            ("a\x1b[31m", "control"),
            ("grouped CONVOLUTION", "already"),
        ],
    )
    def test_names_that_cannot_be(self, name, problem):
        with pytest.raises(InputError, match=problem):
            edit.add_sub(SHIPPED, "conv", name, "")

    def test_ids_are_free_and_ascii(self):
        one = edit.add_sub(SHIPPED, "conv", "Dépth-wise!", "")
        assert one.selected == "conv.depth-wise"
        two = edit.add_sub(one.template, "conv", "Depth wise", "")
        assert two.selected == "conv.depth-wise-2"
        assert edit.add_sub(SHIPPED, "conv", "深度", "").selected == "conv.category"

    def test_rename_keeps_id_and_a_name_made_action_follows(self):
        new = edit.change(SHIPPED, "conv.grouped", "name", "Group conv").template.sub("conv.grouped")
        assert (new.name, new.action) == ("Group conv", "Use group conv")
        kept = edit.change(SHIPPED, "conv.factorised", "name", "Split conv").template.sub("conv.factorised")
        assert kept.action == SHIPPED.sub("conv.factorised").action
        assert edit.change(SHIPPED, "conv", "name", "Convs").template.main("conv").name == "Convs"
        assert edit.change(SHIPPED, "block", "definition", "D.").template.levels[1].definition == "D."

    @pytest.mark.parametrize("field", edit.SUB_FIELDS)
    def test_every_field_reads_back_what_it_shows(self, field):
        for sub in SHIPPED.subs:
            shown = field_text(sub, field)
            assert edit.change(SHIPPED, sub.id, field, shown).template.sub(sub.id) == sub

    @pytest.mark.parametrize(
        ("field", "value", "problem"),
        [
            ("signature", "conv.magic up", "no graph feature"),
            ("signature", "conv.total sideways", "up, down or changed"),
            ("antonym", "conv.grouped", "neither"),
            ("antonym", "conv", "neither"),
            ("cues", "good; --", "names nothing"),
            ("colour", "red", "no field"),
        ],
    )
    def test_values_that_cannot_be(self, field, value, problem):
        with pytest.raises(InputError, match=problem):
            edit.change(SHIPPED, "conv.grouped", field, value)

    def test_signature_as_text(self):
        text = "conv.dense up, conv.large down | conv.total up"
        new = edit.change(SHIPPED, "conv.grouped", "signature", text).template.sub("conv.grouped")
        assert signature_text(new) == text
        assert checked_signature("") == ()

    def test_move_takes_a_new_id_and_antonyms_follow(self):
        one = edit.move(SHIPPED, "conv.factorised", "branch")
        assert one.moved == {"conv.factorised": "branch.factorised"}
        assert one.template.sub("branch.factorised").main == "branch"
        assert one.template.sub("conv.large-kernel").antonym == "branch.factorised"
        assert subs(one.template, "branch")[-1] == "factorised"
        with pytest.raises(InputError, match="already"):
            edit.move(SHIPPED, "conv.factorised", "conv")
        with pytest.raises(InputError, match="already"):
            edit.move(
                edit.change(SHIPPED, "stem.large-kernel", "name", "Large-kernel convolution").template,
                "stem.large-kernel",
                "conv",
            )

    def test_merge_unites(self):
        one = edit.merge(SHIPPED, "conv.factorised", "conv.large-kernel")
        kept = one.template.sub("conv.large-kernel")
        assert set(kept.cues) == set(SHIPPED.sub("conv.factorised").cues) | set(SHIPPED.sub("conv.large-kernel").cues)
        assert kept.antonym is None  # it would be its own opposite
        assert len(kept.examples) == 3
        assert one.template.counts == (3, 15, 54)
        with pytest.raises(InputError, match="itself"):
            edit.merge(SHIPPED, "conv.grouped", "conv.grouped")

    def test_split_stands_beside_and_chooses_by_phrases(self):
        one = edit.split(SHIPPED, "conv.depthwise", "Separable", "Two steps.", "Separable, point wise")
        assert subs(one.template, "conv")[:2] == ["depthwise", "separable"]
        assert one.split.takes("x", "Use a SEPARABLE convolution")
        assert not one.split.takes("depthwise", "pointwise")
        with pytest.raises(InputError, match="phrase"):
            edit.split(SHIPPED, "conv.depthwise", "Separable", "", " , ")

    def test_delete(self):
        one = edit.delete(SHIPPED, "conv.factorised", "conv.large-kernel")
        assert one.moved == {"conv.factorised": "conv.large-kernel"}
        assert one.template.sub("conv.large-kernel").antonym is None
        with pytest.raises(InputError, match="5 sub-categories"):
            edit.delete(SHIPPED, "conv")
        with pytest.raises(InputError, match="levels"):
            edit.delete(SHIPPED, "block")
        empty = edit.add_main(SHIPPED, "block", "Recurrence", "L.").template
        assert edit.delete(empty, "recurrence").template.digest == SHIPPED.digest

    def test_an_edited_tree_differs_from_the_method_in_counts_only(self):
        one = edit.merge(SHIPPED, "conv.grouped", "branch.cardinality").template
        assert [problem for problem in check(one) if "the method has 15 and 55" not in problem] == []

    @settings(max_examples=25, deadline=None)
    @given(st.data())
    def test_any_sequence_of_edits_keeps_ids_unique_and_parents_right(self, data):
        template = SHIPPED
        for _ in range(4):
            sub = data.draw(st.sampled_from(template.subs)).id
            other = data.draw(st.sampled_from(template.subs)).id
            main = data.draw(st.sampled_from(template.mains)).id
            name = data.draw(st.text(max_size=12))
            make = data.draw(
                st.sampled_from(
                    [
                        lambda t, s=sub, m=main: edit.move(t, s, m),
                        lambda t, s=sub, o=other: edit.merge(t, s, o),
                        lambda t, s=sub, n=name: edit.split(t, s, n, "", "a"),
                        lambda t, s=sub, o=other: edit.delete(t, s, o),
                        lambda t, m=main, n=name: edit.add_sub(t, m, n, ""),
                    ]
                )
            )
            try:
                one = make(template)
            except InputError:
                continue
            assert {*one.moved.values()} <= {s.id for s in one.template.subs}
            template = one.template
        assert not [
            problem for problem in check(template) if "stands" in problem or "form" in problem or "named" in problem
        ]
        known = {s.id for s in template.subs}
        assert all(s.antonym is None or "." not in s.antonym or s.antonym in known for s in template.subs)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "w.db") as opened:
        template, _ = template_of(opened)
        for number in range(4):
            opened.ideas.add_own(template, "conv.depthwise", f"d{number}", f"Depthwise idea {number}")
        opened.ideas.add_own(template, "conv.grouped", "g", "Grouped idea")
        yield opened


def filed(store):
    return {idea.name: (idea.level, idea.main, idea.sub) for idea in store.ideas.all()}


class TestHistory:
    def test_move_refiles_with_history_and_undo_brings_back(self, store):
        before = filed(store)
        template, _ = template_of(store)
        assert undoable(store) is None
        assert apply_edit(store, edit.move(template, "conv.depthwise", "stem")) == 4
        assert filed(store)["d0"] == ("network", "stem", "stem.depthwise")
        assert filed(store)["g"] == before["g"]
        edited, version = template_of(store)
        assert version == 2
        assert edited.sub("stem.depthwise").name == "Depthwise convolution"
        assert undoable(store) == "moved Depthwise convolution to Stem"
        assert undo(store) == ("moved Depthwise convolution to Stem", 4)
        assert filed(store) == before
        assert template_of(store)[0].digest == Template.parse(store.templates.source(1), "t").digest
        assert undoable(store) is None
        with pytest.raises(InputError, match="undo"):
            undo(store)

    def test_several_steps_are_undone_one_by_one(self, store):
        before = filed(store)
        apply_edit(store, edit.merge(template_of(store)[0], "conv.grouped", "conv.depthwise"))
        apply_edit(store, edit.change(template_of(store)[0], "conv.depthwise", "name", "Depth"))
        undo(store)
        apply_edit(store, edit.move(template_of(store)[0], "conv.depthwise", "stem"))
        assert filed(store)["g"] == ("network", "stem", "stem.depthwise")
        assert undo(store)[1] == 5
        assert undo(store)[1] == 1
        assert filed(store) == before
        assert undoable(store) is None

    def test_split_takes_the_matching_ideas(self, store):
        one = edit.split(template_of(store)[0], "conv.depthwise", "Odd", "", "idea 1, IDEA 3")
        assert sorted(affected(store, one).values()) == ["conv.odd", "conv.odd"]
        assert apply_edit(store, one) == 2
        assert store.filing.per_sub()["conv.odd"].approved == 2
        # An idea that was filed there since goes where the others came from.
        template, _ = template_of(store)
        store.ideas.add_own(template, "conv.odd", "late", "A late one")
        assert undo(store)[1] == 3
        assert filed(store)["late"][2] == "conv.depthwise"

    def test_ideas_moved_by_a_person_since_stay(self, store):
        apply_edit(store, edit.merge(template_of(store)[0], "conv.grouped", "conv.depthwise"))
        idea = next(idea for idea in store.ideas.all() if idea.name == "g")
        store.ideas.edit(idea.id, {"sub": "act.smooth", "main": "act", "level": "operation"}, "person")
        assert undo(store)[1] == 0
        assert filed(store)["g"][2] == "act.smooth"

    def test_delete_with_ideas_needs_a_place_for_them(self, store):
        template, version = template_of(store)
        with pytest.raises(InputError, match=r"4 ideas are filed under conv\.depthwise"):
            apply_edit(store, edit.delete(template, "conv.depthwise"))
        assert template_of(store)[1] == version
        apply_edit(store, edit.delete(template, "conv.depthwise", "conv.grouped"))
        assert store.filing.per_sub()["conv.grouped"].all == 5

    def test_undo_does_not_leave_ideas_without_a_category(self, store):
        apply_edit(store, edit.add_sub(template_of(store)[0], "conv", "New", ""))
        template, _ = template_of(store)
        store.ideas.add_own(template, "conv.new", "mine", "Mine")
        with pytest.raises(InputError, match=r"conv\.new"):
            undo(store)
        assert template_of(store)[0].digest == template.digest

    def test_an_edit_of_an_older_template_is_refused(self, store):
        template, _ = template_of(store)
        apply_edit(store, edit.change(template, "conv.grouped", "name", "Other"))
        with pytest.raises(InputError, match="meanwhile"):
            apply_edit(store, edit.change(template, "conv.grouped", "name", "Third"))
