"""The curation desk: every key, bulk work, undo over restarts, foreign text, and writes that fail."""

import sqlite3
from contextlib import nullcontext

import pytest
from textual.widgets import Input, TextArea

from fairnad_engine import clock
from fairnad_engine.errors import StoreError
from fairnad_engine.llm.protocol import IdeaDraft
from fairnad_engine.store import Store
from fairnad_engine.store.outcomes import OutcomeTable
from fairnad_engine.workspace import template_of
from fairnad_screens.actions import actions_of
from fairnad_screens.dialogs import ChoiceDialog, ConfirmDialog, LineDialog
from fairnad_screens.widgets.paragraph_dialog import ParagraphDialog
from tests.tui.harness import messages, opened, shown, wait_for
from tests.tui.idea_library import HOSTILE, fill
from tests.tui.tried_ideas import try_ideas


@pytest.fixture
def path(tmp_path):
    return fill(tmp_path / "w.db")


def statuses(path):
    with Store(path) as store:
        return "".join(line.status[0] for line in store.curation.lines())


def ids(path):
    with Store(path) as store:
        return [line.id for line in store.curation.lines()]


async def ready(app, count=9):
    await wait_for(lambda: len(app.screen.book.lines) == count, "the ideas")
    return app.screen


async def stored(path, wanted):
    await wait_for(lambda: statuses(path) == wanted, wanted)


async def dialog(app, kind):
    return await wait_for(lambda: isinstance(app.screen, kind) and app.screen, kind.__name__)


def filter_input(app):
    return app.screen.query_one("#filter-text", Input)


async def test_one_idea_decided_is_one_key(path):
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        await pilot.press("a", "r", "j", "a")
        assert [line.status[0] for line in desk.book.lines] == list("arpapppp" + "p")  # at once
        assert desk.book.cursor == 4
        await stored(path, "arpappppp")
        assert "3 of 9 decided, " in shown(app)
        assert "a minute" in shown(app)
        with Store(path) as store:
            assert store.ideas.get(ids(path)[0]).decided_by == "person"


async def test_after_the_last_idea_it_goes_on_with_those_left_out(path):
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        await pilot.press("G", "a")
        assert desk.book.cursor == 0
        await pilot.press("G", "r")  # one that was decided before: one row down, no jump
        assert desk.book.cursor == 8
        assert desk.book.lines[8].status == "rejected"


async def test_movement(path):
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        places = []
        for key in ("j", "down", "k", "up", "G", "g", "end", "home", "pagedown", "pageup", "ctrl+f", "ctrl+b"):
            await pilot.press(key)
            places.append(desk.book.cursor)
        assert places == [1, 2, 1, 0, 8, 0, 8, 0, 8, 0, 8, 0]


async def test_brackets_jump_over_what_is_decided(path):
    with Store(path) as store:
        store.ideas.decide(ids(path)[1:4], "approved", "person")
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        await pilot.press("right_square_bracket")
        assert desk.book.cursor == 4
        await pilot.press("left_square_bracket")
        assert desk.book.cursor == 0
        await pilot.press("left_square_bracket")
        assert "No undecided idea above this one" in messages(app)[-1]


async def test_filter_is_live_escape_restores_and_enter_takes(path):
    async with opened(path, "ideas", size=(120, 40)) as (app, pilot):
        desk = await ready(app)
        await pilot.press("slash", *"number")
        assert len(desk.book.shown) == 9
        await pilot.press("space", "6")
        assert [desk.book.lines[i].id for i in desk.book.shown] == [ids(path)[6]]
        assert "1 of 9" in shown(app)
        assert "Esc restores" in shown(app)
        await pilot.press("enter")
        await wait_for(lambda: desk.focused is desk.idea_list)
        await pilot.press("slash", "x")
        assert not desk.book.shown
        assert "Nothing matches" in shown(app)
        await pilot.press("escape")
        await wait_for(lambda: desk.filter_text == "number 6", "the former filter")
        assert len(desk.book.shown) == 1
        await pilot.press("escape")
        assert len(desk.book.shown) == 9


async def test_letters_are_text_while_the_filter_is_typed(path):
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        await pilot.press("slash", *"areumnqvy")
        assert filter_input(app).value == "areumnqvy"
        await pilot.press("escape", "escape")
        assert {line.status for line in desk.book.lines} == {"proposed"}


async def test_a_token_that_cannot_match_says_so(path):
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        desk.filter_by("status:nonsense")
        await pilot.pause()
        assert "status: is one of proposed, approved, rejected, imported" in shown(app)


async def test_tab_cycles_the_status_and_keeps_the_rest(path):
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        desk.filter_by("cat:conv")
        seen = []
        for _ in range(5):
            await pilot.press("tab")
            seen.append(desk.filter_text)
        assert seen == [f"status:{s} cat:conv" for s in ("proposed", "approved", "rejected", "imported")] + ["cat:conv"]
        await pilot.press("shift+tab")
        assert desk.filter_text == "status:imported cat:conv"


async def test_with_a_status_filter_a_decided_row_goes_and_the_next_takes_its_place(path):
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        await pilot.press("tab", "j", "a", "a")
        assert desk.book.shown == [0, 3, 4, 5, 6, 7, 8]
        assert desk.book.cursor == 1
        await stored(path, "paapppppp")


async def test_marks_ranges_and_bulk_with_the_count_asked(path):
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        await pilot.press("space", "j", "v", "j", "j", "v")
        assert len(desk.book.marks) == 4
        assert "4 marked" in shown(app)
        desk.filter_by("cat:conv")
        await pilot.press("r")
        await dialog(app, ConfirmDialog)
        assert "Reject 4 ideas?" in shown(app)
        assert "2 of the marked ones are hidden" in shown(app)
        await pilot.press("n")
        await wait_for(lambda: app.screen is desk)
        assert len(desk.book.marks) == 4
        await pilot.press("r")
        await dialog(app, ConfirmDialog)
        await pilot.press("y")
        await stored(path, "rprrrpppp")
        assert not desk.book.marks


async def test_a_range_left_open_is_acted_on(path):
    async with opened(path, "ideas") as (app, pilot):
        await ready(app)
        await pilot.press("v", "j", "a")
        await dialog(app, ConfirmDialog)
        await pilot.press("enter")
        await stored(path, "aappppppp")


async def test_star_marks_what_matches_and_escape_clears_step_by_step(path):
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        desk.filter_by("cat:conv")
        await pilot.press("asterisk", "v")
        assert len(desk.book.marks) == 3
        await pilot.press("escape")
        assert desk.book.anchor is None
        await pilot.press("escape")
        assert not desk.book.marks
        await pilot.press("escape")
        assert desk.filter_text == ""
        await pilot.press("escape")
        assert "nothing" in messages(app)[-1] or "no range" in messages(app)[-1]


async def test_undo_survives_a_restart_and_takes_bulk_work_as_one(path):
    async with opened(path, "ideas") as (app, pilot):
        await ready(app)
        await pilot.press("a", "asterisk", "r")
        await dialog(app, ConfirmDialog)
        await pilot.press("y")
        await stored(path, "rrrrrrrrr")
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        await pilot.press("u")
        await dialog(app, ConfirmDialog)
        assert "rejected 9 ideas" in shown(app)
        await pilot.press("y")
        await stored(path, "apppppppp")
        await wait_for(lambda: desk.book.statuses["proposed"] == 8, "the screen to follow")
        await pilot.press("u")  # a single one needs no question
        await stored(path, "ppppppppp")
        await pilot.press("u")
        await wait_for(lambda: "nothing to undo" in "".join(messages(app)))


async def test_a_decision_is_not_lost_by_leaving_at_once(path):
    async with opened(path, "ideas") as (app, _):
        await ready(app)
        app.screen.action_do("ideas.approve")
        app.action_do("app.quit")
    assert statuses(path) == "apppppppp"


async def test_edit_asks_again_until_the_text_is_one(path):
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        await pilot.press("e")
        await dialog(app, LineDialog)
        app.screen.query_one(TextArea).text = "  "
        await pilot.press("enter")
        await wait_for(lambda: isinstance(app.screen, LineDialog) and "is empty" in shown(app))
        app.screen.query_one(TextArea).text = "Another\ntext."
        await pilot.press("enter")
        await wait_for(lambda: desk.book.lines[0].text == "Another text.")
        with Store(path) as store:
            await wait_for(lambda: store.ideas.get(ids(path)[0]).instruction == "Another text.")
        await wait_for(lambda: "text: Instruction number 0. → Another text." in _detail(desk))


def _detail(desk):
    return "\n".join(strip.text for strip in desk.query_one("#idea-pane")._strips).replace("\n", " ")


async def test_the_editor_gets_the_text_and_gives_it_back(path, monkeypatch, tmp_path):
    script = tmp_path / "edit"
    script.write_text('#!/bin/sh\nsed -i "s/number/edited number/" "$1"\n')
    script.chmod(0o755)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", str(script))
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        await pilot.press("E")
        assert "press e to edit here" in messages(app)[-1]  # a terminal that cannot be handed over
        monkeypatch.setattr(app, "suspend", nullcontext)
        await pilot.press("E")
        assert desk.book.lines[0].text == "Instruction edited number 0."
        monkeypatch.setenv("EDITOR", "/nonexistent/editor")
        await pilot.press("E")
        assert "cannot be started" in messages(app)[-1]
        monkeypatch.setenv("EDITOR", "false")
        await pilot.press("E")
        assert "nothing was changed" in messages(app)[-1]


async def test_move_files_ideas_elsewhere(path):
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        await pilot.press("space", "space", "m")
        await dialog(app, ChoiceDialog)
        assert "Move 2 ideas to" in shown(app)
        moved = ids(path)[:2]
        await pilot.press(*"blur", "enter")
        await wait_for(lambda: [desk.book.get(one).sub for one in moved] == ["pool.blur-pool"] * 2)
        assert [line.id for line in desk.book.lines if line.sub == "pool.blur-pool"] == moved
        assert moved[0] not in [line.id for line in desk.book.lines[:2]]  # it is where it belongs at once
        with Store(path) as store:
            await wait_for(lambda: store.ideas.get(moved[0]).main == "pool")
        await pilot.press("u")
        await dialog(app, ConfirmDialog)
        await pilot.press("y")
        await wait_for(lambda: {line.sub for line in desk.book.lines[:2]} == {"act.hard"})


async def test_merge_keeps_the_others_as_sources(path):
    async with opened(path, "ideas", size=(120, 40)) as (app, pilot):
        desk = await ready(app)
        await pilot.press("M")
        assert "Mark the ideas to merge" in messages(app)[-1]
        await pilot.press("space", "space", "M")
        await dialog(app, ConfirmDialog)
        assert "Merge 2 ideas into this one?" in shown(app)
        await pilot.press("y")
        await stored(path, "rrppppppp")
        await wait_for(lambda: "Merged into this one (2)" in _detail(desk))
        assert "Instruction number 0." in _detail(desk)
        with Store(path) as store:
            assert store.ideas.get(ids(path)[0]).decided_by == f"merged:{ids(path)[2]}"
        await pilot.press("g", "M")
        assert "Mark the ideas to merge" in messages(app)[-1]  # nothing is marked any more


async def test_an_idea_that_no_other_repeats_says_so(path):  # what repeats it: test_ideas_duplicates.py
    async with opened(path, "ideas") as (app, pilot):
        await ready(app)
        await pilot.press("d")
        said = "No other idea of act.hard says the same; D goes through all groups."
        await wait_for(lambda: messages(app)[-1:] == [said], "the message")
        await pilot.press("D")
        await wait_for(lambda: messages(app)[-1:] == ["No two ideas say the same."], "the other message")


async def test_an_idea_of_ones_own(path):
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        await pilot.press("n")
        await dialog(app, ChoiceDialog)
        await pilot.press(*"blur", "enter")
        await dialog(app, LineDialog)
        app.screen.query_one(TextArea).text = "Do as I say."
        await pilot.press("enter")
        await wait_for(lambda: desk.book.current and desk.book.current.text == "Do as I say.", "the cursor on it")
        assert desk.book.current.status == "approved"
        assert desk.book.current.origin == "own"
        assert "added and approved" in shown(app)


async def test_copy_goes_to_the_clipboard_and_a_file(path):
    async with opened(path, "ideas") as (app, pilot):
        await ready(app)
        await pilot.press("y")
        file = path.with_name("w-copied.txt")
        await wait_for(file.exists)
        await wait_for(lambda: app.clipboard)
        assert "Instruction number 0." in app.clipboard
        assert "Deep residual learning (2016)" in app.clipboard
        assert file.read_text().strip() == app.clipboard


async def test_the_detail_shows_the_quote_in_its_paragraph_and_what_is_not_grounded(path):
    async with opened(path, "ideas", size=(120, 40)) as (app, pilot):
        desk = await ready(app)
        await wait_for(lambda: "Before 0. Quote number 0 of it. After 0." in _detail(desk))
        assert "Deep residual learning (2016)" in _detail(desk)
        assert "Before 1." not in _detail(desk)
        await pilot.press("G")
        await wait_for(lambda: "Not grounded" in _detail(desk))
        await pilot.press("enter")
        assert not desk.query_one("#idea-pane").display
        await pilot.press("enter")
        assert desk.query_one("#idea-pane").display


async def test_the_detail_says_how_a_quote_with_slips_was_found(path):
    quote, given = "Quote number 0 of it.", "Qoute [b]number 0 of it."
    with Store(path) as store:
        template, _ = template_of(store)
        span = (place := store.papers.get("p0").text.index(quote), place + len(quote))
        drafts = [
            IdeaDraft("act", "act.hard", "n", f"By {way}.", quote, span, way, 0.976, given)
            for way in ("fuzzy", "tolerant")
        ]
        store.ideas.file_extracted("p0", drafts, template, "m")
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app, 11)
        await pilot.press("j", "j", "j")
        assert desk.book.current.text == "By fuzzy."
        await wait_for(lambda: "Found but for slips (97.6 % alike); the model wrote:" in shown(app), "how it was found")
        assert given in shown(app)
        await pilot.press("j")
        await wait_for(lambda: "Found but for line ends and signs (97.6 % alike)." in shown(app), "how it was found")
        assert given not in shown(app)


async def test_a_low_pane_scrolls(path):
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        pane = desk.query_one("#idea-pane")
        await wait_for(lambda: "more lines" in shown(app))
        await pilot.press("J", "ctrl+d")
        assert pane._top == len(pane._strips) - pane.size.height > 0
        await pilot.press("K", "ctrl+u")
        assert pane._top == 0


async def test_foreign_text_is_shown_and_does_nothing(path):
    async with opened(path, "ideas", size=(120, 40)) as (app, pilot):
        desk = await ready(app)
        await pilot.press("j", "j", "j", "j")
        await wait_for(lambda: "[@click=app.quit]this[/]" in _detail(desk))
        assert "␛]0;gone␇" in shown(app)
        assert "\x1b" not in shown(app)
        assert "\u202e" not in shown(app)


async def test_what_others_write_appears_and_the_cursor_stays_on_its_idea(path):
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        await pilot.press("j", "j", "j")
        here = desk.book.current.id
        with Store(path) as store:
            template, _ = template_of(store)
            store.ideas.add_own(template, "act.hard", "new", "A new one above.")
            store.ideas.decide([ids(path)[0]], "rejected", "policy:x")
        await ready(app, 10)
        assert desk.book.current.id == here
        await wait_for(lambda: desk.book.lines[0].status == "rejected")


async def test_only_what_changed_is_read_again(path, monkeypatch):
    async with opened(path, "ideas") as (app, _):
        await ready(app)
        one = ids(path)[2]
        monkeypatch.setattr("fairnad_engine.store.curation.CurationTable.lines", lambda self: 1 / 0)
        with Store(path) as store:
            store.ideas.decide([one], "approved", "policy:x")
        await wait_for(lambda: app.screen.book.lines[2].status == "approved")


@pytest.mark.parametrize("error", [StoreError("the workspace is busy"), sqlite3.OperationalError("disk full")])
async def test_a_decision_that_cannot_be_stored_is_told_and_taken_back(path, monkeypatch, error):
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)

        def fail(*_):
            raise error

        monkeypatch.setattr("fairnad_engine.store.journal.IdeaJournal.decide", fail)
        await pilot.press("a")
        await wait_for(lambda: str(error) in "".join(messages(app)))
        await wait_for(lambda: desk.book.lines[0].status == "proposed", "the true status")


async def test_filter_cursor_and_pane_come_back(path):
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        desk.filter_by("cat:conv")
        await pilot.press("j", "enter")
        app.action_do("app.quit")
    async with opened(path, "ideas") as (app, _):
        desk = await ready(app)
        assert desk.filter_text == "cat:conv"
        assert desk.book.current.text == HOSTILE
        assert not desk.query_one("#idea-pane").display


async def test_a_resize_keeps_the_place_and_lays_out_anew(path):
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        await pilot.press("j", "j")
        for size, side in (((120, 40), True), ((60, 20), False)):
            await pilot.resize_terminal(*size)
            await wait_for(lambda: desk.size == size)  # noqa: B023
            pane = desk.query_one("#idea-pane")
            await wait_for(lambda: (pane.region.x > 20) == side)  # noqa: B023
            assert desk.book.cursor == 2
            assert "Instruction number 2." in shown(app)


async def test_a_click_puts_the_cursor_there(path):
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        await pilot.click(desk.idea_list, offset=(10, 3))
        assert desk.book.cursor == 3


async def test_without_ideas_every_key_says_what_to_do(tmp_path):
    async with opened(tmp_path / "empty.db", "ideas") as (app, pilot):
        await wait_for(lambda: "No ideas yet" in shown(app))
        for one in actions_of("ideas"):
            if one.name not in ("filter", "new"):
                app.screen.action_do(one.id)
        await wait_for(lambda: any("P adds papers" in text for text in messages(app)))
        await pilot.press("n")
        await dialog(app, ChoiceDialog)  # a workspace without a template gets the one that ships
        await pilot.press("escape")


async def test_a_long_idea_is_in_sight_while_it_is_edited(path):
    long = "Use a depthwise convolution " + "of many words that fill more than one line of the box " * 3 + "to the end"
    with Store(path) as store:
        store.journal.edit(ids(path)[0], {"instruction": long}, "person")
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        await pilot.press("e")
        area = (await dialog(app, ParagraphDialog)).query_one(TextArea)
        await wait_for(lambda: area.size.height >= area.wrapped_document.height > 3, "room for all of it")
        await pilot.press("!", "enter")
        await wait_for(lambda: desk.book.lines[0].text == f"{long}!", "the new text")


async def test_a_text_that_is_taken_as_it_was_shown_is_as_it_was(path):
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        desk.book.move_to(4)
        before = desk.book.current.text
        await pilot.press("e")
        asked = await dialog(app, ParagraphDialog)
        assert "\x1b" not in asked.query_one(TextArea).text
        await pilot.press("enter")
        await wait_for(lambda: "The text is as it was." in messages(app))
        assert desk.book.current.text == before


async def test_nothing_of_an_empty_desk_is_cut_off(tmp_path):
    async with opened(tmp_path / "new.db", "ideas") as (app, _):
        await wait_for(lambda: "No ideas yet" in shown(app))
        assert "n writes one of your own." in " ".join(shown(app).split())
        line = shown(app).splitlines()[1]
        assert line.startswith(" / filters: ")
        assert "grounded: origin: " in line


async def test_when_all_is_decided_the_next_step_is_named(path):
    async with opened(path, "ideas") as (app, pilot):
        await ready(app)
        assert "launches a search" not in shown(app)
        await pilot.press("asterisk", "a")
        await dialog(app, ConfirmDialog)
        await pilot.press("y")
        await wait_for(lambda: "9 of 9 decided" in shown(app) and "L launches a search" in shown(app))


async def test_a_moved_idea_goes_to_its_place_when_the_cursor_leaves_it(path):
    first, second = ids(path)[:2]
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        await pilot.press("m")
        await dialog(app, ChoiceDialog)
        await pilot.press(*"blur", "enter")
        await wait_for(lambda: desk.book.get(first).sub == "pool.blur-pool")
        assert desk.book.current.id == first  # it can be decided about where it is
        await pilot.press("a")
        assert desk.book.current.id == second
        assert [line.id for line in desk.book.lines][-1] == first
        with Store(path) as store:
            await wait_for(lambda: store.ideas.get(first).sub == "pool.blur-pool")
    assert ids(path)[-1] == first


async def test_the_same_message_is_shown_once_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(clock, "steady", lambda: 0.0)  # it is shown for seconds
    async with opened(tmp_path / "new.db", "ideas") as (app, pilot):
        await wait_for(lambda: "No ideas yet" in shown(app))
        await pilot.press("a", "a", "a", "right_square_bracket", "a")
        assert len(messages(app)) == 3


async def test_a_list_that_holds_nothing_says_so_and_stays(path):
    async with opened(path, "ideas") as (app, pilot):
        await ready(app)
        await pilot.press("m")
        asked = await dialog(app, ChoiceDialog)
        await pilot.press(*"qqq")
        await wait_for(lambda: "Nothing matches" in shown(app))
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen is asked
        await pilot.press("backspace", "backspace", "backspace")
        await wait_for(lambda: "Nothing matches" not in shown(app))


async def test_what_ideas_brought_stands_beside_them_and_sorts_them(path):
    first, second, third, *_ = known = ids(path)
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        assert "tra/tried" not in shown(app)
        await pilot.press("o")
        assert any("No run has tried an idea yet" in one for one in messages(app))
        with Store(path) as store:
            try_ideas(store, {third: [91.0, 94.0], second: [90.5, None], known[5]: [None]})
        await wait_for(lambda: "tra/tried" in shown(app), "the columns")
        assert "2/2*  +2.50" in shown(app)
        assert "1/2   +0.50" in shown(app)
        assert "0/1       -" in shown(app)
        orders = []
        for _ in range(5):
            await pilot.press("o")
            orders.append((desk.book.order, [line.id for line in desk.book.lines]))
            assert f"idea, by {desk.book.order}" in shown(app)
        rest = [one for one in known if one not in (third, second)]
        assert [order for order, _ in orders] == ["gain", "best", "trained", "tried", "place"]
        assert orders[0][1] == orders[1][1] == [third, second, *rest]
        assert orders[3][1][:3] == [second, third, known[5]]  # of equals the one that stands first
        assert orders[4][1] == known
        await pilot.press("o", "o")
        assert "94.00" in shown(app)
        assert desk.book.cursor == 0
        for part in ("tried 2 times: 2 valid, 2 realised, 2 trained, 1 on the", "best 94.00 % in run-1; +2.50"):
            await wait_for(lambda part=part: part in shown(app), part)
        await pilot.press("r")  # what is decided while it is sorted stays where it is
        assert desk.book.lines[0].id == third
        assert desk.book.lines[0].status == "rejected"


async def test_the_order_comes_back_and_a_filter_keeps_it(path):
    known = ids(path)
    with Store(path) as store:
        try_ideas(store, {known[7]: [93.0], known[3]: [94.0]})
    async with opened(path, "ideas") as (app, pilot):
        await ready(app)
        await wait_for(lambda: "tra/tried" in shown(app))
        await pilot.press("o", "j", "ctrl+q")
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        await wait_for(lambda: desk.book.order == "gain")
        await wait_for(lambda: [line.id for line in desk.book.lines][:2] == [known[3], known[7]], "the order")
        await pilot.press("slash", *"Instruction")
        await wait_for(lambda: desk.filter_text == "Instruction")
        assert [desk.book.lines[place].id for place in desk.book.shown][:2] == [known[3], known[7]]


async def test_what_ideas_brought_is_read_once_a_change(path, monkeypatch):
    with Store(path) as store:
        try_ideas(store, {ids(path)[0]: [93.0]})
    reads = []
    whole = OutcomeTable.of_ideas
    monkeypatch.setattr(OutcomeTable, "of_ideas", lambda self: reads.append(1) or whole(self))
    async with opened(path, "ideas") as (app, pilot):
        desk = await ready(app)
        await wait_for(lambda: desk.book.outcomes)
        for _ in range(3):
            await pilot.press("a")
        await stored(path, "aaapppppp")
        with Store(path) as store:
            store.ideas.decide(ids(path)[8:], "approved", "person")
        await wait_for(lambda: desk.book.lines[8].status == "approved")
        assert len(reads) == 1
