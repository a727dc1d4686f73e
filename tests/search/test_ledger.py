"""The ledger closes: at every moment of every history, and it says so where something is missing."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairnad_engine.llm.protocol import ModelCall
from fairnad_engine.search.ledger import ELSEWHERE, Ledger, read_ledger
from fairnad_engine.store import Store

RUN = "run-1"
FROZEN = {
    "config": {"budget": {"trained": 50}},
    "environment": {},
    "template_version": 1,
    "model": "chat",
    "model_digest": "",
    "dataset_digest": "",
    "protocol_digest": "",
    "seed": 0,
}


class History:
    """Writes what a search writes, in its order, with random ends and costs; every write is a moment."""

    def __init__(self, store: Store, rng: random.Random) -> None:
        self.store, self.rng = store, rng
        self.trained = self.screened = 0
        self.tokens = 0
        store.runs.create("random", FROZEN)

    def moments(self):
        """Write on, and stop after each write."""
        self.candidate("seed", 0, 0, 0, 1)
        yield
        self.evaluation("seed", "search", "done", 0)
        yield
        for generation in range(1, self.rng.randrange(2, 4)):
            stages = [self.rng.choice((1, 2, 3)) for _ in range(self.rng.randrange(1, 6))]
            slots = [
                {"slot": n, "stage": stage, "kind": "idea", "main": None, "sub": None, "ideas": [], "parent_id": "seed"}
                for n, stage in enumerate(stages, start=1)
            ]
            self.store.runs.open_generation(RUN, generation, slots)
            yield
            units = [
                self.unit(generation, n, step, stage)
                for n, stage in enumerate(stages, 1)
                for step in (1, 2)[: 1 + (stage == 3)]
            ]
            while units:  # slots go on beside each other
                unit = self.rng.choice(units)
                if next(unit, "over") == "over":
                    units.remove(unit)
                yield
        if self.rng.random() < 0.3:
            self.store.calls.record("elsewhere", [self.call()], job_id="job-1", run_id=RUN)
            yield

    def unit(self, generation, slot, step, stage):
        for attempt in range(3):
            key = (RUN, generation, slot, step, attempt)
            idea = f"i{self.rng.randrange(3)}" if stage == 1 else None
            refused = self.rng.random() < 0.2
            derived = {"id": f"d{generation}{slot}"} if stage == 3 and not refused else None
            with self.store.transaction():
                calls = [self.call() for _ in range(self.rng.randrange(3))]
                self.store.calls.record("/".join(map(str, key)), calls, job_id="job-1", run_id=RUN)
                values = {"purpose": "idea", "idea_id": idea, "parent_id": "seed", "task_hash": "0", "message": ""}
                values |= {"design": None if refused else {"change": "c", "derived": derived}, "verdict": None}
                values |= {"failure": "malformed-reply" if refused else None, "design_seconds": self.rng.random()}
                self.store.runs.save_attempt(key, {**values, "source": "x"})
            yield
            if refused:
                continue
            failure = self.rng.choice((None, None, "build", "over-budget"))
            verdict = {"verdict": {"failure": failure}, "failure": failure, "verify_seconds": self.rng.random()}
            self.store.runs.save_attempt(key, verdict)
            yield
            if failure is None and self.rng.random() < 0.2:
                self.store.runs.save_attempt(key, {"failure": "duplicate", "message": "seen"})
                yield
                continue
            if failure is None:
                yield from self.training(generation, slot, step, stage, idea, derived)
                return

    def training(self, generation, slot, step, stage, idea, derived):
        name = f"g{generation}s{slot}.{step}"
        self.candidate(name, generation, stage, slot, step, idea, derived)
        yield
        self.store.runs.start_training(RUN, name)
        yield
        if self.rng.random() < 0.4:
            self.evaluation(name, "screen", "done", 0)
            yield
            stopped = self.rng.random() < 0.5
            self.store.runs.decide_screening(RUN, name, 0, promoted=not stopped, reason="")
            self.screened += stopped
            yield
            if stopped:
                return
        status = self.rng.choice(("done", "done", "diverged"))
        self.evaluation(name, "search", status, 0)
        self.trained += status == "done"
        yield
        if self.rng.random() < 0.2:
            self.evaluation(name, "finish", "done", 7)
            yield

    def candidate(self, name, generation, stage, slot, step, idea=None, derived=None):
        texts = dict.fromkeys(("change", "edit_type", "realised", "source", "graph", "weights", "kind"), "x")
        sizes = {"width": 1.0, "params": 10, "macs": 10, "exact_hash": name, "width_hash": name}
        place = {"position": 1000 * generation + 400 * step + slot, "generation": generation, "stage": stage}
        place |= {"slot": slot, "step": step, "parent_id": None, "idea_id": idea, "derived": derived}
        state = {"status": "verified", "failure": None, "accuracy": None}
        self.store.runs.save_candidate(RUN, name, texts | sizes | place | state)

    def evaluation(self, name, purpose, status, seed):
        values = {"purpose": purpose, "seed": seed, "protocol": "p", "protocol_digest": "", "status": status}
        values |= {"accuracy": 50.0, "weights": None, "message": "", "seconds": 10 * self.rng.random()}
        self.store.runs.save_evaluation(RUN, name, values, [])

    def call(self):
        read, written = self.rng.randrange(100), self.rng.randrange(100)
        self.tokens += read + written
        return ModelCall("idea", "chat", "h", read, written, self.rng.random(), "reply")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_it_closes_at_every_moment_of_a_random_history(seed, tmp_path_factory):
    with Store(tmp_path_factory.mktemp("ledger") / "w.db") as store:
        history = History(store, random.Random(seed))
        for _ in history.moments():
            ledger = read_ledger(store, RUN)
            assert ledger.closes, ledger.problems
            assert (ledger.trained, ledger.screened) == (history.trained, history.screened)
            assert ledger.cost.tokens == history.tokens
            for accounts in (ledger.by_stage(), ledger.by_idea(), ledger.by_outcome(), ledger.by_candidate()):
                assert sum(one.proposals for one in accounts) == ledger.proposed
                assert sum(one.trained for one in accounts) == ledger.trained
                assert sum(one.cost.seconds for one in accounts) == pytest.approx(ledger.cost.seconds)
                assert sum(one.cost.tokens for one in accounts) == ledger.cost.tokens


@pytest.fixture
def finished(tmp_path):
    with Store(tmp_path / "w.db") as store:
        rng = random.Random(5)
        history = History(store, rng)
        for _ in history.moments():
            pass
        assert history.trained >= 2
        yield store


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("DELETE FROM attempts WHERE rowid = (SELECT a.rowid FROM attempts a JOIN candidates c "
         "USING (run_id, generation, slot, step) WHERE a.failure IS NULL LIMIT 1)", "accounted for"),
        ("UPDATE evaluations SET candidate_id = 'gone' WHERE candidate_id = 'seed'", "training seconds"),
    ],
)  # fmt: skip
def test_a_lost_row_shows(finished, damage, told):
    assert read_ledger(finished, RUN).closes
    finished._db.execute("PRAGMA foreign_keys = OFF")
    finished._db.execute(damage)
    ledger = read_ledger(finished, RUN)
    assert not ledger.closes
    assert any(told in problem for problem in ledger.problems), ledger.problems


def test_what_failed_on_the_way_is_counted_to_the_backbone_of_its_step(tmp_path):
    with Store(tmp_path / "w.db") as store:
        history = History(store, SimpleNamespace(random=lambda: 0.5, randrange=lambda *_: 1, choice=lambda c: c[0]))
        history.candidate("seed", 0, 0, 0, 1)
        slot = {"slot": 1, "stage": 1, "kind": "idea", "main": None, "sub": None, "ideas": [], "parent_id": "seed"}
        store.runs.open_generation(RUN, 1, [slot])
        for attempt, failure in enumerate(("over-budget", None)):
            values = {"purpose": "idea", "idea_id": "i1", "parent_id": "seed", "task_hash": "0", "message": ""}
            values |= {"design": {"change": "c", "derived": None}, "verdict": {}, "failure": failure, "source": ""}
            values |= {"design_seconds": 2.0, "verify_seconds": 1.0}
            store.runs.save_attempt((RUN, 1, 1, 1, attempt), values)
            call = ModelCall("idea", "chat", "h", 100, 10, 2.0)
            store.calls.record(f"{RUN}/1/1/1/{attempt}", [call], job_id="job-1", run_id=RUN)
        history.candidate("g01-s01", 1, 1, 1, 1, "i1")
        history.evaluation("g01-s01", "search", "done", 0)
        store.calls.record("papers", [ModelCall("screen", "chat", "h", 1, 1, 1.0)], job_id="job-1", run_id=RUN)
        ledger: Ledger = read_ledger(store, RUN)
    assert (ledger.proposed, ledger.trained, ledger.rejected, ledger.pending) == (2, 1, {"over-budget": 1}, 0)
    by_candidate = {one.name: one for one in ledger.by_candidate()}
    assert by_candidate["g01-s01"].cost.seconds == 2 * (2.0 + 1.0) + 5.0
    assert by_candidate["g01-s01"].cost.tokens == 220
    by_outcome = {one.name: one.cost for one in ledger.by_outcome()}
    assert (by_outcome["over-budget"].seconds, by_outcome["over-budget"].tokens) == (3.0, 110)
    assert by_outcome[ELSEWHERE].tokens == 2
    assert {one.name: one.proposals for one in ledger.by_idea()} == {"i1": 2, "none": 0}
    assert {one.name: one.trained for one in ledger.by_stage()} == {"0": 0, "1": 1, ELSEWHERE: 0}
