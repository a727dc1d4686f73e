"""Derived ideas in the command, on the curation desk and in exports: shown with ancestry, approved by id alone."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from fairnad_engine.llm.derived import derived_idea
from fairnad_engine.store import Store
from fairnad_engine.store.knowledge_records import Derivation
from fairnad_engine.workspace import template_of
from fairnad_screens.data.ideas_filter import IdeaFilter
from fairnad_screens.widgets import ideas_detail
from fairnad_tui.commands.ideas import ideas as group

IDEA = derived_idea("act.hard", "hard activation", "Use a hard activation.")


@pytest.fixture
def path(tmp_path):
    with Store(tmp_path / "w.db") as store:
        template, _ = template_of(store)
        own = store.ideas.add_own(template, "act.smooth", "smooth", "Use a smooth activation.")
        store.ideas.add_own(template, "act.smooth", "other", "Use GELU.", status="proposed")
        store.ideas.add_derived(IDEA, "operation", Derivation("run-1", "g01-s17.1", "g00-s01", "opposite", own))
    return tmp_path / "w.db"


def said(path, *arguments):
    result = CliRunner().invoke(group, [*arguments, "--db", str(path)])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_lists_and_shows_them_with_their_ancestry(path):
    (listed,) = json.loads(said(path, "list", "--origin", "derived", "--json"))
    assert (listed["id"], listed["grounded"], listed["ancestry"][0]["kind"]) == (IDEA.id, None, "opposite")
    assert {one["origin"] for one in json.loads(said(path, "list", "--origin", "own", "--json"))} == {"own"}
    shown = said(path, "show", IDEA.id)
    assert "grounded  derived by a search, no paper stands behind it" in shown
    assert "derived   opposite of: Use a smooth activation.; g01-s17.1 of run-1, from g00-s01" in shown
    exported = [json.loads(line) for line in said(path, "export", "-").splitlines()]
    assert [one["ancestry"][0]["run_id"] for one in exported if one["origin"] == "derived"] == ["run-1"]


def test_approving_all_leaves_them_out_and_their_id_takes_them_in(path):
    assert said(path, "approve", "--all") == "1 ideas approved\n"
    assert said(path, "approve", "--policy", "grounded") == "0 ideas approved\n"
    assert said(path, "approve", IDEA.id[:12]) == "1 ideas approved\n"
    with Store(path) as store:
        assert store.ideas.get(IDEA.id).decided_by == "person"
        assert IDEA.id in {one for one, *_ in store.ideas.approved()}


def test_the_desk_shows_and_filters_them(path):
    with Store(path) as store:
        lines = [_Line(one) for one in store.ideas.all()]
        story = store.curation.story(store.ideas.get(IDEA.id))
    found = [lines[n].id for n in IdeaFilter.parse("origin:derived").matches(lines, {})]
    assert found == [IDEA.id]
    assert IDEA.id not in [lines[n].id for n in IdeaFilter.parse("grounded:no").matches(lines, {})]
    text = "\n".join(line.plain for line in ideas_detail._lines(story, None, low=False))
    assert "Derived by a search: no paper stands behind this idea." in text
    assert "Derived opposite of: Use a smooth activation.; g01-s17.1 of run-1, from g00-s01" in text


class _Line:
    """An idea as the filter reads it."""

    def __init__(self, idea):
        self.id, self.status, self.level, self.sub = idea.id, idea.status, idea.level, idea.sub
        self.paper_id, self.origin, self.grounded = idea.paper_id, idea.origin, idea.grounded
        self.search = idea.instruction.casefold()
