"""The template screen: the tree, every change of it, and undoing."""

from __future__ import annotations

import json

import pytest
from textual.widgets import Input, TextArea

from fairnad_engine.knowledge import template_edit
from fairnad_engine.knowledge.structuring import add_papers
from fairnad_engine.knowledge.template_history import apply_edit
from fairnad_engine.llm.protocol import AttributeDraft
from fairnad_engine.store import Store
from fairnad_engine.workspace import template_of
from fairnad_screens.dialogs import ChoiceDialog, ConfirmDialog, LineDialog
from fairnad_screens.widgets.proposals_dialog import ProposalsDialog
from fairnad_screens.widgets.rows import Rows
from fairnad_screens.widgets.text_dialog import TextDialog
from tests.llm_server.ollama_protocol import Answered, OllamaProtocol, serving
from tests.tui.harness import messages, opened, said_to, shown, wait_for


@pytest.fixture
def path(tmp_path):
    """Three ideas of depthwise convolution, one of grouped convolution."""
    file = tmp_path / "w.db"
    with Store(file) as store:
        template, _ = template_of(store)
        for word in ("small", "large", "huge"):
            store.ideas.add_own(template, "conv.depthwise", word, f"Use a {word} depthwise kernel")
        store.ideas.add_own(template, "conv.grouped", "grouped", "Use groups")
    return file


def ideas(path):
    with Store(path) as store:
        return {idea.name: idea.sub for idea in store.ideas.all()}


def template(path):
    with Store(path) as store:
        return template_of(store)[0]


async def ready(app):
    await wait_for(lambda: app.screen.query_one(Rows).count, "the tree")


async def at(app, node):
    """Put the cursor on a category, unfolding what it is in."""
    await ready(app)
    await free(app)
    app.screen.go_to = node
    app.screen._show_rows()
    assert selected(app) == node


async def free(app):
    """Wait until what was asked for is done: meanwhile no other change begins."""
    await wait_for(lambda: not app.screen._flowing, "the end of the change before")


def selected(app):
    return app.screen.query_one(Rows).selected


async def dialog(app, kind):
    return await wait_for(lambda: isinstance(app.screen, kind) and app.screen, kind.__name__)


async def answer(app, pilot, text, kind=LineDialog):
    """Answer the dialog that is shown, and wait until it is gone."""
    asked = await dialog(app, kind)
    if kind is LineDialog:
        app.screen.query_one(TextArea).text = text
    else:
        app.screen.query_one(Input).value = text
    await pilot.pause()
    await pilot.press("enter")
    await wait_for(lambda: app.screen is not asked, "the dialog's end")


async def choose(app, pilot, words):
    await answer(app, pilot, words, ChoiceDialog)


async def confirm(app, pilot, question):
    asked = await dialog(app, ConfirmDialog)
    assert asked._question == question
    await pilot.press("y")


async def told(app, text):
    await wait_for(lambda: any(text in one for one in messages(app)), text)


async def test_tree_with_counts_and_detail(path):
    async with opened(path, "template") as (app, pilot):
        await ready(app)
        assert app.screen.query_one(Rows).count == 18
        line = next(line for line in shown(app).splitlines() if "Convolution type" in line)
        assert "4/4" in line
        await pilot.press("j", "l", "j")
        assert selected(app) == "conv.depthwise"
        assert "conv.depthwise · 3 ideas, 3 approved" in shown(app)
        assert "Opposite: reduce" in shown(app)
        assert "Shows as: conv.depthwise up" in shown(app)
        assert all(len(line) <= 80 for line in shown(app).splitlines())


async def test_folding(path):
    async with opened(path, "template") as (app, pilot):
        await ready(app)
        rows = app.screen.query_one(Rows)
        await pilot.press("h")
        assert rows.count == 13
        await pilot.press("enter", "right", "right")  # unfold, unfolded already: into it, unfold that
        assert (selected(app), rows.count) == ("conv", 23)
        await pilot.press("l", "left")
        assert selected(app) == "conv"
        await pilot.press("left", "h")
        assert (selected(app), rows.count) == ("operation", 18)
        await pilot.press("z")
        assert rows.count == 73
        await pilot.press("j", "j", "z")
        assert (selected(app), rows.count) == ("conv", 18)
        await pilot.press("enter", "j", "enter")
        await dialog(app, TextDialog)
        assert "one filter per channel" in shown(app)


async def test_movement_and_pane(path):
    async with opened(path, "template") as (app, pilot):
        await ready(app)
        rows, pane = app.screen.query_one(Rows), app.screen.query_one("#pane")
        for key, place in [("j", 1), ("down", 2), ("k", 1), ("up", 0), ("G", 17), ("g", 0), ("end", 17), ("home", 0),
                           ("pagedown", rows.page), ("pageup", 0)]:  # fmt: skip
            await pilot.press(key)
            assert rows.place == place, key
        await at(app, "conv.depthwise")
        await wait_for(lambda: pane.max_scroll_y > 0)
        await pilot.press("J")
        await wait_for(lambda: pane.scroll_offset.y > 0)
        await pilot.press("K")
        await wait_for(lambda: pane.scroll_offset.y == 0)


async def test_filter(path):
    async with opened(path, "template") as (app, pilot):
        await ready(app)
        await pilot.press("slash", *"atrous", "enter")
        assert [*app.screen._rows] == ["operation", "conv", "conv.dilated"]
        await pilot.press("h")
        await told(app, "everything that matches is unfolded")
        await pilot.press("slash", *"zzz")
        assert "Nothing matches" in shown(app)
        await pilot.press("escape")
        assert app.screen.query_one(Rows).count == 3
        await pilot.press("escape")
        assert app.screen.query_one(Rows).count == 18


async def test_place_is_kept_over_restarts(path):
    async with opened(path, "template") as (app, pilot):
        await at(app, "conv.grouped")
        await pilot.press("ctrl+q")
    async with opened(path) as (app, _):
        await wait_for(lambda: app.screen.SCOPE == "template")
        await ready(app)
        assert selected(app) == "conv.grouped"


async def test_to_its_ideas(path):
    async with opened(path, "template") as (app, pilot):
        await at(app, "conv.grouped")
        await pilot.press("i")
        await wait_for(lambda: app.screen.SCOPE == "ideas" and "Use groups" in shown(app))
        assert app.screen.filter_text == "cat:conv.grouped"


class TestChanges:
    async def test_new_sub_and_main(self, path):
        async with opened(path, "template") as (app, pilot):
            await at(app, "conv.grouped")
            await pilot.press("n")
            await answer(app, pilot, "grouped convolution")
            await wait_for(lambda: "already; give" in shown(app))
            await answer(app, pilot, "Deformable")
            await answer(app, pilot, "Taps that move.")
            await told(app, "Added Deformable. u undoes it.")
            await wait_for(lambda: selected(app) == "conv.deformable")
            await wait_for(lambda: "! has no signature" in shown(app))
            assert template(path).sub("conv.deformable").definition == "Taps that move."
            await at(app, "block")
            await pilot.press("n")
            await answer(app, pilot, "Recurrence")
            await answer(app, pilot, "Loops.")
            await wait_for(lambda: selected(app) == "recurrence")
            assert template(path).level_of("recurrence") == "block"
            assert "u undoes: added Recurrence" in shown(app)

    async def test_edit(self, path):
        async with opened(path, "template") as (app, pilot):
            await at(app, "conv.grouped")
            await pilot.press("e")
            await choose(app, pilot, "signature")
            await answer(app, pilot, "conv.magic up")
            await dialog(app, LineDialog)
            await wait_for(lambda: "no graph feature" in shown(app))
            await answer(app, pilot, "conv.grouped up, conv.dense down")
            await wait_for(lambda: "Shows as: conv.grouped up, conv.dense down" in shown(app))
            await at(app, "conv")
            await pilot.press("e")
            await choose(app, pilot, "name")
            await answer(app, pilot, "Kinds of convolution")
            await wait_for(lambda: "Kinds of convolution" in shown(app))
            assert template(path).main("conv").name == "Kinds of convolution"

    async def test_esc_at_any_question_changes_nothing(self, path):
        async with opened(path, "template") as (app, pilot):
            await at(app, "conv.depthwise")
            for key, kind in [("n", LineDialog), ("e", ChoiceDialog), ("m", ChoiceDialog), ("M", ChoiceDialog),
                              ("X", LineDialog), ("x", ChoiceDialog)]:  # fmt: skip
                await pilot.press(key)
                asked = await dialog(app, kind)
                await pilot.press("escape")
                await wait_for(lambda asked=asked: app.screen is not asked)
                await wait_for(lambda: not app.screen._flowing)
            with Store(path) as store:
                assert store.templates.newest()[0] == 1

    async def test_move_and_undo(self, path):
        async with opened(path, "template") as (app, pilot):
            await at(app, "conv.depthwise")
            await pilot.press("m")
            await choose(app, pilot, "stem")
            await told(app, "3 ideas refiled. u undoes it.")
            await wait_for(lambda: selected(app) == "stem.depthwise")
            assert ideas(path)["huge"] == "stem.depthwise"
            await free(app)
            await pilot.press("u")
            await told(app, "3 ideas went back")
            await wait_for(lambda: "version 3" in shown(app))
            assert ideas(path)["huge"] == "conv.depthwise"
            await free(app)
            await pilot.press("u")
            await told(app, "No change of the template is left to undo.")

    async def test_merge(self, path):
        async with opened(path, "template") as (app, pilot):
            await at(app, "conv.depthwise")
            await pilot.press("M")
            await choose(app, pilot, "conv.grouped")
            await confirm(
                app, pilot, "Merge Depthwise convolution into Grouped convolution? 3 ideas go to conv.grouped."
            )
            await wait_for(lambda: set(ideas(path).values()) == {"conv.grouped"})
            await wait_for(lambda: selected(app) == "conv.grouped" and "54 sub" in shown(app))
            assert "the method has 15 and 55" in shown(app)  # a note

    async def test_split_previews_the_count(self, path):
        async with opened(path, "template") as (app, pilot):
            await at(app, "conv.depthwise")
            await pilot.press("X")
            await answer(app, pilot, "Wide depthwise")
            await answer(app, pilot, " ,")
            await dialog(app, LineDialog)
            await answer(app, pilot, "LARGE, huge")
            await confirm(
                app, pilot, "Split Depthwise convolution: 2 of its 3 ideas contain that and go to Wide depthwise?"
            )
            await wait_for(lambda: ideas(path)["huge"] == "conv.wide-depthwise")
            assert ideas(path)["small"] == "conv.depthwise"
            assert template(path).sub("conv.wide-depthwise").cues == ("LARGE", "huge")

    async def test_delete_asks_who_takes_the_ideas(self, path):
        async with opened(path, "template") as (app, pilot):
            await at(app, "conv.depthwise")
            await pilot.press("x")
            await choose(app, pilot, "act.smooth")
            await confirm(app, pilot, "Delete Depthwise convolution? 3 ideas go to act.smooth.")
            await wait_for(lambda: ideas(path)["small"] == "act.smooth")
            await wait_for(lambda: "54 sub" in shown(app), "the new tree")  # a change of an older one is refused
            await at(app, "conv.dilated")
            await pilot.press("x")
            await confirm(app, pilot, "Delete Dilated convolution? It has no ideas.")
            await wait_for(lambda: "53 sub" in shown(app))

    async def test_what_cannot_be_done_says_why(self, path):
        async with opened(path, "template") as (app, pilot):
            await ready(app)
            said = await said_to(app, pilot, "x", "m", "M", "X", "u", "j", "x")
            assert said[0].startswith("Levels belong to the method")
            assert [one[:24] for one in said[1:4]] == ["Choose a sub-category; l"] * 3
            assert said[4].startswith("No change of the template")
            assert said[6].startswith("It has 5 sub-categories")
            await at(app, "mixing.mlp-mixer")
            assert await said_to(app, pilot, "X") == ["It has no ideas that could be split off."]

    async def test_examples_are_given_as_a_line(self, path):
        async with opened(path, "template") as (app, pilot):
            await at(app, "conv.grouped")
            await pilot.press("e")
            await choose(app, pilot, "examples")
            await answer(app, pilot, "Use one. | Use two. | Use three. | Use four.")
            await wait_for(lambda: "give at most 3" in shown(app))
            await answer(app, pilot, "Use one. | Use two.")
            await told(app, "grouped: new examples")
        with Store(path) as store:
            assert template_of(store)[0].sub("conv.grouped").examples == ("Use one.", "Use two.")

    async def test_not_while_papers_are_structured(self, path):
        with Store(path) as store:
            job = store.jobs.create("structure", {}, None)
            store.jobs.acquire(job.id)
        async with opened(path, "template") as (app, pilot):
            await at(app, "conv.grouped")
            answers = await said_to(app, pilot, "n", "u")
            assert [one.startswith("job-1 files ideas by this template") for one in answers] == [True, True]

    async def test_a_change_by_someone_else_is_not_overwritten(self, path):
        async with opened(path, "template") as (app, pilot):
            await at(app, "conv.grouped")
            await pilot.press("m")
            await dialog(app, ChoiceDialog)
            with Store(path) as store:
                apply_edit(store, template_edit.change(template_of(store)[0], "conv.grouped", "name", "Theirs"))
            await choose(app, pilot, "stem")
            await told(app, "changed meanwhile")
            await wait_for(lambda: "Theirs" in shown(app))


async def test_a_new_workspace_shows_what_ships_and_writes_nothing(tmp_path):
    path = tmp_path / "new.db"
    async with opened(path, "template", size=(120, 40)) as (app, pilot):
        await ready(app)
        assert "as shipped" in shown(app)
        with Store(path) as store:
            assert store.templates.newest() is None
        await at(app, "conv.grouped")
        await pilot.press("m")
        await choose(app, pilot, "stem")
        await wait_for(lambda: "version 2" in shown(app))
        await pilot.resize_terminal(80, 24)
        await wait_for(lambda: app.screen.query_one("#pane").region.x == 0)
        assert selected(app) == "stem.grouped"


async def test_hostile_names_are_shown_not_obeyed(path):
    with Store(path) as store:
        base, _ = template_of(store)
        text = template_edit.change(base, "conv.grouped", "definition", "[/red] [@click=x]").text
        apply_edit(store, template_edit.change(base, "conv.grouped", "name", "[bold]深い畳み込み[/"))
        assert "[/red]" in text
    async with opened(path, "template") as (app, _):
        await at(app, "conv.grouped")
        assert "[bold]深い畳み込み[/" in shown(app)


# -- proposals ------------------------------------------------------------------------------------------------


@pytest.fixture
def proposed(path):
    """Two papers that suggest deformable convolution, and one that suggests a category of its own."""
    drafts = [
        AttributeDraft("operation", "conv", "Deformable convolution", "Taps move.", "Bend it.", "taps move", (0, 9)),
        AttributeDraft("operation", "conv", "deformable convolutions", "Taps move.", "Bend it.", "taps bend", (0, 9)),
        AttributeDraft(
            "block",
            "Recurrence",
            "Loop",
            "Runs twice.",
            "Loop it.",
            "run twice",
            (0, 9),
            "Blocks that run [/red] more than once.",
        ),
    ]
    with Store(path) as store:
        template, _ = template_of(store)
        for number, draft in enumerate(drafts):
            text = f"# Paper {number}\n\n## Abstract\n\n{draft.quote}\n"
            file = path.with_name(f"{number}.md")
            file.write_text(text)
            add_papers(store, [str(file)])
            paper = next(one.id for one in store.papers.listing() if one.title == f"Paper {number}")
            store.proposals.add(paper, "m/t", "ollama:tiny", [draft], 0)
        words = "Use deformable convolution, whose taps move."
        store.ideas.add_imported(template, [("conv.depthwise", "bend", words)], approve=False)
    return path


async def proposals(app, pilot):
    await ready(app)
    await pilot.press("p")
    asked = await dialog(app, ProposalsDialog)
    await wait_for(lambda: "would move here" in shown(app), "what would move")
    return asked


async def test_a_proposal_stands_beside_its_place_with_evidence_and_what_moves(proposed):
    async with opened(proposed, "template", size=(110, 40)) as (app, pilot):
        await ready(app)
        await wait_for(lambda: "3 proposals from papers; p shows them" in shown(app), "the number of proposals")
        await proposals(app, pilot)
        seen = shown(app)
        assert "2 proposed categories" in seen
        assert "by 2 of the papers" in seen
        assert "+ Deformable convolution" in seen and "Grouped" in seen
        assert "1 idea would move here" in seen and "1 from conv.depthwise" in seen
        await wait_for(lambda: "“taps bend”" in shown(app), "the words of the second paper")
        assert "“taps move”" in shown(app)
        await pilot.press("j")
        await wait_for(lambda: "+ Recurrence (a new main category)" in shown(app), "the second proposal")
        assert "Blocks that run [/red] more than once." in shown(app)
        await pilot.press("escape")
        await wait_for(lambda: not isinstance(app.screen, ProposalsDialog), "its end")
    assert "conv.deformable-convolution" not in {sub.id for sub in template(proposed).subs}


async def test_accepting_refusing_and_undoing(proposed):
    async with opened(proposed, "template", size=(110, 40)) as (app, pilot):
        first = await proposals(app, pilot)
        await pilot.press("e")
        asked = await dialog(app, LineDialog)
        app.screen.query_one(Input).value = "Bent"
        await pilot.press("enter")
        await told(app, "Accepted: added Deformable convolution; 1 idea refiled.")
        second = await wait_for(
            lambda: isinstance(app.screen, ProposalsDialog) and app.screen is not first and app.screen, "the next"
        )
        assert asked is not second
        await wait_for(lambda: "1 proposed categories" in shown(app), "the list")
        await pilot.press("x")
        await told(app, "Refused: Loop.")
        await wait_for(lambda: not isinstance(app.screen, ProposalsDialog), "the end")
        assert ideas(proposed)["bend"] == "conv.bent"
        await wait_for(lambda: not app.screen.snapshot.proposals, "the screen to know")
        answers = await said_to(app, pilot, "p")
        assert "No proposal is open" in answers[0]
        await free(app)
        await pilot.press("u")
        await told(app, "Undone: added Deformable convolution")
    assert ideas(proposed)["bend"] == "conv.depthwise"


def files(subs):
    """A model that files ideas under one sub-category after the other."""
    turn = iter(subs)

    def answer(request):
        sub = next(turn)
        user = request["messages"][-1]["content"]
        count = sum(line[:1].isdigit() for line in user.splitlines())
        reply = json.dumps({"places": [{"idea": n, "sub": sub} for n in range(1, count + 1)]})
        return Answered((reply,), sum(len(one["content"]) for one in request["messages"]) // 4, 9)

    return answer


async def test_a_model_files_what_was_seen(proposed):
    """By rule one idea would move, by the model two; what it answered in the preview is what is done."""
    with Store(proposed) as store:
        said = "Repeat it a second time."
        store.ideas.add_imported(template_of(store)[0], [("conv.depthwise", "more", said)], approve=False)
    with serving(OllamaProtocol(files(["conv.deformable-convolution", "conv.grouped"]))) as server:
        async with opened(proposed, "template", llm=f"ollama:tiny:1b@{server.url}", size=(80, 24)) as (app, pilot):
            await proposals(app, pilot)
            assert server.requests == []
            await pilot.press("m")
            await wait_for(lambda: "2 ideas would move here, as" in shown(app), "the model's way")
            assert len(server.requests) == 1
            await pilot.press("m")
            await wait_for(lambda: "1 idea would move here, by rule" in shown(app), "the rules' way")
            await pilot.press("m", "enter")
            await told(app, "Accepted: added Deformable convolution; 2 ideas refiled.")
            assert len(server.requests) == 1
    assert {ideas(proposed)[one] for one in ("bend", "more")} == {"conv.deformable-convolution"}


async def test_a_model_that_is_told_another_name_is_seen_again(proposed):
    with serving(OllamaProtocol(files(["conv.deformable-convolution", "conv.grouped"]))) as server:
        async with opened(proposed, "template", llm=f"ollama:tiny:1b@{server.url}", size=(110, 40)) as (app, pilot):
            await proposals(app, pilot)
            await pilot.press("m")
            await wait_for(lambda: "1 idea would move here, as" in " ".join(shown(app).split()), "the model's way")
            await pilot.press("e")
            await dialog(app, LineDialog)
            app.screen.query_one(Input).value = "Bent"
            await pilot.press("enter")
            asked = await dialog(app, ConfirmDialog)
            assert asked._question.endswith("files them now, 0 ideas would move to conv.bent. Accept it?")
            await pilot.press("n")
            await wait_for(lambda: isinstance(app.screen, ProposalsDialog), "the proposals again")
    assert ideas(proposed)["bend"] == "conv.depthwise" and "conv.bent" not in {
        sub.id for sub in template(proposed).subs
    }


@pytest.mark.parametrize(("llm", "says"), [("rules", "rules is no model"), ("ollama:tiny@http://127.0.0.1:9", "serve")])
async def test_without_a_model_the_rules_file(proposed, llm, says):
    async with opened(proposed, "template", llm=llm, size=(110, 40)) as (app, pilot):
        asked = await proposals(app, pilot)
        await pilot.press("m")
        await wait_for(lambda: says in shown(app), "why it cannot")
        await pilot.press("enter", "e")
        assert app.screen is asked
        await pilot.press("m", "enter")
        await told(app, "Accepted: added Deformable convolution; 1 idea refiled.")


async def test_rules_cannot_propose(path):
    async with opened(path, "template", llm="rules") as (app, pilot):
        await ready(app)
        await pilot.press("o")
        await told(app, "rules knows only the template's own words; M on Papers chooses a model.")
        assert app.screen.SCOPE == "template"  # nothing was asked
