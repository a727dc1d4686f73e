"""The forecast: closed forms held against the scheduler itself, and figures that say where they are from."""

from __future__ import annotations

import dataclasses

import pytest

from bench.pipeline import SCENES as TABLE
from bench.pipeline import Scene, VirtualLoop, World, busy, pipeline_of, simulate
from fairnad_engine.llm.protocol import Purpose
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.costs import Figure, SeedTiming, before_start, images_of, measured, updated
from fairnad_engine.search.forecast import Pipeline, forecast, streams_of, time_left
from fairnad_engine.search.ledger import read_ledger
from fairnad_engine.search.presets import preset, presets
from fairnad_engine.store import Store

SMALL = {"generations": 2}
SCENES = [
    Scene(2, 4, lanes=4, streams=2, **SMALL),
    Scene(60, 180, lanes=16, streams=8, passing=0.56, **SMALL),
    Scene(60, 60, lanes=8, streams=8, passing=0.56, **SMALL),
    Scene(60, 60, lanes=2, streams=8, passing=0.56, **SMALL),
    Scene(2, 100, lanes=2, streams=2, passing=0.8, **SMALL),
]


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_the_closed_form_agrees_with_the_scheduler(scene, tmp_path):
    world = simulate(scene, tmp_path)
    models = len(world.trainings) - 1  # without the seed
    searched = world.loop.time() - scene.call - scene.training
    pipeline = pipeline_of(scene)
    assert pipeline.snapshot_seconds(models, (8, 8, 4)) == pytest.approx(searched, rel=0.25)
    assert pipeline.steady_seconds(models) < 1.1 * searched


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_where_generations_overlap_another_closed_form_agrees(scene, tmp_path):
    world = simulate(dataclasses.replace(scene, generations=3, search={"proposals": "lookahead"}), tmp_path)
    models = len(world.trainings) - 1
    searched = world.loop.time() - scene.call - scene.training
    assert pipeline_of(scene).lookahead_seconds(models, (8, 8, 4)) == pytest.approx(searched, rel=0.25)


def test_where_a_chain_counts_once_more_models_are_trained_than_are_counted():
    once = preset("paper-cifar10").config
    config = once.model_copy(update={"search": once.search.model_copy(update={"stage3_counts": "both"})})
    costs = before_start(config, SeedTiming(100_000, 10_000_000, 30_000, 50.0, 3.0, "cpu"), "x" * 3000)
    both, last = forecast(config, costs), forecast(once, costs)
    assert both.models == config.budget.trained and last.models == config.budget.trained * 24 // 20
    assert last.generations == 25 and both.generations == 21
    assert last.hours.middle > 1.1 * both.hours.middle


def test_where_the_model_is_the_bottleneck_more_lanes_help_until_the_number_that_is_named(tmp_path):
    scene = Scene(60, 60, lanes=2, streams=4, passing=0.56, **SMALL)
    pipeline = pipeline_of(scene)
    assert pipeline.bottleneck == "model"
    enough = pipeline.lanes_enough
    assert pipeline_of(dataclasses.replace(scene, lanes=enough)).bottleneck == "training"
    assert pipeline_of(dataclasses.replace(scene, lanes=enough - 1)).bottleneck == "model"
    took = {}
    for lanes in (2, enough, 3 * enough):
        folder = tmp_path / str(lanes)
        folder.mkdir()
        took[lanes] = simulate(dataclasses.replace(scene, lanes=lanes), folder).loop.time()
    assert took[enough] < 0.8 * took[2]
    assert took[enough] - took[3 * enough] < 0.5 * (took[2] - took[enough])


@pytest.mark.parametrize("mode", ["snapshot", "lookahead"])
def test_chains_take_lanes_first(tmp_path, monkeypatch, mode):
    asked = []
    design = World.design
    monkeypatch.setattr(World, "design", lambda self, task: asked.append(task.purpose) or design(self, task))
    simulate(Scene(2, 4, lanes=1, streams=2, generations=1, search={"stages": [2, 2, 2], "proposals": mode}), tmp_path)
    assert set(asked[:2]) == {Purpose.SIMILAR, Purpose.OPPOSITE}
    assert asked[2] is Purpose.IDEA


def test_every_scene_of_the_table_says_in_which_mode_it_has_a_target():
    assert any(scene.lanes == 8 and targets["snapshot"] == 0.9 for _, scene, targets in TABLE)
    assert any(targets.get("lookahead") == 0.85 and not targets["snapshot"] for _, _, targets in TABLE)


def test_lanes_and_streams_do_not_change_what_is_trained(tmp_path):
    found = []
    for number, scene in enumerate((SCENES[1], dataclasses.replace(SCENES[1], lanes=1, streams=1, call=7))):
        folder = tmp_path / str(number)
        folder.mkdir()
        found.append(sorted(name for name, _, _ in simulate(scene, folder).trainings))
    assert found[0] == found[1]


def test_the_ledger_closes_at_every_commit_of_a_search(tmp_path):
    seen = []

    def watch(store: Store, run_id: str) -> None:
        def look(written):
            def then(*arguments, **named):
                result = written(*arguments, **named)
                if not store._db.conn.in_transaction:  # a kill here leaves what is committed
                    ledger = read_ledger(store, run_id)
                    assert ledger.closes, ledger.problems
                    seen.append((ledger.proposed, ledger.trained, ledger.pending, sum(ledger.rejected.values())))
                return result

            return then

        for name in ("save_attempt", "save_candidate", "start_training", "save_evaluation", "set_slot"):
            setattr(store.runs, name, look(getattr(store.runs, name)))

    scene = Scene(2, 5, lanes=3, streams=2, passing=0.6, generations=1, search={"stages": [4, 3, 2]})
    world = simulate(scene, tmp_path, watch)
    assert len(seen) > 60
    assert max(pending for _, _, pending, _ in seen) > 1
    assert seen[-1][1] == len(world.trainings) - 1
    assert seen[-1][2] == 0
    assert seen[-1][3] > 0


def test_busy_is_the_share_of_the_streams_between_two_generations():
    trainings = [("seed", 0, 9), ("g01-s01", 9, 12), ("g02-s01", 10, 14), ("g02-s02", 12, 16), ("g03-s01", 20, 24)]
    loop = VirtualLoop()
    try:
        # From 10 to 20 on two streams: 2 of the first generation's, 4 and 4.
        assert busy(World(Scene(1, 4, 1, 2), loop, trainings)) == pytest.approx((2 + 4 + 4) / 20)
    finally:
        loop.close()


def test_a_call_as_long_as_a_training_makes_the_model_the_bottleneck():
    config = RunConfig.model_validate({"model": {"lanes": 8}, "machine": {"devices": ["cpu"], "workers": 8}})
    costs = dataclasses.replace(
        before_start(config, None, "x" * 3000),
        call=Figure(60, 60, 60, "measured"),
        training=Figure(60, 60, 60, "measured"),
        passing=Figure(0.56, 0.56, 0.56, "measured"),
    )
    found = forecast(config, costs)
    assert found.bottleneck == "model"
    assert found.lanes_enough == 15  # 8 streams / 0.56
    assert "the model is the bottleneck" in found.advice
    assert "15 lanes would" in found.advice
    more = forecast(config.model_copy(update={"model": config.model.model_copy(update={"lanes": 15})}), costs)
    assert more.bottleneck == "training"


def test_every_interval_is_in_order_and_says_where_it_is_from():
    for one in presets():
        timing = SeedTiming(100_000, 10_000_000, 30_000, 50.0, 3.0, "cpu")
        for seed in (timing, None):
            found = forecast(one.config, before_start(one.config, seed, "x" * 3000, "no jail"), gpus=1, epochs=200)
            figures = [value for value in vars(found).values() if isinstance(value, Figure)]
            figures += [value for value in vars(found.costs).values() if isinstance(value, Figure)]
            assert len(figures) > 10
            for figure in (*figures, found.disk_bytes):
                assert 0 <= figure.low <= figure.middle <= figure.high
                assert figure.source
            chains_twice = one.config.search.stage3_counts == "last"  # trained, but counted once
            assert found.models == one.config.budget.trained * (24 if chains_twice else 20) // 20
    assert {"paper-cifar10", "paper-cifar100", "paper-imagenet16", "small-cpu", "small-gpu"} <= {
        one.name for one in presets()
    }


@pytest.mark.parametrize(
    ("name", "days", "macs"),
    [("paper-cifar10", 24.22, 200e6), ("paper-cifar100", 26.56, 200e6), ("paper-imagenet16", 30.06, 50e6)],
)
def test_a_training_of_the_paper_presets_costs_what_the_paper_says_where_nothing_can_be_timed(name, days, macs):
    config = preset(name).config
    assert (config.budget.max_params, config.budget.max_macs, config.budget.trained) == (1_500_000, macs, 500)
    assert (config.data.protocol, config.search.stages, config.model.llm) == (
        "nasbench201",
        (8, 8, 4),
        "ollama:qwen3:8b",
    )
    assert config.data.splits
    found = forecast(config, before_start(config, None, "x" * 3000, "no data"), gpus=4, epochs=200)
    assert found.streams == 8
    # The paper's cost is for 500 candidates; whether it counts a chain's first steps it does not say, so that the
    # forecast takes the 600 trainings of this preset to cost as much each.
    assert found.models == 600
    assert found.stream_hours.middle / 24 / 2 == pytest.approx(days * 600 / 500)
    assert "the paper" in found.stream_hours.source
    assert images_of(config)[0] in (25_000, 50_000, 151_700)


def test_streams_come_from_the_machine_settings():
    def of(machine, gpus=0, **more):
        return streams_of(RunConfig.model_validate({"machine": machine, **more}), gpus)

    assert of({"workers": 3}) == (3, 1.0)
    assert of({"workers": 3, "streams": 2}, gpus=4)[0] == 8
    assert of({"workers": 3, "devices": ["cpu"]}, gpus=4) == (3, 1.0)
    assert of({"devices": ["cuda:0", "cuda:1"], "streams": 1}) == (2, 1.0)
    assert of({"workers": 9}, fidelity={"mode": "promote", "window": 4}) == (4, 1.0)


def test_more_measurements_give_a_narrower_interval_and_replace_assumptions(tmp_path):
    widths = []
    for generations in (1, 4):
        folder = tmp_path / str(generations)
        folder.mkdir()
        scene = Scene(2, 5, lanes=3, streams=2, passing=0.7, generations=generations)
        simulate(scene, folder)
        with Store(folder / "simulated.db") as store:
            ledger = read_ledger(store, "run-1")
            summed = store.ledger.measures("run-1")
            made = [one.params for one in store.ledger.candidates("run-1") if one.generation > 0]
        before = before_start(RunConfig(), None, "x" * 3000)
        costs = measured(ledger, made, before)
        # What is summed where it lies is what the ledger's lines come to.
        for name, figure in vars(updated(before, summed)).items():
            if isinstance(figure, Figure):
                mine = vars(costs)[name]
                assert (figure.low, figure.middle, figure.high) == pytest.approx((mine.low, mine.middle, mine.high))
                assert figure.source == mine.source
        assert costs.training.source.startswith("measured")
        assert costs.training.low < 5 < costs.training.high
        assert costs.passing.low < 0.7 < costs.passing.high
        assert costs.prompt_tokens.source.startswith("assumed")  # the simulated model is not asked by requests
        widths.append(costs.passing.high - costs.passing.low)
    assert widths[1] < 0.7 * widths[0]


def test_time_left_shrinks_while_a_run_goes_on_and_ends_at_nothing(tmp_path):
    left = []

    def watch(store: Store, run_id: str) -> None:
        end = store.runs.close_generation

        def closed(*arguments, **named):
            end(*arguments, **named)
            left.append(time_left(store, run_id))

        store.runs.close_generation = closed

    simulate(Scene(2, 5, lanes=3, streams=2, generations=3), tmp_path, watch)
    assert [one.models for one in left] == [48, 24, 0]
    hours = [one.hours.middle for one in left]
    assert hours == sorted(hours, reverse=True)
    with Store(tmp_path / "simulated.db") as store:
        over = time_left(store, "run-1")
    assert (over.models, over.hours.middle, over.proposals.middle) == (0, 0.0, 0.0)
    assert left[0].costs.training.source.startswith("measured")


def test_a_pipeline_without_failures_begins_after_one_proposal():
    pipeline = Pipeline(lanes=20, streams=2, call=2, training=4)
    assert pipeline.bottleneck == "training"
    assert pipeline.snapshot_seconds(24, (8, 8, 4)) == pytest.approx(2 + 48 + 6)
    assert pipeline.snapshot_seconds(20, (10, 10, 0), rounds=3) > pipeline.snapshot_seconds(20, (10, 10, 0))
