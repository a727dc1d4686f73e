"""A thousand hostile strings through every screen: nothing breaks, nothing acts, no letter is lost."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace

import pytest
from textual.containers import VerticalScroll
from textual.content import Content
from textual.events import Paste
from textual.geometry import Region
from textual.widget import Widget
from textual.widgets import Static

from fairnad_engine.preflight import Check
from fairnad_engine.store.curation import HistoryEntry, IdeaStory, PaperName, SourceEntry, SubPlace
from fairnad_engine.store.filing import IdeaCount
from fairnad_engine.store.outcomes import IdeaOutcome
from fairnad_engine.text import is_plain, sanitize
from fairnad_screens.candidate import CandidateScreen
from fairnad_screens.data.candidate import read_candidate
from fairnad_screens.data.papers import PaperDetail
from fairnad_screens.data.runs import read_runs
from fairnad_screens.data.template import TreeRow, read_template
from fairnad_screens.dialogs import Choice, ChoiceDialog, ConfirmDialog, LineDialog
from fairnad_screens.text import plain, plain_line
from fairnad_screens.viewer import TextViewer
from fairnad_screens.widgets import candidate_history, ideas_detail, papers_rows, runs_text, template_rows
from fairnad_screens.widgets.candidate_source import changes_page, source_page
from fairnad_screens.widgets.launch_missing import missing_text
from fairnad_screens.widgets.paragraph_dialog import ParagraphDialog
from fairnad_screens.widgets.text_dialog import TextDialog
from tests.hostile_strings import hostile_strings, with_surrogates
from tests.tui.fast_keys import answered, press, resize
from tests.tui.harness import wait_for
from tests.tui.hostile_workspace import hostile_workspace
from tests.tui.recorded import foreign, record, show
from tests.unit.report_workspace import RUN, workspace

STRINGS = (*hostile_strings(), *with_surrogates())
WIDTH = 61


def letters(text: str) -> str:
    """A text without blanks, line feeds and margins, which a view may lay out anew."""
    return "".join(text.replace("␊", " ").replace("│", " ").split())


def whole(page: Iterable[Content] | Content, text: str, times: int = 1) -> None:
    """A view shows every letter of a text so often, and nothing in it acts."""
    shown = page.plain if isinstance(page, Content) else "\n".join(one.plain for one in page)
    assert is_plain(shown.replace("\n", "")), repr(shown[:200])
    wanted = letters(sanitize(text, keep_newlines=True))
    if wanted:
        assert letters(shown).count(wanted) >= times, (text[:200], shown[:400])


def cut(line: Content, cells: int) -> None:
    """A line of a list acts on nothing and is no longer than it may be."""
    assert is_plain(line.plain), repr(line.plain)
    assert len(line.plain) <= cells


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with workspace(tmp_path_factory.mktemp("plain")) as found:
        yield found


def test_what_every_view_is_made_of():
    for text in STRINGS:
        whole(plain(text), text)
        cut(plain_line(text, 30), 30)


def test_papers(store):
    paper = store.papers.all()[0]
    for text in STRINGS:
        one = replace(paper, title=text, authors=(text, text), venue=text, abstract=text, source=text, reason=text,
                      relevant=True, screened_by=text, structured_by=f"{text}/x")  # fmt: skip
        whole(papers_rows.detail(PaperDetail(one, text), IdeaCount(), "", whole=True), text, 9)
        whole(papers_rows.detail(PaperDetail(one, text), IdeaCount(), "extracting: 1", whole=False), text, 6)
        assert is_plain(papers_rows.row(one, IdeaCount(), text, 80).plain)


def test_ideas(store):
    idea = store.ideas.all()[0]
    for text in STRINGS:
        one = replace(idea, name=text, instruction=text, quote=text, sub=text, origin=text, decided_by=text)
        story = IdeaStory(
            idea=one, place=SubPlace(text, text, text, text, text), paper=PaperName("p", text, 2000),
            passage=f"before {text} after", quoted=(7, 7 + len(text)), merged_into=text,
            history=(HistoryEntry("2026", text, "name", text, text),), sources=(SourceEntry("i", text, text, 2000),),
        )  # fmt: skip
        # Instruction, title, quote, name, place of three and id, who, into, origin, source and paper, history of three.
        whole(ideas_detail._lines(story, IdeaOutcome(tried=1), low=False), text, 16)
        whole(ideas_detail._lines(replace(story, quoted=None), None, low=True), text, 16)


def test_template(store):
    snapshot = read_template(store)
    sub = snapshot.template.subs[0]
    for text in STRINGS:
        one = replace(sub, name=text, definition=text, action=text, cues=(text,), examples=(text,), antonym=text)
        found = replace(snapshot, notes=(f"{sub.id}: {text}",))
        whole(template_rows.detail(found, TreeRow(one, 2, False)), text, 7)
        assert is_plain(template_rows.row(TreeRow(one, 2, False), IdeaCount(), 5, 80).plain)


def test_candidates(store):
    snapshot = read_candidate(store, RUN, "g01-s03")
    attempt, ancestor, training = snapshot.attempts[0], snapshot.lineage[0], snapshot.trainings[0]
    for text in STRINGS:
        for line in text.split("\n")[:9]:
            whole(source_page(line, WIDTH).lines, line)
        row = replace(snapshot.row, source=text, change=text)
        one = replace(
            snapshot, row=row, attempts=(replace(attempt, message=text),), trainings=(replace(training, message=text),),
            lineage=(replace(ancestor, change=text, idea=text, paper=text),),
        )  # fmt: skip
        whole(candidate_history.lineage_page(one, WIDTH).lines, text)
        whole(candidate_history.training_page(one, WIDTH).lines, text)
        whole(candidate_history.attempts_page(one, WIDTH).lines, text)
        assert is_plain("".join(line.plain for line in changes_page(one, WIDTH).lines))


def test_runs(store):
    snapshot = read_runs(store, (RUN,))
    run = snapshot.runs[0]
    details = snapshot.details
    for text in STRINGS:
        row = replace(run.row, name=text, model=text, model_digest=text, config={**run.row.config, "name": text})
        one = replace(run, row=row, message=text)
        whole(runs_text.detail_page(one, details[RUN], WIDTH).lines, text, 3)
        other = replace(run, row=replace(row, id="run-2", config={**row.config, "other": f"{text}!"}))
        assert is_plain("".join(line.plain for line in runs_text.comparison_page([one, other], details, WIDTH).lines))
        assert is_plain("".join(line.plain for line in runs_text.list_page([one], [], WIDTH).lines))


def test_launch():
    for text in STRINGS:
        whole(missing_text(None, 8, {}, (Check("model", problem=text), Check("data", detail=text)), (text,)), text, 3)


# -- painted ------------------------------------------------------------------------------------------------------


def painted(widget: Widget) -> str:
    """All of a widget as it is painted, also what is scrolled out of view."""
    return "\n".join(strip.text for strip in widget.render_lines(Region(0, 0, *widget.size)))


async def test_no_letter_is_lost_where_a_text_is_read(store):
    async with show(store.path).run_test(size=(100, 30)) as pilot:
        for text, kind in itertools.product(("\n".join(STRINGS), *STRINGS[-3:]), (TextViewer, TextDialog)):
            dialog = kind("A reply", text if kind is TextViewer else plain(text))
            await pilot.app.push_screen(dialog)
            body = dialog.query_one(VerticalScroll).query_one(Static)
            await answered(pilot.app)
            assert body.size.height
            assert letters(painted(body)) == letters(sanitize(text, keep_newlines=True))
            dialog.dismiss()


WALK = {
    "home": ("j", "k"),
    "papers": ("G", "g", "pagedown", "J", "K", "enter", "pagedown", "escape", "slash", "x", "escape", "p"),
    "ideas": ("G", "g", "pagedown", "pagedown", "J", "e", "end", "escape", "m", "escape", "y", "space", "v", "a", "u"),
    "template": ("z", "G", "enter", "escape", "e", "escape"),
    "launch": ("G", "g", "tab", "end", "escape", "t", "pagedown", "t", "o", "escape"),
    "search": (
        *(key for pane in "1234567" for key in (pane, pane, "z", "G", "pagedown", "g", "z")),
        "w", "escape", "c", "escape",
    ),
    "runs": ("pagedown", "G", "v", "G", "escape", "e", "end", "escape", "space", "n", "t", "D", "escape"),
}  # fmt: skip


@pytest.fixture
def hostile(tmp_path):
    with hostile_workspace(tmp_path) as found:
        return found.path


async def test_nothing_acts_on_the_terminal(hostile, monkeypatch):
    written = record(monkeypatch)
    app = show(hostile)
    async with app.run_test(size=(110, 40)):
        for place, keys in WALK.items():
            app.goto(place)
            await read(app)
            await press(app, *keys)
            await close_dialogs(app)
        for pane in "12345":
            app.push_screen(CandidateScreen(RUN, "g01-s03"))
            await read(app)
            await press(app, pane, "G", "g", "enter")
            await read(app)
            await press(app, "G", "escape", "y", "x", "end", "escape", "q")
            await close_dialogs(app)
        resize(app, (80, 24))
        await questions(app)
    assert sum(map(len, written)) > 200_000
    assert not foreign("".join(written))


async def questions(app):
    """Every dialog, the filter, the messages, and what is pasted."""
    lines = [text for text in STRINGS if len(text) < 2000]
    several = "\n".join(lines[:40])
    for dialog in (
        ConfirmDialog(several),
        LineDialog(several[:300], several[:200], hint=several[:300]),
        ParagraphDialog("Edit", several[:500]),
        ChoiceDialog(several[:300], [Choice(text, text) for text in lines]),
    ):
        app.push_screen(dialog)
        await answered(app)
        for text in lines[::40]:
            app.post_message(Paste(text))
        await press(app, "down", "end", "escape")
    for text in lines[::10]:
        app.screen_below().say(text, failed=True)
        await answered(app)
        app.clear_notifications()
    papers = app.goto("papers")
    for text in lines[::40]:
        await read(app)
        papers.show_ideas(f'paper:"{text}"')
        await press(app, "slash", "end", "escape")
        app.goto("papers")


async def read(app):
    """The screen has read what it shows."""
    await wait_for(lambda: not any(one.is_running for one in app.workers if one.group in ("reload", "detail", "story")))


async def close_dialogs(app):
    """No dialog is open."""
    while app.screen is not app.screen_below():
        await press(app, "escape")
        await answered(app)
