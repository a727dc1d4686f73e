"""Work on the template: what differs, what moves, what a model proposes, and that a person decides."""

from __future__ import annotations

import json

import pytest
import yaml
from llm_server.ollama_protocol import Answered, OllamaProtocol, says, serving

from fairnad_engine.knowledge import template_edit as edit
from fairnad_engine.knowledge.paper_layout import find_sections
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.knowledge.refiling import by_rule, preview, refiled, replaced
from fairnad_engine.knowledge.suggestions import accepted, suggestions
from fairnad_engine.knowledge.template import Template, check
from fairnad_engine.knowledge.template_diff import differences
from fairnad_engine.knowledge.template_history import apply_edit, undo
from fairnad_engine.llm.chat_author import ChatAuthor
from fairnad_engine.llm.ollama import OllamaModel
from fairnad_engine.llm.protocol import AttributeDraft
from fairnad_engine.store import Store
from fairnad_engine.workspace import template_of

SHIPPED = Template.load()
PAPERS = {
    "moving": "The taps of the kernel move with the content, which we call a deformable convolution. It is cheap.",
    "again": "Our deformable convolutions bend the sampling grid. They replace the second layer of each block.",
    "plain": "We tune the learning rate. Nothing else is told.",
}


def say(name, quote, main="conv", level="operation", **more):
    attribute = {"quote": quote, "level": level, "main": main, "name": name, "definition": "Taps that move."}
    return {**attribute, "example": "Use kernels whose taps move with the content.", **more}


def author(request):
    """Proposes what it finds of two papers, and something that is in none."""
    text = request["messages"][-1]["content"]
    found = []
    if "which we call" in text:
        found.append(say("Deformable convolution", "The taps of the kernel move with the content"))
        found.append(say("Invented", "these words stand nowhere in it"))
    if "bend the sampling grid" in text:
        found.append(say("deformable convolutions", "deformable convolutions bend the sampling grid", main="CONV"))
    if "File these" in text:
        ideas = [line for line in text.splitlines() if line[:1].isdigit()]
        places = [{"idea": n, "sub": "conv.deformable"} for n, line in enumerate(ideas, 1) if "bend" in line]
        reply = {"places": places}
    else:
        reply = {"attributes": found}
    whole = sum(len(one["content"]) for one in request["messages"])
    return Answered((json.dumps(reply),), whole // 4, 20)


@pytest.fixture
def server():
    with serving(OllamaProtocol(author)) as state:
        yield state


@pytest.fixture
def papers(tmp_path):
    folder = tmp_path / "papers"
    folder.mkdir()
    for name, text in PAPERS.items():
        (folder / f"{name}.md").write_text(f"# On {name}\n\n## Abstract\n\nA block.\n\n## Design\n\n{text}\n")
    return folder


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "w.db") as opened:
        template_of(opened)
        yield opened


def own(store, sub, text):
    return store.ideas.add_own(SHIPPED, sub, text[:20], text)


def drafted(store, *texts, sub="conv.depthwise"):
    """Ideas as an import leaves them: filed by nobody in particular."""
    made = [own(store, sub, text) for text in texts]
    store.calls._db.execute("UPDATE ideas SET origin = 'imported'")
    return made


class TestDiff:
    def test_nothing(self):
        assert differences(SHIPPED, SHIPPED) == ()

    def test_each_kind(self):
        new = edit.add_sub(SHIPPED, "conv", "Deformable", "Taps that move.").template
        new = edit.change(new, "conv.grouped", "name", "Groups").template
        new = edit.delete(new, "act.hard").template
        said = [str(one) for one in differences(SHIPPED, new)]
        assert said[0].startswith("- act.hard  ")
        assert "+ conv.deformable  Deformable" in said
        assert any(line.startswith("~ conv.grouped  name: ") and "-> Groups" in line for line in said)
        # An opposite that pointed to what is gone is a change as well, and nothing else is.
        assert {one.id for one in differences(SHIPPED, new)} - {"act.hard", "conv.deformable", "conv.grouped"} <= {
            sub.id for sub in SHIPPED.subs if sub.antonym == "act.hard"
        }


class TestRefiling:
    def test_ideas_of_a_category_that_is_gone_find_another(self, store):
        (idea,) = drafted(store, "Use a grouped convolution with 8 groups in place of the dense one.")
        new = edit.delete(SHIPPED, "conv.depthwise").template
        plain = replaced(SHIPPED, new, {}, "imported")
        assert preview(store, plain).homeless == (("conv.depthwise", 1),)
        planned = refiled(store, plain, SHIPPED)
        assert preview(store, planned).moves == (("conv.depthwise", "conv.grouped", 1),)
        assert apply_edit(store, planned) == 1
        assert store.ideas.get(idea).sub == "conv.grouped"
        assert undo(store) == ("imported", 1)
        assert store.ideas.get(idea).sub == "conv.depthwise"

    def test_what_is_said_goes_before_the_rules(self, store):
        drafted(store, "Use a grouped convolution with 8 groups.")
        new = edit.delete(SHIPPED, "conv.depthwise").template
        planned = refiled(store, replaced(SHIPPED, new, {"conv.depthwise": "act.smooth"}, "x"), SHIPPED)
        assert preview(store, planned).moves == (("conv.depthwise", "act.smooth", 1),)

    def test_a_new_category_takes_what_fits_it_but_not_what_a_person_filed(self, store):
        bend, other = drafted(store, "Use deformable convolution whose taps move.", "Use a 7x7 depthwise convolution.")
        mine = own(store, "conv.depthwise", "Use deformable convolution in the last stage.")
        change = edit.add_sub(SHIPPED, "conv", "Deformable convolution", "Kernels whose taps move with the content.")
        planned = refiled(store, change, SHIPPED)
        assert dict(planned.places) == {bend: "conv.deformable-convolution"}
        assert other not in planned.places and mine not in planned.places

    def test_no_word_in_common_stays_homeless(self):
        assert by_rule({"a": "qqq zzz"}, SHIPPED, must=True) == {}

    @pytest.mark.parametrize("move", [{"conv.nothing": "conv.grouped"}, {"conv.depthwise": "conv.nothing"}])
    def test_unknown_categories_are_refused(self, move):
        with pytest.raises(Exception, match=r"--move .*conv\.nothing"):
            replaced(SHIPPED, SHIPPED, move, "x")


class TestSuggestions:
    def put(self, store, papers):
        for number, (name, draft) in enumerate(papers):
            paper = f"p{number}"
            store.calls._db.execute(
                "INSERT INTO papers (id, title, abstract, text, sections_json, authors_json, source, added_at) "
                "VALUES (?, ?, '', '', '[]', '[]', '', '')",
                [paper, name],
            )
            store.proposals.add(paper, "s", "m", [draft], 0)
        return suggestions(store.proposals.with_status("open"), SHIPPED)

    def draft(self, name, main="conv", level="operation", **more):
        return AttributeDraft(level, main, name, "What it is.", "Use it | so.", "the words", (0, 9), **more)

    def test_names_that_mean_the_same_are_one_and_the_commonest_comes_first(self, store):
        found = self.put(
            store,
            [
                ("A", self.draft("Sparse routing")),
                ("B", self.draft("Deformable convolution")),
                ("C", self.draft("convolution, deformable")),
                ("D", self.draft("Depthwise convolution")),
            ],
        )
        assert [(one.head.name, one.papers) for one in found] == [
            ("Deformable convolution", 2),
            ("Sparse routing", 1),
            ("Depthwise convolution", 1),
        ]
        assert [one.known for one in found] == [None, None, "conv.depthwise"]

    def test_accepting_makes_what_is_missing(self, store):
        found = self.put(
            store,
            [("A", self.draft("Loop", "Recurrence", "block")), ("B", self.draft("Early exit", "recurrence", "block"))],
        )
        change = accepted(SHIPPED, found, {found[1].head.id: "Exits"})
        new = change.template
        assert [sub.name for sub in new.subs_of("recurrence")] == ["Loop", "Exits"]
        assert new.level_of("recurrence") == "block"
        assert new.sub("recurrence.loop").examples == ("Use it / so.",)
        assert new.sub("recurrence.exits").cues == ("exits", "early exit")
        assert (change.base, change.note) == (SHIPPED.digest, "added 2 proposed sub-categories")

    def test_a_person_has_only_the_signature_to_add(self, store):
        loop = {"main": "Recurrence", "level": "block", "second_example": "Run it twice."}
        told = {**loop, "main_definition": "Blocks that run more than once."}
        found = self.put(store, [("A", self.draft("Loop", **loop)), ("B", self.draft("Early exit", **told))])
        new = accepted(SHIPPED, found).template
        # The second paper says what the main category is.
        assert new.main("recurrence").definition == "Blocks that run more than once."
        assert new.sub("recurrence.loop").examples == ("Use it / so.", "Run it twice.")
        _, mains, subs = new.counts
        assert check(new) == [
            f"{mains} main and {subs} sub-categories; the method has 15 and 55",
            "recurrence.loop: has no signature, so no child can be seen to realise it",
            "recurrence.early-exit: has no signature, so no child can be seen to realise it",
        ]

    def test_a_main_category_that_nobody_defines_is_what_its_first_sub_category_is(self, store):
        found = self.put(store, [("A", self.draft("Loop", "Recurrence", "block"))])
        assert accepted(SHIPPED, found).template.main("recurrence").definition == "What it is."

    def test_examples_of_several_papers_come_together(self, store):
        drafts = [self.draft("Loop", second_example=one) for one in ("Use it / so.", "Bend.", "Break.", "Burn.")]
        (found,) = self.put(store, [(str(number), one) for number, one in enumerate(drafts)])
        assert accepted(SHIPPED, [found]).template.sub("conv.loop").examples == ("Use it / so.", "Bend.", "Break.")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"main": "Recurrence", "main_definition": " Blocks that\nrun\u200b twice. "}, "Blocks that run twice."),
        ({"main": "Recurrence"}, ""),
        ({"main": "CONV", "main_definition": "Of one that is there."}, ""),
        ({"main": "Recurrence", "main_definition": "x" * 301}, "x" * 300),
    ],
)
def test_what_a_model_says_of_a_main_category(given, kept):
    quote = "The taps of the kernel move with the content"
    reply = json.dumps({"attributes": [say("Loop", quote, second_example="Run it twice.", **given)]})
    text = PAPERS["moving"]
    paper = PaperText(
        id="p", title="On it", authors=(), year=2001, venue="", arxiv="", abstract=text, text=text, source="-",
        sections=find_sections(text),
    )  # fmt: skip
    with serving(OllamaProtocol(says(reply))) as server:
        found = ChatAuthor(OllamaModel("tiny:1b", server.url)).propose(paper, SHIPPED)
    assert [(one.main_definition, one.second_example) for one in found.drafts] == [(kept, "Run it twice.")]
    wanted = server.requests[0]["format"]["properties"]["attributes"]["items"]["properties"]
    assert wanted["main_definition"]["maxLength"] == wanted["second_example"]["maxLength"] == 300
    assert "main_definition: what belongs under a new main category" in server.requests[0]["messages"][0]["content"]


class TestCommands:
    def test_from_papers_to_a_template_and_back(self, fairnad, papers, server, tmp_path):
        model = f"ollama:tiny:1b@{server.url}"
        assert fairnad("papers", "add", papers).code == 0
        fairnad("ideas", "add", "--sub", "conv.depthwise", "Bend the grid.")
        done = fairnad("template", "propose", "--llm", model)
        assert done.code == 0, done.err
        (said,) = [one for one in done.events("state") if one["state"] == "done"]
        assert said["message"] == "3 papers read, 2 categories proposed, 1 without evidence dropped"
        # Every call is in the accounts, with what the server counted.
        (stats,) = json.loads(fairnad("llm", "stats", "--json").out)
        assert (stats["purpose"], stats["calls"]) == ("propose", len(server.requests))
        assert stats["completion_tokens"] == 20 * len(server.requests)

        (proposal,) = json.loads(fairnad("template", "proposals", "--json").out)
        assert proposal["name"] in ("Deformable convolution", "deformable convolutions")
        assert len(proposal["papers"]) == 2
        seen = fairnad("template", "diff")
        assert "+ conv.deformable-convolution" in seen.out.lower()

        # Nothing is asked twice of the same papers, and a refusal is kept.
        asked = len(server.requests)
        assert fairnad("template", "propose", "--llm", model).code == 0
        assert len(server.requests) == asked

        number = proposal["number"]
        done = fairnad("template", "apply", number, "--name", f"{number}=Deformable")
        assert done.code == 0, done.err
        assert "added" in done.out
        shown = fairnad("template", "show").out
        assert "conv.deformable" in shown
        assert json.loads(fairnad("template", "proposals", "--json").out) == []
        assert fairnad("template", "undo").code == 0
        assert "conv.deformable" not in fairnad("template", "show").out

    def test_refusing(self, fairnad, papers, server):
        fairnad("papers", "add", papers)
        fairnad("template", "propose", "--llm", f"ollama:tiny:1b@{server.url}")
        (proposal,) = json.loads(fairnad("template", "proposals", "--json").out)
        assert fairnad("template", "apply", proposal["number"], "--refuse").code == 0
        assert json.loads(fairnad("template", "proposals", "--json").out) == []
        refused = fairnad("template", "apply", proposal["number"])
        assert refused.code == 2 and "no open proposal" in refused.one_line()

    def test_out_and_in_again_with_a_model_that_files(self, fairnad, server, tmp_path):
        file = tmp_path / "mine.yaml"
        assert fairnad("template", "export", file).code == 0
        assert fairnad("template", "export", file).code == 2
        document = yaml.safe_load(file.read_text("utf-8"))
        conv = document["levels"][0]["mains"][0]
        assert conv["id"] == "conv"
        conv["subs"].append({**conv["subs"][0], "id": "conv.deformable", "name": "Deformable", "antonym": None})
        file.write_text(yaml.safe_dump(document), "utf-8")
        texts = ("Use a depthwise convolution that can bend its grid.", "Use a depthwise convolution of 7x7.")
        rows = [{"id": n, "paper_id": 1, "inspiration": text} for n, text in enumerate(texts)]
        (tmp_path / "ideas.json").write_text(json.dumps(rows))
        assert fairnad("ideas", "import", tmp_path / "ideas.json").code == 0
        said = fairnad("template", "diff", file, "--json")
        assert [one["id"] for one in json.loads(said.out)["changes"]] == ["conv.deformable"]
        assert "conv.deformable" not in fairnad("template", "show").out
        done = fairnad("template", "import", file, "--refile", f"ollama:tiny:1b@{server.url}")
        assert done.code == 0, done.err
        assert "; 1 ideas refiled" in done.out
        (moved,) = json.loads(fairnad("ideas", "list", "--category", "conv.deformable", "--json").out)
        assert moved["instruction"] == texts[0]
        stats = json.loads(fairnad("llm", "stats", "--json").out)
        assert [(one["purpose"], one["calls"]) for one in stats] == [("refile", len(server.requests))]

    @pytest.mark.parametrize("how", ["proposal", "file"])
    def test_what_the_preview_said_is_what_moves(self, fairnad, papers, server, tmp_path, how):
        """The model answers otherwise each time; once it was looked at, it is not asked again."""
        model = f"ollama:tiny:1b@{server.url}"
        texts = [f"Use a depthwise convolution of {n} taps that bend." for n in range(3, 13)]
        rows = [{"id": n, "paper_id": 1, "inspiration": text} for n, text in enumerate(texts)]
        (tmp_path / "ideas.json").write_text(json.dumps(rows))
        assert fairnad("ideas", "import", tmp_path / "ideas.json").code == 0
        if how == "file":
            file = tmp_path / "mine.yaml"
            file.write_text(edit.add_sub(SHIPPED, "conv", "Deformable", "Taps move.").text, "utf-8")
            look, do = ("diff", file), ("import", file)
        else:
            fairnad("papers", "add", papers)
            fairnad("template", "propose", "--llm", model)
            (proposal,) = json.loads(fairnad("template", "proposals", "--json").out)
            look, do = ("diff", "--proposal", proposal["number"]), ("apply", proposal["number"])
        replies = []

        def wavering(request):
            system, user = (one["content"] for one in request["messages"])
            sub = next(word for word in system.replace(":", " ").split() if word.startswith("conv.deformable"))
            ideas = [line for line in user.splitlines() if line[:1].isdigit()]
            replies.append(user)
            # The second batch is answered with something that cannot be used.
            some = range(1, 1 + max(1, len(ideas) - len(replies)))
            said = {"places": [{"idea": n, "sub": sub} for n in some]} if len(ideas) == 8 else "nothing"
            return Answered((json.dumps(said),), (len(system) + len(user)) // 4, 20)

        server.answer = wavering
        seen = fairnad("template", *look, "--refile", model, "--json")
        assert seen.code == 0, seen.err
        (move,) = json.loads(seen.out)["moves"]
        asked = len(server.requests)
        assert replies and move["ideas"] == 7
        done = fairnad("template", *do, "--refile", model)
        assert done.code == 0, done.err
        assert f"; {move['ideas']} ideas refiled" in done.out
        assert len(server.requests) == asked
        moved = json.loads(fairnad("ideas", "list", "--category", move["to"], "--json").out)
        assert len(moved) == move["ideas"]
        # Another template is another question.
        assert fairnad("template", "undo").code == 0
        other = tmp_path / "other.yaml"
        other.write_text(edit.add_sub(SHIPPED, "conv", "Deformable ones", "Taps move.").text, "utf-8")
        assert fairnad("template", "diff", other, "--refile", model).code == 0
        assert len(server.requests) > asked
        stats = {one["purpose"]: one["calls"] for one in json.loads(fairnad("llm", "stats", "--json").out)}
        assert stats["refile"] == len(replies)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("propose", "--llm", "rules"), "name a model"),
            (("import", "nowhere.yaml"), "nowhere.yaml"),
            (("diff",), "no proposal is open"),
            (("apply",), "no proposal was named"),
            (("diff", "--proposal", "9"), "9 is no open proposal"),
            (("diff", "x.yaml", "--proposal", "9"), "goes without FILE"),
            (("export", "--version", "9"), "has 1 versions"),
        ],
    )
    def test_bad_input_is_one_line(self, fairnad, papers, arguments, said):
        fairnad("papers", "add", papers)
        done = fairnad("template", *arguments)
        assert done.code == 2
        assert said in done.one_line()
