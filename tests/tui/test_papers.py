"""The papers screen: adding, screening, the model, and the structuring job that goes on without it."""

from __future__ import annotations

import json
import time

import pytest
from textual.widgets import Input

from fairnad_engine.knowledge.paper_layout import find_sections
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.knowledge.reading_stamps import reading_stamp
from fairnad_engine.llm.incidents import IncidentCounts
from fairnad_engine.llm.protocol import IdeaDraft, ModelCall
from fairnad_engine.store import Store
from fairnad_engine.workspace import end_worker, template_of
from fairnad_screens.data.papers import read_detail
from fairnad_screens.dialogs import ChoiceDialog, ConfirmDialog, LineDialog
from fairnad_screens.papers import _STREAM_SECONDS
from fairnad_screens.widgets.path_suggester import complete
from fairnad_screens.widgets.rows import Rows
from fairnad_screens.widgets.text_dialog import TextDialog
from tests.llm_server.ollama_protocol import Answered, Behaviour, OllamaProtocol, says, serving
from tests.tui.harness import messages, opened, said_to, shown, wait_for

TITLES = ("Deep residual learning", "Wide networks", "A survey of cats")


def paper(title, year):
    text = f"{title}: we replace the convolution by a depthwise convolution in each residual block."
    return PaperText(
        id=f"{year:016x}", title=title, authors=("A. Author",), year=year, venue="CVPR", arxiv="", abstract=text,
        text=text, source="papers.jsonl", sections=find_sections(text),
    )  # fmt: skip


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Three papers: one kept with an idea, one not screened, one left out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")  # nothing listens there
    file = tmp_path / "w.db"
    with Store(file) as store:
        template, _ = template_of(store)
        for year, title in enumerate(TITLES, 2001):
            store.papers.add(paper(title, year))
        first, _, third = (one.id for one in store.papers.all())
        store.papers.set_screening(first, True, "about blocks", "rules")
        store.papers.set_screening(third, False, "about cats", "rules")
        draft = IdeaDraft("conv", "conv.depthwise", "Depthwise", "Use depthwise filters", "depthwise", None)
        for one, drafts in ((first, [draft]), (third, [])):
            store.ideas.file_extracted(one, drafts, template, str(reading_stamp("rules", template.digest)))
    return file


def papers(path):
    with Store(path) as store:
        return {one.title: one for one in store.papers.all()}


def listed(app):
    return shown(app).splitlines()


async def ready(app, count=3):
    await wait_for(lambda: app.screen.query_one(Rows).count == count, f"{count} rows")


async def dialog(app, kind):
    return await wait_for(lambda: isinstance(app.screen, kind) and app.screen, kind.__name__)


async def type_line(app, pilot, text):

    field = app.screen.query_one(Input)
    field.value = text
    await pilot.press("enter")


async def choose(app, pilot, words):

    await dialog(app, ChoiceDialog)
    app.screen.query_one(Input).value = words
    await pilot.pause()
    await pilot.press("enter")


async def test_rows_say_what_became_of_each_paper(path):
    async with opened(path, "papers") as (app, _):
        await ready(app)
        rows = "\n".join(listed(app))
        for title, count, status in zip(TITLES, "1-0", ("kept", "not screened", "left out"), strict=True):
            line = next(line for line in listed(app) if title in line and "20" in line[:9])
            assert line.split()[-len(status.split()) :] == status.split()
            assert f" {count} " in line
        assert "1 kept, 1 left out, 1 not screened; model ollama:qwen3:8b" in rows
        await wait_for(lambda: "kept by rules: about blocks" in shown(app), "the detail")
        assert all(len(line) <= 80 for line in listed(app))


async def test_movement(path):
    async with opened(path, "papers") as (app, pilot):
        await ready(app)
        rows = app.screen.query_one(Rows)
        for key, place in [("j", 1), ("down", 2), ("j", 2), ("k", 1), ("up", 0), ("G", 2), ("g", 0), ("end", 2),
                           ("home", 0), ("pagedown", 2), ("pageup", 0), ("ctrl+f", 2), ("ctrl+b", 0)]:  # fmt: skip
            await pilot.press(key)
            assert rows.place == place, key
        await pilot.press("G")
        await wait_for(lambda: "about cats" in shown(app), "the third paper's detail")


async def test_pane_scrolls(path):
    async with opened(path, "papers", size=(80, 24)) as (app, pilot):
        await ready(app)
        pane = app.screen.query_one("#pane")
        app.screen.query_one("#detail").update("\n".join("abcdefghijklmnopqrst"))
        await wait_for(lambda: pane.max_scroll_y > 3, "something to scroll")
        await pilot.press("J")
        await wait_for(lambda: pane.scroll_offset.y == 3)
        await pilot.press("K")
        await wait_for(lambda: pane.scroll_offset.y == 0)


async def test_filter_is_live_and_esc_restores(path):
    async with opened(path, "papers") as (app, pilot):
        await ready(app)
        await pilot.press("slash", *"left")
        await ready(app, 1)
        assert TITLES[2] in shown(app)
        await pilot.press("escape")
        await ready(app, 3)
        await pilot.press("slash", *"wide", "enter")
        await ready(app, 1)
        await pilot.press("slash", *"zz")
        await wait_for(lambda: "Nothing matches. Esc clears" in shown(app))
        await pilot.press("escape")
        await ready(app, 1)
        await pilot.press("escape")
        await ready(app, 3)


async def test_place_is_kept_over_restarts(path):
    async with opened(path, "papers") as (app, pilot):
        await ready(app)
        await pilot.press("slash", *"20", "enter", "G")
        app.screen.shell.llm = "ollama:other"
        await pilot.press("ctrl+q")
    async with opened(path) as (app, _):
        await wait_for(lambda: app.screen.SCOPE == "papers")
        await ready(app)
        assert app.screen.query_one(Rows).place == 2
        assert app.llm == "ollama:other"
        assert app.screen.filter_text == "20"


async def test_override_is_a_persons_word(path):
    async with opened(path, "papers") as (app, pilot):
        await ready(app)
        await pilot.press("o")
        await wait_for(lambda: papers(path)[TITLES[0]].relevant is False, "left out")
        await wait_for(lambda: "left out (you)" in shown(app))
        await pilot.press("G", "o")
        await wait_for(lambda: papers(path)[TITLES[2]].relevant is True, "kept")
        found = papers(path)[TITLES[2]]
        assert (found.screened_by, found.structured_by) == ("person", "")
        await wait_for(lambda: any("s reads it" in one for one in messages(app)), "what is next")


async def test_enter_shows_everything(path):
    async with opened(path, "papers") as (app, pilot):
        await ready(app)
        await wait_for(lambda: "about blocks" in shown(app))
        await pilot.press("enter")
        await dialog(app, TextDialog)
        assert "From papers.jsonl" in shown(app)
        for key in ("j", "k", "G", "g", "pagedown", "pageup"):
            await pilot.press(key)
        await pilot.press("escape")
        await wait_for(lambda: app.screen.SCOPE == "papers")


async def test_to_its_ideas(path):
    async with opened(path, "papers") as (app, pilot):
        await ready(app)
        await pilot.press("j", "i")
        assert any("no ideas yet" in one for one in messages(app))
        await pilot.press("k", "i")
        await wait_for(lambda: app.screen.SCOPE == "ideas" and "Use depthwise filters" in shown(app), "the ideas")
        assert app.screen.filter_text == f'paper:"{TITLES[0]}"'


class TestAdding:
    async def test_problems_are_listed_and_the_rest_is_added(self, path, tmp_path):
        folder = tmp_path / "in"
        folder.mkdir()
        (folder / "good.md").write_text("# Good\n\nA good text about blocks.")
        (folder / "bad.jsonl").write_text('{"title": "[/red] \x1b[31m"}\n{no json}\n')
        (folder / "x.pdf").write_bytes(b"%PDF")
        async with opened(path, "papers") as (app, pilot):
            await ready(app)
            await pilot.press("a")
            await dialog(app, LineDialog)
            await type_line(app, pilot, str(folder))
            await dialog(app, TextDialog)
            text = shown(app)
            assert "3 could not be read" in text
            # The whole text, since a long folder's name wraps where it will.
            problems = app.screen._text.plain
            assert "x.pdf" in problems and "line 2" in problems
            assert "\x1b" not in problems
            await pilot.press("q")
            await ready(app, 4)
            assert any("1 papers added" in one for one in messages(app))

    async def test_samples(self, tmp_path):
        async with opened(tmp_path / "new.db", "papers") as (app, pilot):
            await wait_for(lambda: "No papers yet. a adds a file or a folder" in shown(app))
            await pilot.press("a")
            await dialog(app, LineDialog)
            await type_line(app, pilot, "samples")
            await ready(app, 20)

    async def test_a_path_that_cannot_be_read_is_offered_again(self, tmp_path):
        async with opened(tmp_path / "new.db", "papers") as (app, pilot):
            await wait_for(lambda: "No papers yet" in shown(app))
            await pilot.press("a")
            await dialog(app, LineDialog)
            await type_line(app, pilot, "nowhere.md")
            await dialog(app, TextDialog)
            assert "1 could not be read; nothing was added" in shown(app)
            assert not messages(app)
            await pilot.press("q")
            await wait_for(lambda: not isinstance(app.screen, TextDialog))
            await pilot.press("a")
            asked = await dialog(app, LineDialog)
            assert asked.query_one(Input).value == "nowhere.md"
            await type_line(app, pilot, "samples")
            await ready(app, 20)
            assert "Next: s lets the model read 20 papers" in shown(app)
            await pilot.press("a")
            asked = await dialog(app, LineDialog)
            assert asked.query_one(Input).value == ""

    @pytest.mark.parametrize(("typed", "says"), [("-", "standard input"), ("nowhere.md", "no such file"), ("", "")])
    async def test_what_cannot_be_added(self, path, typed, says):
        async with opened(path, "papers") as (app, pilot):
            await ready(app)
            await pilot.press("a")
            await dialog(app, LineDialog)
            await type_line(app, pilot, typed)
            await wait_for(lambda: not isinstance(app.screen, LineDialog))
            if says:
                await wait_for(lambda: says in shown(app) or any(says in one for one in messages(app)), says)

    def test_completion(self, path, tmp_path):
        (tmp_path / "My papers").mkdir()
        (tmp_path / "My papers" / "b.md").write_text("")
        (tmp_path / "My papers" / "a.doc").write_text("")
        (tmp_path / ".hidden").mkdir()
        assert complete("M") == "My papers/"
        assert complete("My papers/") == "My papers/b.md"
        assert complete(f"{tmp_path}/My") == f"{tmp_path}/My papers/"
        assert complete("sam") == "samples"
        for nothing in ("", "zz", "nowhere/x", "\0", "~nobody-at-all/x"):
            assert complete(nothing) is None


class TestModel:
    async def test_without_a_server_it_is_said_and_nothing_else_is_taken(self, path):
        async with opened(path, "papers") as (app, pilot):
            await ready(app)
            await pilot.press("s")
            await dialog(app, ChoiceDialog)
            await wait_for(lambda: "ollama serve" in shown(app), "what to do")
            await choose(app, pilot, "try again")
            await dialog(app, ChoiceDialog)
            await pilot.press("escape")
            await wait_for(lambda: not isinstance(app.screen, ChoiceDialog))
            assert app.llm is None
            with Store(path) as store:
                assert store.jobs.all() == []

    async def test_served_models_are_offered_and_rules_and_typed_ones(self, path, monkeypatch):
        with serving(OllamaProtocol(says("{}"), models=("tiny:1b", "big:70b"))) as server:
            monkeypatch.setenv("OLLAMA_HOST", server.url)
            async with opened(path, "papers") as (app, pilot):
                await ready(app)
                for words, chosen in (("big", "ollama:big:70b"), ("rules", "rules")):
                    await pilot.press("M")
                    await choose(app, pilot, words)
                    await wait_for(lambda wanted=chosen: app.llm == wanted, chosen)
                await pilot.press("M")
                await choose(app, pilot, "another")
                await dialog(app, LineDialog)
                await type_line(app, pilot, "gpt")
                await wait_for(lambda: "not a model" in shown(app))
                await type_line(app, pilot, "ollama:tiny:1b@http://there:1")
                await wait_for(lambda: app.llm == "ollama:tiny:1b@http://there:1")
                await wait_for(lambda: "model ollama:tiny:1b@http://there:1" in shown(app))

    async def test_a_missing_model_is_got_and_then_used(self, path, monkeypatch):
        answer = says('{"reason": "r", "relevant": false}')
        with serving(OllamaProtocol(answer, library=("new:2b",))) as server:
            monkeypatch.setenv("OLLAMA_HOST", server.url)
            async with opened(path, "papers", llm="ollama:new:2b") as (app, pilot):
                await ready(app)
                await pilot.press("s")
                await dialog(app, ChoiceDialog)
                await wait_for(lambda: "has no model new:2b" in shown(app), "what is missing")
                await choose(app, pilot, "get ollama:new:2b")
                await wait_for(lambda: any("ollama:new:2b is there" in one for one in messages(app)), "the model")
                assert server.models == ("tiny:1b", "new:2b")
                await choose(app, pilot, "only the")  # and goes on with what was asked for
                await wait_for(lambda: papers(path)[TITLES[1]].structured_by.startswith("ollama:new:2b/"))

    async def test_a_model_that_no_library_has_is_one_line(self, path, monkeypatch):
        with serving(OllamaProtocol(says("{}"))) as server:
            monkeypatch.setenv("OLLAMA_HOST", server.url)
            async with opened(path, "papers") as (app, pilot):
                await ready(app)
                await pilot.press("M")
                await choose(app, pilot, "get one from")
                await dialog(app, LineDialog)
                await type_line(app, pilot, "ollama:nothing:1b")
                await wait_for(lambda: any("file does not exist" in one for one in messages(app)), "why")
                assert app.llm is None and app.screen.busy == ""

    async def test_what_the_calls_took(self, path):
        async with opened(path, "papers", llm="rules") as (app, pilot):
            await ready(app)
            await pilot.press("c")
            await wait_for(lambda: any("No model was called yet" in one for one in messages(app)), "an answer")
            calls = [
                ModelCall("screen", "ollama:tiny", "h", 1000, 50, 2.0),
                ModelCall("extract", "ollama:tiny", "h", 9, 50, 3.0),
            ]
            with Store(path) as store:
                for number, call in enumerate(calls):
                    store.calls.record(f"job-1/{number}", [call], job_id="job-1", run_id=None)
            await pilot.press("c")
            await dialog(app, TextDialog)
            await wait_for(lambda: "ollama:tiny: 5 s in all" in shown(app), "the table")
            seen = " ".join(shown(app).split())
            assert "screen 1 1,000 50 2.00 25.0" in seen and "all 2 1,009 100 2.50 20.0" in seen

    async def test_trying_a_model(self, path, monkeypatch, tmp_path):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        said = says('{"blocks": 9, "activation": "GELU"}')
        with serving(OllamaProtocol(said, version="0.12.0")) as server:
            async with opened(path, "papers", llm=f"ollama:tiny:1b@{server.url}") as (app, pilot):
                await ready(app)
                await pilot.press("t")
                await dialog(app, TextDialog)
                await wait_for(lambda: "context                32768" in shown(app), "what it can do")
                assert "Ollama 0.12.0 is older than 0.17.1" in " ".join(shown(app).split())
                await pilot.press("G")
                await wait_for(lambda: "yes replies keep to a schema" in shown(app), "the guards")
                await pilot.press("escape")
        async with opened(path, "papers", llm="rules") as (app, pilot):
            await ready(app)
            assert "cannot be asked" in (await said_to(app, pilot, "t"))[0] or await wait_for(
                lambda: any("cannot be asked" in one for one in messages(app))
            )


class TestStructuring:
    async def test_keys_say_why_they_cannot(self, tmp_path):
        async with opened(tmp_path / "new.db", "papers") as (app, pilot):
            await wait_for(lambda: "No papers yet" in shown(app))
            assert [one[:20] for one in await said_to(app, pilot, "s", "p", "x", "o", "i", "enter", "escape")] == [
                "There are no papers ", "No structuring is ru", "No structuring is ru", *["No paper is selected"] * 3,
                "There is no filter t",
            ]  # fmt: skip

    async def test_rules_to_the_end(self, path):
        async with opened(path, "papers", llm="rules") as (app, pilot):
            await ready(app)
            await pilot.press("s")
            await wait_for(lambda: papers(path)[TITLES[1]].structured_by, "the paper's structuring")
            await wait_for(lambda: "job-1 done: 1 papers structured" in shown(app))
            with Store(path) as store:
                assert store.ideas.counts()["approved"] == 0  # decisions are the user's
            await wait_for(lambda: "Next: I decides about the ideas, L launches a search" in shown(app))
            await pilot.press("s")
            await wait_for(lambda: any("structured by rules already" in one for one in messages(app)))

    async def test_papers_at_a_time(self, path):
        async with opened(path, "papers", llm="rules") as (app, pilot):
            await wait_for(lambda: "model rules" in shown(app))
            await pilot.press("n", *"65", "enter")
            await wait_for(lambda: "'65' is no number from 1 to 64" in shown(app))
            await pilot.press("ctrl+u", "4", "enter")
            await wait_for(lambda: "model rules, 4 at a time" in shown(app))
            await pilot.press("ctrl+q")
        async with opened(path, "papers", llm="rules") as (app, pilot):
            await wait_for(lambda: "model rules, 4 at a time" in shown(app))
            await pilot.press("s")
            await wait_for(lambda: "job-1 done: 1 papers structured" in shown(app))
            await pilot.press("n", "ctrl+u", "enter")
            await wait_for(lambda: "4 at a time" not in shown(app))
        with Store(path) as store:
            assert store.jobs.all()[-1].config["model"]["lanes"] == 4

    async def test_papers_that_an_older_version_of_rules_read_are_offered_again(self, path):
        with Store(path) as store:
            template, first = template_of(store)[0], papers(path)[TITLES[0]].id
            store.ideas.file_extracted(first, (), template, f"rules/{template.digest}")
        async with opened(path, "papers", llm="rules") as (app, pilot):
            await ready(app)
            await pilot.press("s")
            await choose(app, pilot, "all 2; ideas that are there stay")
            await wait_for(lambda: "job-1 done: 2 papers structured" in shown(app))
            stamp = reading_stamp("rules", template.digest)
            assert all(stamp.covers(one.structured_by) for one in papers(path).values())

    async def test_papers_read_by_another_model_are_read_again_only_on_request(self, path):
        with serving(OllamaProtocol(says('{"reason": "r", "relevant": false}'))) as server:
            async with opened(path, "papers", llm=f"ollama:tiny:1b@{server.url}") as (app, pilot):
                await ready(app)
                await pilot.press("s")
                await choose(app, pilot, "only the")
                await wait_for(lambda: papers(path)[TITLES[1]].structured_by.startswith("ollama:tiny:1b/"))
                assert papers(path)[TITLES[0]].structured_by.startswith("rules/")
                await wait_for(lambda: "job-1 done" in shown(app))
                await pilot.press("s")
                await dialog(app, ConfirmDialog)
                await pilot.press("n")
                await wait_for(lambda: not isinstance(app.screen, ConfirmDialog))
                with Store(path) as store:
                    assert len(store.jobs.all()) == 1

    async def test_looking_on_pausing_and_stopping(self, path):
        """The model stalls while it writes about both papers; what it wrote is shown, hostile as it is."""
        hostile = "[/red] \x1b]0;x\x07 \u202eabc"
        answer = says("")
        stalls = Behaviour(lambda _: Answered((hostile, "never"), 100, 1), stall_after=1)
        with Store(path) as store:
            store.papers.add(paper("Another one", 2009))
        with serving(OllamaProtocol(answer, behaviours=[stalls])) as server:
            async with opened(path, "papers", llm=f"ollama:tiny:1b@{server.url}") as (app, pilot):
                await ready(app, 4)
                await pilot.press("j", "s")
                await choose(app, pilot, "only the")
                try:
                    await wait_for(lambda: len(server.requests) == 2, "two papers in hand at once")
                    await wait_for(lambda: "screening now" in shown(app) and "[/red]" in shown(app), "the stream")
                    assert "<U+202E>" in shown(app)
                    assert "\x1b" not in shown(app) and "\u202e" not in shown(app)
                    assert sum(" screening" in line[60:] for line in listed(app)) == 2
                    await pilot.press("p")
                    await wait_for(lambda: "job-1 paused" in shown(app))
                    await pilot.press("p")
                    await wait_for(lambda: "job-1 running" in shown(app))
                    await pilot.press("x")
                    await wait_for(lambda: "job-1 stopping" in shown(app))
                    await pilot.press("x")
                    await dialog(app, ConfirmDialog)
                    assert "2 papers in hand" in shown(app)
                    await pilot.press("y")
                    await wait_for(lambda: "job-1 stopped" in shown(app))
                finally:
                    with Store(path) as store:
                        end_worker(store, store.jobs.get("job-1"))
                assert papers(path)[TITLES[1]].structured_by == ""

    async def test_every_paper_in_hand_is_looked_on_at_once(self, path):
        """The pane is divided where the cursor is on one of them, and by a key wherever it is."""

        def answer(request):
            title = next(one for one in (TITLES[1], "Another one") if one in request["messages"][-1]["content"])
            return Answered((f"{title.upper()}: {'on and on ' * 60}THE END", "never"), 100, 1)

        with Store(path) as store:
            store.papers.add(paper("Another one", 2009))
        with serving(OllamaProtocol(says(""), behaviours=[Behaviour(answer, stall_after=1)])) as server:
            async with opened(path, "papers", llm=f"ollama:tiny:1b@{server.url}") as (app, pilot):
                await ready(app, 4)
                await pilot.press("w")
                assert "No paper is in hand" in messages(app)[-1]
                await pilot.press("j", "s")
                await choose(app, pilot, "only the")
                pane = app.screen.query_one("#pane")
                try:

                    def both():
                        lines = [line.strip() for line in shown(app).splitlines()]
                        heads = [place for place, line in enumerate(lines) if "screening now: " in line]
                        ends = [place for place, line in enumerate(lines) if "THE END" in line]
                        return len(heads) == len(ends) == 2 and (heads, ends)

                    heads, ends = await wait_for(both, "both streams")
                    # In equal parts, each with its title above and its newest words last.
                    assert heads[1] - heads[0] == ends[1] - ends[0] == pane.scrollable_content_region.height // 2
                    assert ends[0] == heads[1] - 1
                    await pilot.press("g")
                    await wait_for(lambda: "about blocks" in shown(app), "the paper under the cursor")
                    assert not both()
                    await pilot.press("w")
                    await wait_for(both, "both streams, wherever the cursor is")
                    await pilot.press("w")
                    await wait_for(lambda: "about blocks" in shown(app) and not both(), "the paper again")
                    await pilot.resize_terminal(120, 40)
                    await pilot.press("w")
                    await wait_for(both, "both streams at the side")
                finally:
                    with Store(path) as store:
                        end_worker(store, store.jobs.get("job-1"))

    async def test_what_a_job_survived_is_counted(self, path):
        resets = [Behaviour(reset_after=1), Behaviour()]
        with serving(OllamaProtocol(says('{"reason": "r", "relevant": false}'), behaviours=resets)) as server:
            async with opened(path, "papers", llm=f"ollama:tiny:1b@{server.url}") as (app, pilot):
                await ready(app)
                await pilot.press("s")
                await choose(app, pilot, "only the")
                await wait_for(lambda: "job-1 done" in shown(app), "its end")
                assert "; 1 retry" in " ".join(shown(app).split())

    async def test_what_is_read_slowly_is_shown_all_the_same(self, path, monkeypatch):
        """Reading a paper in hand takes longer than the timer that looks at it anew."""
        with Store(path) as store:
            job = store.jobs.create("structure", {"model": {"llm": "ollama:tiny"}}, None)
            store.jobs.acquire(job.id)
            store.jobs.set_state(job.id, "running")
        folder = path.parent / "w-files" / "jobs" / job.id
        folder.mkdir(parents=True)
        (folder / "activity.json").write_text(json.dumps({papers(path)[TITLES[0]].id: "screening: it"}))

        def slowly(*arguments, **named):
            time.sleep(_STREAM_SECONDS + 0.2)
            return read_detail(*arguments, **named)

        monkeypatch.setattr("fairnad_screens.papers_pane.read_detail", slowly)
        async with opened(path, "papers") as (app, _):
            await wait_for(lambda: "kept by rules: about blocks" in shown(app), "the paper")

    async def test_what_a_running_job_survived_is_named(self, path):
        with Store(path) as store:
            job = store.jobs.create("structure", {"model": {"llm": "ollama:tiny"}}, None)
            store.jobs.acquire(job.id)
            store.jobs.set_state(job.id, "running")
        folder = path.parent / "w-files" / "jobs" / job.id
        folder.mkdir(parents=True)
        told = []
        counts = IncidentCounts(told.append)
        for kind in ("stall", "retry", "retry", "aside"):
            counts(kind, "http://b: nothing for 60 s")
        counts("truncated", "screen: the server read 2048 tokens, which is what a context of 4096 leaves [/red]\x1b")
        now = {"x": "screening: A paper", "pace": "3 of 9 papers", "incidents": told[-1]}
        (folder / "activity.json").write_text(json.dumps(now))
        async with opened(path, "papers") as (app, _):
            seen = "1 stall, 2 retries, 1 truncated prompt refused, 1 server set aside; last "
            await wait_for(lambda: seen in " ".join(shown(app).split()), "the counts")
            text = " ".join(shown(app).split())
            assert "the server read 2048 tokens, which is what a" in text
            assert "this job: 3 of 9 papers; p pauses, x stops" in text
            assert "\x1b" not in shown(app) and all(len(line) <= 80 for line in listed(app))
            assert app.screen.query_one(Rows).size.height >= 4

    async def test_a_dead_job_is_shown_as_such(self, path):
        with Store(path) as store:
            job = store.jobs.create("structure", {"model": {"llm": "rules"}}, None)
            store.jobs.set_state(job.id, "running")
            folder = path.parent / "w-files" / "jobs" / job.id
            folder.mkdir(parents=True)
            (folder / "activity.json").write_text(json.dumps({"x": "screening: gone"}))
        async with opened(path, "papers") as (app, _):
            await wait_for(lambda: "job-1 dead: its process is gone; s structures what is left" in shown(app))
            assert "screening: gone" not in shown(app)


async def test_wide_and_resized(path):
    async with opened(path, "papers", size=(120, 40)) as (app, pilot):
        await ready(app)
        await pilot.press("j")
        pane = app.screen.query_one("#pane")
        await wait_for(lambda: pane.region.x > 40, "the pane at the side")
        await pilot.resize_terminal(80, 24)
        await wait_for(lambda: pane.region.x == 0, "the pane below")
        assert app.screen.query_one(Rows).place == 1
        assert "q Back" in shown(app)
