"""Short schedules with promotion: who is stopped, what a decision may see, and that a kill changes nothing."""

import asyncio
import json
import math
import os
import random
import shutil
import signal
import subprocess
import time
from dataclasses import replace

import pytest
from sqlite_utils import Database

from fairnad_engine.errors import InputError
from fairnad_engine.search.config import RunConfig, parse_config
from fairnad_engine.search.fidelity import (
    PromotionRule,
    Seen,
    check_short_epochs,
    predict,
    short_length,
    short_protocol,
    standard_error,
)
from fairnad_engine.search.order import Unit, UnitOrder
from fairnad_engine.search.selection import counted, pareto_front
from fairnad_engine.store import Store
from fairnad_engine.store.schema import migrations
from fairnad_engine.training.protocol import load_protocol
from tests.conftest import ROOT, command_line, environment

SAMPLES = ROOT / "sample_papers"

RULE = PromotionRule(epochs=4, confidence=0.9, last_confidence=0.9, tolerance=0.0, warm_up=3, images=400)
PAIRS = ((70.0, 94.0), (80.0, 96.0), (85.0, 97.0), (90.0, 98.0), (75.0, 95.0), (88.0, 97.5))


def seen(params=100, macs=100):
    return [Seen(f"c{i}", params, macs, short, full) for i, (short, full) in enumerate(PAIRS)]


# -- the rule ---------------------------------------------------------------------------------------------------


def test_it_stops_only_what_is_confidently_dominated():
    assert not RULE.decide(100, 100, 60.0, seen()).promoted
    assert RULE.decide(100, 100, 99.0, seen()).promoted


@pytest.mark.parametrize(("params", "macs"), [(99, 100), (100, 99), (1, 1), (99, 1000)])
def test_what_costs_less_in_one_way_than_everything_finished_is_never_stopped(params, macs):
    assert RULE.decide(params, macs, 10.0, seen()).promoted


def test_a_stopped_candidate_stops_nobody():
    only_short = [Seen("cheap", 1, 1, 99.0, None), *seen(params=1000, macs=1000)]
    assert RULE.decide(100, 100, 10.0, only_short).promoted


def test_everything_is_promoted_until_there_are_enough_pairs():
    few = seen()[: RULE.warm_up - 1]
    assert RULE.decide(100, 100, 10.0, few).promoted
    assert not RULE.decide(100, 100, 10.0, seen()[: RULE.warm_up]).promoted


def test_more_confidence_and_less_tolerance_stop_less():
    verdicts = [
        sum(
            PromotionRule(4, confidence, confidence, tolerance, 3, 400).decide(100, 100, float(short), seen()).promoted
            for short in range(60, 100)
        )
        for confidence, tolerance in ((0.99, -1.0), (0.9, 0.0), (0.6, 1.0))
    ]
    assert verdicts == sorted(verdicts, reverse=True)
    assert verdicts[0] > verdicts[-1]


def test_one_candidate_that_trained_badly_hardly_moves_the_prediction():
    plain, _ = predict(PAIRS, 85.0, 0.9)
    disturbed, _ = predict((*PAIRS, (86.0, 12.0)), 85.0, 0.9)
    assert abs(disturbed - plain) < 1.0
    assert 96.0 < plain < 98.0


def test_the_bound_covers_what_it_says():
    rng = random.Random(3)

    def pair():
        error = math.exp(rng.uniform(1.0, 3.5))
        return 100.0 - error, 100.0 - 0.4 * error**0.7 * math.exp(rng.gauss(0.0, 0.4))

    held = 0
    for _ in range(300):
        known, (short, full) = [pair() for _ in range(25)], pair()
        held += full <= predict(known, short, 0.8)[1]
    assert 0.74 <= held / 300 <= 0.9


def stopped(*shorts, params=100, macs=100):
    return [Seen(f"s{i}", params, macs, short, None) for i, short in enumerate(shorts)]


def test_the_last_look_takes_what_is_not_confidently_dominated_the_likeliest_first():
    found = RULE.look_again(stopped(60.0, 92.0, 99.0, 95.0), seen())
    assert [one for one, _ in found] == ["s2", "s3", "s1"]
    assert all("at most" in reason and "(90 %)" in reason for _, reason in found)
    assert RULE.look_again(stopped(60.0), seen()) == []


def test_the_last_look_of_more_confidence_takes_more():
    shorts = stopped(*(float(n) for n in range(60, 100)))
    taken = [{one for one, _ in replace(RULE, last_confidence=c).look_again(shorts, seen())} for c in (0.6, 0.9, 0.99)]
    assert taken[0] < taken[1] < taken[2]


def test_the_last_look_holds_each_against_those_of_no_more_cost_alone():
    dear = [Seen("dear", 200, 200, 90.0, 99.9), *seen()]
    assert RULE.look_again(stopped(92.0), dear) != []
    assert RULE.look_again(stopped(92.0, params=300, macs=300), dear) == []


def test_perfect_accuracy_has_a_standard_error():
    assert 0 < standard_error(100.0, 400) < standard_error(98.0, 400) < standard_error(50.0, 400)
    assert standard_error(50.0, 400) == pytest.approx(2.5, abs=0.01)


# -- schedules and settings -------------------------------------------------------------------------------------


def test_a_short_schedule_is_a_protocol_of_its_own_that_falls_to_zero():
    full = load_protocol("digits")
    short = short_protocol(full, 4)
    assert [short.learning_rate_at(e) for e in range(4)] == [
        pytest.approx(full.learning_rate / 2 * (1 + math.cos(math.pi * e / 4))) for e in range(4)
    ]
    assert short.digest != full.digest
    type(full).model_validate(short.model_dump(mode="json"))  # as the trainer reads it


@pytest.mark.parametrize(("chosen", "epochs", "short"), [(0, 200, 20), (0, 12, 1), (0, 2, 1), (7, 200, 7)])
def test_without_a_number_it_takes_a_tenth_of_the_schedule(chosen, epochs, short):
    assert short_length(chosen, epochs) == short


def test_a_short_schedule_that_is_not_short_is_refused_in_one_line():
    protocol = load_protocol("smoke")
    check_short_epochs("off", 99, protocol)
    check_short_epochs("promote", 1, protocol)
    with pytest.raises(InputError, match=r"^fidelity\.short_epochs: 2 .*smoke with 2 epochs; choose fewer") as caught:
        check_short_epochs("promote", 2, protocol)
    assert "\n" not in str(caught.value)


def test_off_leaves_the_digest_as_it_was_and_on_is_part_of_it():
    off = parse_config({"fidelity": {"mode": "off", "short_epochs": 9, "warm_up": 2}}, "test")
    on = parse_config({"fidelity": {"mode": "promote"}}, "test")
    other = parse_config({"fidelity": {"mode": "promote", "window": 9}}, "test")
    assert off.digest_settings() == RunConfig().digest_settings()
    assert set(off.digest_settings()) == {"budget", "dataset", "search"}
    assert off.outcome_settings() == RunConfig().outcome_settings()
    assert len({json.dumps(c.digest_settings(), sort_keys=True) for c in (off, on, other)}) == 3
    assert len({json.dumps(c.outcome_settings(), sort_keys=True) for c in (off, on, other)}) == 3


# -- what a decision sees ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
async def test_a_decision_reads_the_same_units_however_they_end(seed):
    units = [Unit(1, slot, 1) for slot in range(1, 9)]
    order, rng, over, read = UnitOrder(100), random.Random(seed), set(), {}
    order.extend(units)

    async def one(unit):
        for _ in range(rng.randrange(6)):
            await asyncio.sleep(0)
        found = await order.earlier(unit, 3)
        assert found <= over
        read[unit] = found
        over.add(unit)
        await order.finish(unit, True)

    tasks = [asyncio.create_task(one(u)) for u in units]
    rng.shuffle(tasks)
    await asyncio.gather(*tasks)
    assert read == {unit: frozenset(units[: max(0, place - 2)]) for place, unit in enumerate(units)}


# -- the store --------------------------------------------------------------------------------------------------


def test_scores_of_an_older_workspace_are_full_ones(tmp_path):
    path = tmp_path / "fairnad.db"
    old = Database(path)
    migrations.apply(old, stop_before="m008_fidelity")
    old.table("runs").insert({"id": "run-1", "name": "old", "config_json": "{}", "seed": 0, "created_at": "x"})
    key = {"run_id": "run-1", "candidate_id": "seed", "purpose": "search", "seed": 1}
    old.table("evaluations").insert({**key, "protocol": "digits", "status": "done", "accuracy": 97.0, "message": ""})
    old.conn.close()
    with Store(path) as store:
        assert [e.fidelity for e in store.runs.evaluations("run-1", "search")] == ["full"]


# -- recorded curves --------------------------------------------------------------------------------------------


MISSED = pytest.mark.xfail(strict=True, reason="the target is missed here; docs/benchmarks.md says by how much and why")


@pytest.mark.parametrize(
    "name",
    [
        "digits-101",
        pytest.param("digits-202", marks=MISSED),
        pytest.param("digits-303", marks=MISSED),
        pytest.param("fashion-11", marks=MISSED),
    ],
)
def test_on_recorded_searches_it_keeps_the_front_for_a_third_of_the_epochs(name):
    from bench.fidelity import LEAST_HYPERVOLUME, LEAST_RATIO, LEAST_RECALL, load, replay
    from fairnad_engine.search.config import FidelitySection

    chosen, recording = FidelitySection(), load(name)
    rule = PromotionRule.of(chosen, recording.epochs, recording.images)
    found = replay(recording, range(len(recording.candidates) - 1), rule, chosen.window)
    assert found.ratio >= LEAST_RATIO
    assert found.recall >= LEAST_RECALL
    assert found.hypervolume >= LEAST_HYPERVOLUME


@pytest.mark.parametrize("name", ["digits-101", "digits-202", "digits-303", "fashion-11"])
def test_a_replay_that_stops_nobody_keeps_everything_and_pays_the_short_schedule_as_well(name):
    from bench.fidelity import load, replay
    from fairnad_engine.search.config import FidelitySection

    chosen, recording = FidelitySection(), load(name)
    assert len(recording.candidates) >= 60
    rule = replace(PromotionRule.of(chosen, recording.epochs, recording.images), warm_up=10**6)
    found = replay(recording, range(len(recording.candidates) - 1), rule, chosen.window)
    assert (found.recall, found.hypervolume) == (1.0, 1.0)
    assert found.ratio == pytest.approx(recording.epochs / (recording.epochs + rule.epochs))


# -- the program ------------------------------------------------------------------------------------------------

CONFIG = """
name = "short-first"
[model]
llm = "rules"
[data]
protocol = "smoke"
[budget]
trained = 6
max_params = 60_000
max_macs = 3_000_000
[search]
seed = 6
seed_backbone = "digits-small"
stages = [2, 1, 1]
[fidelity]
mode = "promote"
short_epochs = 1
confidence = 0.5
last_confidence = 0.88
warm_up = 2
window = 2
"""


def wait_until(condition):
    end = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.02)


def program(folder, *arguments):
    command = command_line(*arguments, "--db", folder / "fairnad.db")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment(), timeout=280)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def structured(tmp_path_factory):
    """A workspace with the ideas of two papers."""
    folder = tmp_path_factory.mktemp("structured")
    (folder / "c.toml").write_text(CONFIG)
    program(folder, "papers", "add", *sorted(SAMPLES.glob("*.md"))[:2])
    program(folder, "structure", "--llm", "rules", "--policy", "grounded")
    return folder


@pytest.fixture(scope="module")
def undisturbed(structured, tmp_path_factory):
    """One search with short schedules, run to its end with one worker."""
    folder = tmp_path_factory.mktemp("undisturbed") / "workspace"
    shutil.copytree(structured, folder)
    program(folder, "run", "--config", "c.toml", "--workers", 1)
    return folder


@pytest.mark.slow
@pytest.mark.xdist_group("fidelity")
def test_a_search_stops_dominated_candidates_and_says_what_it_spent(undisturbed):
    with Store(undisturbed / "fairnad.db") as store:
        candidates = store.runs.candidates("run-1")
        stopped = [c for c in candidates if c.status == "screened"]
        finished = [c for c in candidates if c.status == "trained"]
        assert stopped
        assert len(finished) > 1
        assert len(counted(candidates)) == 6
        assert all(c.accuracy is None for c in stopped)
        ids = {c.id for c in stopped}
        assert not ids & {c.id for c in pareto_front(candidates)}
        assert not ids & {c.parent_id for c in candidates}
        assert not ids & {one for g in store.runs.generations("run-1") for one in g.front}
        short = store.runs.evaluations("run-1", "screen")
        assert {e.fidelity for e in short} == {"short:1"}
        assert {e.candidate_id for e in short if e.message.startswith("stopped: ")} == ids
        assert {e.fidelity for e in store.runs.evaluations("run-1", "search")} == {"full"}
        assert store.runs.epochs_spent("run-1") == {"full": 2 * len(finished), "short:1": len(candidates)}
        looks = [e["payload"] for e in store.runs.events("run-1") if e["kind"].startswith("last-look")]
        again = {one for look in looks for one, _ in look}
        assert again
        assert looks[-1] == []
        assert again <= {c.id for c in finished}
        assert {e.candidate_id for e in short if e.message.startswith("promoted at the end: ")} == again
        assert store.runs.generations("run-1")[-1].front == tuple(c.id for c in pareto_front(candidates))
        slots = {(s.generation, s.slot): s.state for s in store.runs.slots("run-1")}
        assert all(slots[c.generation, c.slot] == "trained" for c in finished if c.generation)
        progress = store.runs.progress("run-1")
        assert (progress.trained, progress.screened) == (len(finished) - 1, len(stopped))
    program(undisturbed, "report", "run-1")
    report = (undisturbed / "fairnad-reports" / "run-1" / "report.md").read_text()
    assert f"Models trained: {len(finished) - 1} of 6, and {len(stopped)} stopped after a short schedule" in report
    assert f"{2 * len(finished)} at `full`, {len(candidates)} at `short:1`" in report
    facts = json.loads(program(undisturbed, "status", "--json"))["runs"][0]
    assert (facts["trained"], facts["screened"]) == (len(finished) - 1, len(stopped))


def in_its_generations(store):
    return len(store.runs.evaluations("run-1", "screen")) >= 3


def in_its_last_look(store):
    return any(e["kind"].startswith("last-look") for e in store.runs.events("run-1"))


def kill(folder, where):
    with Store(folder / "fairnad.db") as store:
        job = store.jobs.of_run("run-1")
        wait_until(lambda: where(store))
        os.killpg(os.getpgid(store.jobs.holder(job.id)[0].pid), signal.SIGKILL)
        wait_until(lambda: not store.jobs.is_held(job.id))
        assert store.runs.get("run-1").digest is None


@pytest.mark.slow
@pytest.mark.xdist_group("fidelity")
@pytest.mark.timeout(600)
def test_killed_between_short_and_full_it_ends_with_the_same_digest(structured, undisturbed, tmp_path):
    folder = tmp_path / "workspace"
    shutil.copytree(structured, folder)
    program(folder, "run", "--config", "c.toml", "--workers", 2, "--detach")
    kill(folder, in_its_generations)
    program(folder, "run", "--resume", "run-1", "--detach")
    kill(folder, in_its_last_look)
    program(folder, "run", "--resume", "run-1")
    with Store(folder / "fairnad.db") as here, Store(undisturbed / "fairnad.db") as there:
        assert here.runs.get("run-1").digest == there.runs.get("run-1").digest is not None
