"""Near-duplicates on the curation desk: shown beside each other, merged, undone, and no wait for the keyboard."""

import threading

import pytest
from textual.widgets import Static

from fairnad_engine.llm.protocol import IdeaDraft
from fairnad_engine.store import Store
from fairnad_engine.workspace import template_of
from fairnad_screens import ideas_merges
from fairnad_screens.dialogs import ConfirmDialog
from fairnad_screens.widgets.twins_dialog import TwinCard, TwinsDialog
from tests.tui.harness import messages, opened, shown, wait_for
from tests.tui.idea_library import fill

SAME = "Use hard swish in each block of the network."
NONE = "No other idea of act.hard says the same; D goes through all groups."
TWINS = (SAME, "Use hard swish in every block of the [b]network[/b].", "In each block of the network use hard swish")


@pytest.fixture
def path(tmp_path):
    """The small library with three ideas under act.hard that say the same; the second one is the best grounded."""
    place = fill(tmp_path / "w.db")
    with Store(place) as store:
        template, _ = template_of(store)
        text = store.papers.get("p0").text
        quote = "Quote number 0 of it."
        span = (text.index(quote), text.index(quote) + len(quote))
        found = [("not in it", None, "", None), (quote, span, "exact", 1.0), (quote, span, "fuzzy", 0.97)]
        drafts = [
            IdeaDraft("act", "act.hard", "n", instruction, *grounding)
            for instruction, grounding in zip(TWINS, found, strict=True)
        ]
        store.ideas.file_extracted("p0", drafts, template, "m")
    return place


def status_of(path):
    with Store(path) as store:
        return {one.instruction: one.status for one in store.ideas.all() if one.instruction in TWINS}


async def desk_at(app, instruction):
    desk = await wait_for(lambda: len(app.screen.book.lines) == 12 and app.screen, "the ideas")
    place = next(line.id for line in desk.book.lines if line.text == instruction)
    desk.book.go(place)
    desk.moved()
    return desk


async def twins(app):
    return await wait_for(lambda: isinstance(app.screen, TwinsDialog) and app.screen, "the duplicates")


async def test_they_stand_beside_each_other_and_become_one(path):
    async with opened(path, "ideas", size=(150, 36)) as (app, pilot):
        desk = await desk_at(app, SAME)
        await pilot.press("d")
        await twins(app)
        await pilot.pause()
        seen = shown(app)
        assert "3 ideas that say the same: which one stays?" in seen
        places = [seen.rindex(text) for text in (TWINS[1], TWINS[2], SAME)]
        assert places == sorted(places)
        assert "proposed, exact, the one to keep" in seen
        assert "proposed, fuzzy, 92.3 % alike" in seen
        assert "proposed, not grounded, 92.3 % alike, under the cursor" in seen
        assert seen.count("Deep residual learning (2016)") >= 3
        assert "“Quote number 0 of it.”" in seen and "“not in it”" in seen
        assert f"▸ {TWINS[1]}" in seen and f"▸ {TWINS[2]}" not in seen
        await pilot.press("k", "k", "j", "k")
        await wait_for(lambda: f"▸ {TWINS[2]}" in shown(app) and f"▸ {TWINS[1]}" not in shown(app), "the chosen one")
        await pilot.press("enter")
        await wait_for(lambda: app.screen is desk, "the desk")
        assert desk.book.current.text == TWINS[2]
        await wait_for(lambda: status_of(path) == dict(zip(TWINS, ("rejected", "rejected", "proposed"), strict=True)))
        with Store(path) as store:
            kept = next(one for one in store.ideas.all() if one.instruction == TWINS[2])
            assert {one.instruction for one in store.curation.story(kept).sources} == {SAME, TWINS[1]}
            assert store.journal.last().by == "person"
        assert "merged: 2 ideas into this one" in shown(app)
        await pilot.press("u")
        await wait_for(lambda: isinstance(app.screen, ConfirmDialog), "the question")
        await pilot.press("y")
        await wait_for(lambda: set(status_of(path).values()) == {"proposed"}, "all three")


async def test_escape_leaves_them(path):
    async with opened(path, "ideas", size=(80, 24)) as (app, pilot):
        desk = await desk_at(app, SAME)
        await pilot.press("d")
        await twins(app)
        await pilot.press("k", "k", "escape")
        await wait_for(lambda: app.screen is desk, "the desk")
        await pilot.press("d")
        await twins(app)
        await pilot.press("q")
        await wait_for(lambda: app.screen is desk, "the desk")
        with Store(path) as store:
            assert store.journal.last() is None


async def test_an_idea_of_its_own_and_a_rejected_one_say_so(path):
    async with opened(path, "ideas") as (app, pilot):
        desk = await desk_at(app, "Instruction number 0.")
        await pilot.press("d")
        await wait_for(lambda: messages(app)[-1:] == [NONE], "the message")
        await pilot.press("r", "k")
        assert desk.book.current.status == "rejected"
        await pilot.press("d")
        await wait_for(lambda: "is rejected; near-duplicates are shown" in messages(app)[-1], "the message")


async def test_the_keyboard_does_not_wait(path, monkeypatch):
    """While the group is looked for, one goes on; it comes up as soon as it is found."""
    go_on = threading.Event()
    read = ideas_merges.read_twins

    def slow(store, idea):
        assert go_on.wait(30)
        return read(store, idea)

    monkeypatch.setattr(ideas_merges, "read_twins", slow)
    async with opened(path, "ideas") as (app, pilot):
        desk = await desk_at(app, SAME)
        try:
            await pilot.press("d", "G")
            assert desk.book.cursor == 11
            await pilot.press("a")
            await wait_for(lambda: _approved(path), "the decision")
            assert app.screen is desk
        finally:
            go_on.set()
        await twins(app)
        await pilot.press("escape")


def _approved(path):
    with Store(path) as store:
        return len(store.ideas.all("approved")) == 1


@pytest.fixture
def groups(path):
    """A second group, of two, under conv.depthwise."""
    with Store(path) as store:
        template, _ = template_of(store)
        for paper in ("p0", "p1"):
            said = "Use kernels of 9x9 taps" if paper == "p0" else "Use kernels of 9x9 taps."
            draft = IdeaDraft("conv", "conv.depthwise", "n", said, "q", None)
            store.ideas.file_extracted(paper, [draft], template, "other")
    return path


def cards(app):
    return [card.region for card in app.screen.query(TwinCard) if card.display]


@pytest.mark.parametrize(("size", "columns"), [((100, 30), 2), ((99, 30), 1), ((80, 24), 1)])
async def test_two_stand_side_by_side_where_there_is_room(groups, size, columns):
    async with opened(groups, "ideas", size=size) as (app, pilot):
        await wait_for(lambda: len(app.screen.book.lines) == 14, "the ideas")
        await pilot.press("D")
        dialog = await twins(app)
        await pilot.press("n")
        await wait_for(lambda: len(dialog.twins) == len(cards(app)) == 2 and all(cards(app)), "the group of two")
        first, second = cards(app)
        if columns == 2:
            assert first.y == second.y and second.x >= first.right
        else:
            assert first.x == second.x and second.y >= first.bottom
        inside = app.screen.query_one("TwinsDialog > Vertical").region
        assert all(inside.contains_region(one) for one in (first, second))
        assert max(map(len, shown(app).splitlines())) <= size[0]
        # Resized, they stand anew.
        await pilot.resize_terminal(*((80, 24) if columns == 2 else (120, 40)))
        await wait_for(lambda: (cards(app)[0].y == cards(app)[1].y) == (columns == 1), "the other way")


async def test_all_groups_are_gone_through(groups):
    async with opened(groups, "ideas", size=(120, 36)) as (app, pilot):
        desk = await wait_for(lambda: len(app.screen.book.lines) == 14 and app.screen, "the ideas")
        place = next(line.id for line in desk.book.lines if line.text.startswith("Use kernels of 9x9"))
        desk.book.go(place)
        desk.moved()
        await pilot.press("D")
        first = await twins(app)
        # It begins with the group of the idea under the cursor.
        await wait_for(lambda: "Group 2 of 2, conv.depthwise: 2 ideas that say the same" in shown(app), "the second")
        assert "under the cursor" in shown_in(app)
        await pilot.press("n")
        await wait_for(lambda: "Group 1 of 2, act.hard: 3 ideas that say the same" in shown(app), "the first")
        assert TWINS[1] in shown_in(app) and "9x9" not in shown_in(app)
        await pilot.press("p", "n", "j", "p")
        await wait_for(lambda: "Group 2 of 2" in shown(app), "the second again")
        assert first.twins[first._chosen].alike is None  # the one to keep is chosen anew in each group
        await pilot.press("n", "enter")
        second = await wait_for(lambda: app.screen is not first and isinstance(app.screen, TwinsDialog), "what is left")
        assert second
        await wait_for(lambda: "2 ideas that say the same: which one stays?" in shown(app), "the other group")
        assert "Group" not in shown_in(app)
        await wait_for(lambda: sorted(status_of(groups).values()) == ["proposed", "rejected", "rejected"], "the merge")
        await pilot.press("j", "enter")
        await wait_for(lambda: "That was the last group." in messages(app), "the end")
        assert app.screen is desk

        def left():
            with Store(groups) as store:
                large = [one for one in store.ideas.all() if one.instruction.startswith("Use kernels of 9x9")]
            return sorted(one.status for one in large)

        # The desk writes beside the screen.
        await wait_for(lambda: left() == ["proposed", "rejected"], "the last merge")
        await pilot.press("D")
        await wait_for(lambda: messages(app)[-1] == "No two ideas say the same.", "the message")


def shown_in(app):
    """The text of the dialog alone."""
    return "\n".join(str(one.render()) for one in app.screen.query(Static) if one.display)


@pytest.mark.slow
async def test_fifty_thousand_ideas(tmp_path):
    place = fill(tmp_path / "w.db")
    with Store(place) as store:
        template, _ = template_of(store)
        subs = [sub for sub in template.subs if sub.id != "act.hard"]
        with store.transaction():
            for number, sub in enumerate(subs):
                store._db.execute(_MANY, {"sub": sub.id, "main": sub.main, "first": number * 1_000_000})
        for paper in ("p0", "p1"):
            draft = IdeaDraft("act", "act.hard", "n", SAME, "q", None)
            store.ideas.file_extracted(paper, [draft], template, "m")
        count = len(store.curation.lines())
    assert count == 9 + 2 + 930 * len(subs) > 50_000
    async with opened(place, "ideas") as (app, pilot):
        desk = await wait_for(lambda: len(app.screen.book.lines) == count and app.screen, "the ideas")
        for instruction, group in ((SAME, 2), ("Use kind 7 of it in each block a", 2), ("Instruction number 0.", 0)):
            desk.book.go(next(line.id for line in desk.book.lines if line.text == instruction))
            await pilot.press("d")
            if group:
                assert len((await twins(app)).twins) == group
                await pilot.press("escape")
                await wait_for(lambda: app.screen is desk, "the desk")
            else:
                await wait_for(lambda: NONE in messages(app), "the message")


# 930 ideas of a sub-category, each said twice
_MANY = """
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 929)
    INSERT INTO ideas (id, paper_id, level, main, sub, name, instruction, quote, origin, status, decided_by,
                       decided_at, created_at)
    SELECT printf('%012x', :first + i), 'p0', 'operation', :main, :sub, 'n',
           printf('Use kind %d of it in each block%s', i / 2, iif(i % 2, 's', ' a')), 'q', 'extracted', 'proposed',
           '', '', '' FROM n
"""
