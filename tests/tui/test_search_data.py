"""What the live desk reads, and where its panes go."""

import pytest
from textual.geometry import Region
from textual.strip import Segment, Strip

from fairnad_engine.search.selection import pareto_front
from fairnad_engine.store import Store
from fairnad_engine.store.records import CountRow
from fairnad_screens.data.search_reader import SearchReader
from fairnad_screens.figures import ago, compact
from fairnad_screens.run_control import why_not
from fairnad_screens.widgets.changed import changed_regions
from fairnad_screens.widgets.search_layout import PANES, arrange
from tests.tui.search_run import WrittenRun


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "w.db") as store:
        yield store


def unmoving(snapshot):
    """Everything but the ages of heartbeats."""
    return (snapshot.strips, snapshot.activity, snapshot.counts, snapshot.generations, snapshot.candidates,
            dict(snapshot.ideas), snapshot.front, snapshot.failures, snapshot.log, snapshot.tokens.completion,
            snapshot.head.state, snapshot.head.trained)  # fmt: skip


def test_reading_on_equals_reading_anew(store):
    run = WrittenRun(store)
    run.seed()
    run.work()
    on = SearchReader()
    steps = 0

    def compare():
        nonlocal steps
        steps += 1
        assert unmoving(on.read(store, None, None)) == unmoving(SearchReader().read(store, None, None))

    for number in (1, 2, 3):
        run.open(number)
        compare()
        for slot in (1, 2, 6, 9, 17):
            run.attempt(number, slot, "syntax")  # an attempt that fails at first …
            compare()
            run.slot(number, slot)  # … and is written over
            compare()
        run.candidate(f"g{number:02d}-s20", number, 20, 3)
        compare()
        run.store.runs.start_training(run.id, f"g{number:02d}-s20")
        compare()
        run.train(f"g{number:02d}-s20", None, "diverged")
        run.call(f"call {number}", 50)
        run.write("log.txt", "line\n" * number)
        run.write("activity.json", f'{{"g{number:02d}-s03": "verifying"}}')
        compare()
        run.close(number)
        compare()
    assert steps == 45
    snapshot = on.read(store, None, None)
    assert dict(snapshot.failures.rejected) == {"duplicate": 3}
    assert dict(snapshot.failures.trainings) == {"diverged": 3}
    assert snapshot.tokens.calls == 3
    assert snapshot.tokens.rate == pytest.approx(150 / 60)


def test_the_desk_of_a_run_that_is_being_finished_steers_the_finish(store):
    run = WrittenRun(store)
    run.seed()
    search = store.jobs.of_run(run.id)
    store.jobs.set_state(search.id, "done")
    finish = store.jobs.create("finish", {"top": 1}, run.id)
    head = SearchReader().read(store, None, None).head
    assert (head.job, head.state) == (search.id, "done")
    assert "nobody works on it" in why_not("stop", head)
    store.jobs.acquire(finish.id)  # by this process
    store.jobs.set_state(finish.id, "running")
    head = SearchReader().read(store, None, None).head
    assert (head.job, head.state, head.held) == (finish.id, "running", True)
    assert why_not("pause", head) is None and why_not("stop", head) is None


def test_a_run_as_of_a_generation_is_what_it_was_then(store):
    run = WrittenRun(store)
    run.seed()
    then = {}
    reader = SearchReader()
    for number in (1, 2, 3):
        run.generation(number)
        then[number] = reader.read(store, None, None)
    for number, live in then.items():
        back = reader.read(store, None, number)
        for part in ("strips", "generations", "candidates", "front", "failures", "counts"):
            assert getattr(back, part) == getattr(live, part), (number, part)
        front = [c.id for c in pareto_front(store.runs.candidates(run.id, number))]
        assert list(back.front.front) == front == list(store.runs.generations(run.id)[number - 1].front)
        assert (back.as_of, back.closed, back.generation) == (number, 3, number)
    beginning = reader.read(store, None, 0)
    assert beginning.front.front == ("seed",)
    assert reader.read(store, None, 9).as_of is None
    fresh = set(then[3].front.front) - set(then[2].front.front)
    assert then[3].front.fresh == fresh
    assert [set(trail) for trail in then[3].front.trails] == [{"seed"}, *(set(then[n].front.front) for n in (1, 2))]


def test_slots_are_told_apart(store):
    run = WrittenRun(store)
    run.seed()
    run.work()
    run.open(1)
    run.slot(1, 1)
    run.slot(1, 6)
    run.candidate("g01-s02", 1, 2, 1)
    run.write(
        "activity.json",
        '{"g01-s03": "training: epoch 2/10", "g01-s04": "designing: idea", '
        '"g01-s17.1": "training: waiting for a worker"}',
    )
    first, second, third = SearchReader().read(store, None, None).strips
    assert first.states == (
        "trained", "verified", "training", "designing", "waiting", "failed", "waiting", "waiting"
    )  # fmt: skip
    assert set(second.states) == {"waiting"}
    assert third.states[0] == "verified"
    run.die()
    dead = SearchReader().read(store, None, None)
    assert dead.head.state == "dead"
    assert dead.activity == ()  # the file is from before it died
    assert dead.strips[0].states[2] == "waiting"


def test_counts_state_fairness_and_idle_categories(store):
    run = WrittenRun(store)
    run.seed()
    run.generation(1)
    counts = SearchReader().read(store, None, None).counts
    assert len(counts.mains) == 15
    assert sum(main.turns for main in counts.mains) == 8
    assert counts.difference == 1  # eight of thirteen have had a turn
    run.generation(2)
    counts = SearchReader().read(store, None, None).counts
    assert counts.difference == 1
    store.sampling.save_counts(run.id, [CountRow(run.mains[-1], "main", 0, 1, active=True)])
    assert SearchReader().read(store, None, 1).counts.difference is None  # the join count of then is not kept
    store.sampling.save_counts(run.id, [CountRow(run.mains[-1], "main", 0, 0, active=False)])
    assert {main.id for main in counts.mains if not main.active} == set(run.mains[-2:])
    assert sum(sub.turns for main in counts.mains for sub in main.subs) == 16


def test_another_run_and_none(store):
    reader = SearchReader()
    assert reader.read(store, "run-7", None).head is None
    one, two = WrittenRun(store, "one"), WrittenRun(store, "two")
    one.seed()
    assert reader.read(store, None, None).head.id == two.id
    assert [c.id for c in reader.read(store, one.id, None).candidates] == ["seed"]
    assert reader.read(store, two.id, None).candidates == ()


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
@pytest.mark.parametrize("height", [6, 21, 37, 60])
@pytest.mark.parametrize("shown", [PANES, (5, 3, 1), (1, 2, 6), (3, 4, 5, 7), (5,), ()])
def test_panes_cover_the_desk_without_overlap(width, height, shown):
    for zoomed in (None, *shown[:1]):
        placed = arrange(shown, width, height, zoomed)
        assert sum(region.area for region in placed.values()) == (width * height if shown else 0)
        whole = Region(0, 0, width, height)
        regions = list(placed.values())
        assert all(region.area and whole.contains_region(region) for region in regions)
        assert not any(a.overlaps(b) for i, a in enumerate(regions) for b in regions[:i])
    if width >= 120 and height >= 37:
        assert set(arrange(shown, width, height)) == set(shown)
        assert all(region.height >= 4 for region in arrange(shown, width, height).values())


def test_the_pane_asked_for_last_stays_where_room_is_short():
    assert set(arrange((5, 3, 1), 80, 21)) == {1, 3, 5}
    assert 2 in arrange((5, 3, 1, 2), 80, 21)
    assert set(arrange((1, 7), 60, 9)) == {7}


def test_only_cells_that_differ_are_painted():
    def line(text):
        return Strip([Segment(text)])

    before = [line("a" * 40), line("b" * 40), line("c" * 40)]
    after = [line("a" * 40), line("b" * 5 + "X" + "b" * 30 + "XYb" + "b"), line("漢" * 20), line("new" + " " * 37)]
    assert changed_regions(after, before, 40) == [
        Region(5, 1, 1, 1), Region(36, 1, 2, 1), Region(0, 2, 40, 1), Region(0, 3, 40, 1)
    ]  # fmt: skip
    assert changed_regions(after, after, 40) == []


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1_000, "1.0k"), (30_098, "30.1k"), (99_960, "100k"), (999_600, "1.0M"), (2.5e9, "2.5G")],
)
def test_numbers_stay_short(number, text):
    assert compact(number) == text


def test_spans_of_time():
    assert [ago(s) for s in (3, 300, 7_300, 900_000)] == ["3 s", "5 min", "2 h", "10 days"]
