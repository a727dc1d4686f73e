"""Studies: settings, curves, intervals, coverage, and what a comparison is made of."""

import json
import math
import random
from dataclasses import replace

import pytest

from fairnad_engine.errors import InputError
from fairnad_engine.search.compared import compare
from fairnad_engine.search.comparison import (
    Model,
    Reference,
    band_of,
    bootstrap_mean,
    coverage,
    curve_of,
    entropy_of,
)
from fairnad_engine.search.run_record import RunRecord, record_of
from fairnad_engine.search.seeds import initial_weights_seed, training_seed
from fairnad_engine.search.selection import hypervolume
from fairnad_engine.search.study import studies, study_view
from fairnad_engine.search.study_config import StudyConfig, load_study, parse_study
from fairnad_engine.search.study_runs import study_job, unfinished
from tests.search.playing import RUN, play, workspace

REFERENCE = Reference(80.0, 60_000, 3_000_000)
START = Model(0, 30_000, 400_000, 80.0, counts=False)
BASE = {"data": {"protocol": "smoke"}, "search": {"seed_backbone": "digits-small"}, "model": {"llm": "rules"}}


def study(tmp_path, **changes):
    document = {"name": "s", "methods": ["fairnad", "random"], "seeds": [1, 2], "run": BASE, **changes}
    return parse_study(document, "study.toml", tmp_path)


def models(seed, count=30):
    rng = random.Random(seed)
    return [
        Model(n, rng.randrange(1000, 60_000), rng.randrange(10_000, 3_000_000), rng.uniform(70, 99))
        for n in range(1, count + 1)
    ]


def record(method, seed, made, **changes):
    return RunRecord(method, seed, "digest", REFERENCE, START, tuple(made), **changes)


# -- curves ------------------------------------------------------------------------------------------------------


def test_a_curve_is_the_hypervolume_and_best_of_the_first_models():
    made = models(3)
    curve = curve_of(START, made, REFERENCE)
    for n in range(len(made) + 1):
        first = [START, *made[:n]]
        assert curve.hypervolume[n] == pytest.approx(hypervolume(first, 80.0, 60_000, 3_000_000), abs=1e-12)
        assert curve.best[n] == max(one.accuracy for one in first)
    assert len(curve.best) == 31


def test_models_that_the_budget_does_not_count_and_stopped_ones_take_their_place():
    better = Model(1, 20_000, 300_000, 95.0, counts=False)  # the first step of a chain of which the last one counts
    stopped = Model(2, 100, 100, 0.0, status="screened")
    curve = curve_of(START, [stopped, better], REFERENCE)
    assert curve.best == (95.0, 95.0)
    assert curve.hypervolume[0] == curve.hypervolume[1] > curve_of(START, [], REFERENCE).hypervolume[0]


def test_models_to_reach_a_hypervolume():
    curve = curve_of(START, models(3), REFERENCE)
    assert curve.models_to_reach(curve.hypervolume[0]) == 0
    assert curve.models_to_reach(curve.hypervolume[-1] + 0.01) is None
    reached = curve.models_to_reach(curve.hypervolume[-1])
    assert curve.hypervolume[reached] == curve.hypervolume[-1] > curve.hypervolume[reached - 1]


# -- intervals ---------------------------------------------------------------------------------------------------


def test_an_interval_of_equal_values_is_a_point():
    assert bootstrap_mean([0.25] * 8) == bootstrap_mean([0.25])
    found = bootstrap_mean([0.25] * 8)
    assert (found.mean, found.low, found.high) == (0.25, 0.25, 0.25)
    assert found.above_zero
    assert not bootstrap_mean([0.0, 0.0]).above_zero


def test_an_interval_of_two_values_is_known():
    # The mean of two draws is 0, 1/2 or 1 with chances 1/4, 1/2, 1/4, so 2.5 % and 97.5 % lie at the ends.
    found = bootstrap_mean([0.0, 1.0])
    assert (found.mean, found.low, found.high) == (0.5, 0.0, 1.0)


def test_an_interval_of_many_values_is_that_of_the_normal_distribution():
    rng = random.Random(5)
    values = [rng.gauss(2.0, 3.0) for _ in range(400)]
    mean = sum(values) / 400
    error = math.sqrt(sum((v - mean) ** 2 for v in values)) / 400
    found = bootstrap_mean(values)
    assert found.mean == pytest.approx(mean)
    assert found.low == pytest.approx(mean - 1.96 * error, abs=0.1 * error)
    assert found.high == pytest.approx(mean + 1.96 * error, abs=0.1 * error)


def test_an_interval_is_the_same_each_time_and_refuses_what_is_no_number():
    assert bootstrap_mean([1.0, 2.0, 5.0]) == bootstrap_mean([1.0, 2.0, 5.0])
    for wrong in ([], [1.0, math.nan], [math.inf]):
        with pytest.raises(ValueError, match="finite"):
            bootstrap_mean(wrong)


def test_a_band_says_of_how_many_runs_it_is():
    band = band_of([(1.0, 2.0, 3.0), (3.0, 4.0)])
    assert band.mean == (2.0, 3.0, 3.0)
    assert band.runs == (2, 2, 1)
    assert (band.low[2], band.high[2]) == (3.0, 3.0)
    assert band_of([]).mean == ()


# -- coverage and entropy ----------------------------------------------------------------------------------------


def test_coverage_counts_what_is_weakly_dominated():
    good, twin = Model(1, 100, 100, 90.0), Model(2, 100, 100, 90.0)
    small, strong = Model(3, 50, 50, 60.0), Model(4, 200, 200, 95.0)
    assert coverage([good], [twin]) == 1.0
    assert coverage([good], [small, strong]) == 0.0
    assert coverage([good], [twin, small]) == 0.5
    assert coverage([good], [replace(twin, accuracy=89.0), small, replace(small, params=51)]) == 0.5  # fronts alone
    with pytest.raises(ValueError, match="front"):
        coverage([good], [])


def test_entropy_is_in_bits():
    assert entropy_of([4, 4]) == 1.0
    assert entropy_of([7, 0]) == 0.0
    assert entropy_of([]) == 0.0
    assert entropy_of([1, 1, 2]) == 1.5


# -- comparisons -------------------------------------------------------------------------------------------------


def test_a_comparison_is_paired_over_shared_seeds_of_finished_runs():
    gain = [replace(one, accuracy=min(100.0, one.accuracy + 1)) for one in models(1)]
    runs = [
        record("a", 1, gain, proposed=60, edits={"structural": 3}, seconds={"training": 2.0}, tokens=5),
        record("a", 2, models(2), proposed=30, edits={"structural": 1, "capacity": 4}, seconds={"training": 4.0}),
        record("b", 1, models(1), proposed=31),
        record("b", 3, models(4), proposed=31),
        replace(record("b", 2, models(2)), digest=None),
        record("else", 1, models(1)),
    ]
    found = compare(runs, ["a", "b", "c"])
    assert [one.method for one in found.methods] == ["a", "b"]
    own = found.methods[0]
    assert own.seeds == (1, 2)
    assert own.pass_rate == pytest.approx(60 / 90)
    assert own.edits == {"capacity": 4, "structural": 4}
    assert own.edit_entropy == 1.0
    assert own.seconds == {"training": 3.0}
    assert own.tokens == 5
    (versus,) = found.versus
    assert (versus.method, versus.seeds, versus.reached) == ("b", (1,), 1)
    mine, theirs = curve_of(START, gain, REFERENCE), curve_of(START, models(1), REFERENCE)
    assert versus.hypervolume.mean == mine.hypervolume[-1] - theirs.hypervolume[-1] > 0
    assert versus.best.mean == pytest.approx(1.0, abs=1e-9)
    assert versus.models.mean == mine.models_to_reach(theirs.hypervolume[-1])
    assert versus.covers == 1.0 > versus.covered


def test_runs_of_different_lengths_are_compared_where_both_have_models():
    whole = models(1)
    (versus,) = compare([record("a", 1, whole[:10]), record("b", 1, whole)], ["a", "b"]).versus
    assert versus.hypervolume.mean == versus.best.mean == 0.0


def test_a_target_never_reached_costs_all_models():
    worse = [replace(one, accuracy=one.accuracy - 5) for one in models(1)]
    (versus,) = compare([record("a", 1, worse), record("b", 1, models(1))], ["a", "b"]).versus
    assert (versus.models.mean, versus.reached) == (30.0, 0)


def test_a_record_survives_its_line_of_json():
    kept = record("a", 1, models(1), proposed=3, rejected={"build": 1}, seconds={"training": 0.1 + 0.2}, tokens=7)
    assert RunRecord.from_json(json.loads(json.dumps({**kept.to_json(), "wall_seconds": 1.0}))) == kept


# -- settings ----------------------------------------------------------------------------------------------------


def test_a_cell_is_the_run_with_its_method_and_seed(tmp_path):
    found = study(
        tmp_path,
        methods=["fairnad", "uniform", "greedy"],
        variants={"greedy": {"search": {"thompson": 0.5}, "budget": {"trained": 7}}},
    )
    assert found.cells() == [(m, s) for s in (1, 2) for m in ("fairnad", "uniform", "greedy")]
    assert found.cell("fairnad", 2).search.stages == (8, 8, 4)
    uniform = found.cell("uniform", 2).search
    assert (uniform.method, uniform.fairness, uniform.stages, uniform.seed) == ("uniform", "none", (20, 0, 0), 2)
    greedy = found.cell("greedy", 1)
    assert (greedy.search.thompson, greedy.search.seed_backbone, greedy.budget.trained) == (0.5, "digits-small", 7)
    assert greedy.name == "s greedy"


def test_a_study_shares_scores_and_trains_one_control_for_each_seed_unless_it_says_otherwise(tmp_path):
    found = study(tmp_path)
    cells = {cell: found.cell(*cell).search for cell in found.cells()}
    assert {one.seeds_by for one in cells.values()} == {"structure"}
    assert [cell for cell, one in cells.items() if one.control == "search"] == [("fairnad", 1), ("fairnad", 2)]
    said = {**BASE, "search": {**BASE["search"], "seeds_by": "place", "control": "off"}}
    other = study(tmp_path, run=said)
    assert {(other.cell(*cell).search.seeds_by, other.cell(*cell).search.control) for cell in other.cells()} == {
        ("place", "off")
    }
    # A study that was stored before keeps the seeds of its runs.
    stored = {**found.model_dump(mode="json"), "run": BASE}
    assert StudyConfig.model_validate(stored).cell("random", 1).search.seeds_by == "place"


def test_a_method_may_have_its_longer_name(tmp_path):
    named = study(tmp_path, methods=["stage1-only", "regularized-evolution"])
    assert [named.cell(method, 1).search.method for method in named.methods] == ["fair", "evolution"]


def test_a_base_may_be_a_preset_or_a_file_beside_the_study(tmp_path):
    (tmp_path / "run.toml").write_text('[search]\nmethod = "uniform"\nseed_backbone = "digits-small"\n')
    (tmp_path / "study.toml").write_text('name = "s"\nmethods = ["fairnad"]\nseeds = [1]\nconfig = "run.toml"\n')
    # What `uniform` means is not carried over into another method.
    assert load_study(tmp_path / "study.toml").cell("fairnad", 1).search.stages == (8, 8, 4)
    document = {"name": "s", "methods": ["random"], "seeds": [1], "preset": "demo"}
    assert parse_study(document, "x", tmp_path).trained == 40


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"methods": ["fairnad", "greedy"]}, "no method 'greedy'"),
        ({"methods": []}, "methods"),
        ({"methods": ["random", "random"]}, "twice"),
        ({"seeds": [1, 1]}, "different"),
        ({"seeds": [-1]}, "different"),
        ({"name": "a b"}, "name"),
        ({"preset": "demo"}, "once"),
        ({"run": {"search": {"sed": 1}}}, "search.sed: there is no such setting"),
        ({"extra": 1}, "extra: there is no such setting"),
        ({"methods": ["v"], "variants": {"v": {"search": {"thompson": 2}}}}, "search.thompson"),
        ({"variants": {"random": {}}}, "a method's name"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, changes, told):
    with pytest.raises(InputError, match=r"^(study|study\.toml)") as error:
        study(tmp_path, **changes)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_and_one_that_is_no_toml(tmp_path):
    (tmp_path / "bad.toml").write_text("name = ")
    for name in ("none.toml", "bad.toml"):
        with pytest.raises(InputError, match=name):
            load_study(tmp_path / name)


def test_seeds_by_place_are_those_of_before_and_by_structure_forget_the_place():
    assert training_seed("place", 7, 1401, "hash") == 1100497623 == training_seed("place", 7, 1401, "other")
    assert training_seed("structure", 7, 1401, "hash") == training_seed("structure", 7, 5, "hash")
    assert training_seed("structure", 7, 5, "hash") != training_seed("structure", 8, 5, "hash")
    assert training_seed("structure", 7, 5, "hash") != training_seed("structure", 7, 5, "other")
    assert initial_weights_seed("place", 7, 1, 2, 1, 0) != initial_weights_seed("place", 7, 1, 3, 1, 0)
    assert initial_weights_seed("structure", 7, 1, 2, 1, 0) == initial_weights_seed("structure", 7, 9, 9, 1, 3)
    assert initial_weights_seed("structure", 7, 1, 2, 1, 0) == initial_weights_seed("place", 7, 0)  # the seed's


# -- stored studies ----------------------------------------------------------------------------------------------


def test_a_view_shows_each_cell_and_the_curves_of_real_generations(tmp_path):
    with workspace(tmp_path, budget={"trained": 40}) as store:
        chosen = study(tmp_path, seeds=[0, 1], run={**BASE, "budget": {"trained": 40}})
        store.studies.save(chosen.name, chosen.model_dump(mode="json"))
        store.studies.add_run("s", "fairnad", 0, RUN)
        assert study_view(store, "s").curves[0].best.mean == ()  # nothing is trained yet
        play(store)
        store.jobs.set_state(store.jobs.of_run(RUN).id, "done")
        view = study_view(store, "s")
        cell = view.cell("fairnad", 0)
        assert (cell.status, cell.run_id, cell.trained) == ("done", RUN, 40)
        assert view.cell("random", 0).status == "waiting"
        assert view.cell("random", 0).run_id is None
        assert [(c.method, c.seed) for c in view.cells] == chosen.cells()
        band, best = view.curves[0].hypervolume, view.curves[0].best
        trained = 0
        for generation in store.runs.generations(RUN):
            trained += generation.trained
            assert band.mean[trained] == pytest.approx(generation.hypervolume, abs=1e-12)
            assert best.mean[trained] == generation.best_accuracy
        assert trained == 40
        assert (cell.hypervolume, cell.best) == (band.mean[-1], best.mean[-1])
        kept = record_of(store, RUN, "fairnad")
        assert compare([kept], ["fairnad"]).methods[0].hypervolume.mean == band.mean[-1]
        assert kept.proposed == kept.trained + sum(kept.rejected.values())
        (line,) = studies(store)
        assert (line.name, line.dataset, line.cells, line.done) == ("s", "digits", 4, 1)
        assert unfinished(store, chosen) == [("random", 0), ("fairnad", 1), ("random", 1)]


def test_a_study_grows_but_does_not_change_what_its_runs_were_started_with(tmp_path):
    with workspace(tmp_path) as store:
        before = study(tmp_path)
        job = study_job(store, before)
        assert study_job(store, study(tmp_path, run={**BASE, "budget": {"trained": 9}})).id == job.id  # nothing ran yet
        study_job(store, before)
        store.studies.add_run("s", "fairnad", 1, RUN)
        more = study(tmp_path, seeds=[1, 2, 3], methods=["fairnad", "random", "uniform"])
        assert study_job(store, more).id == job.id
        assert study_view(store, "s").seeds == (1, 2, 3)
        study_job(store, study(tmp_path, run={**BASE, "machine": {"workers": 1}}))
        with pytest.raises(InputError, match=r"\[budget\] of fairnad .* another name"):
            study_job(store, study(tmp_path, run={**BASE, "budget": {"trained": 9}}))


def test_a_deleted_run_is_started_anew(tmp_path):
    with workspace(tmp_path) as store:
        chosen = study(tmp_path)
        study_job(store, chosen)
        store.studies.add_run("s", "fairnad", 1, RUN)
        store.studies.offer_score("key", RUN, "seed", "search", 1)
        store.deletion.delete(RUN)
        assert study_view(store, "s").cell("fairnad", 1).status == "waiting"
        assert not store.studies.take_score("key", RUN, "seed", "search")


def test_a_study_that_is_not_there(tmp_path):
    with workspace(tmp_path) as store, pytest.raises(InputError, match="'none' does not exist"):
        study_view(store, "none")
