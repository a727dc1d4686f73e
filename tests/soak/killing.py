"""One search with kills at random moments, to its end; and what is to be true after it."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field

from fairnad_engine.processes import ProcessIdentity
from fairnad_engine.workspace import children_file
from tests.soak.committed import Committed, repeated
from tests.soak.moments import pass_time, pass_writes, writable_folders
from tests.soak.searches import JOB, RUN, App, Search
from tests.soak.victims import Victims, tree

PATIENCE = 200.0  # seconds until something must have happened on a busy machine
_ALWAYS_THERE = ("worker", "zygote", "app", "stop")
_FAVOUR = {"worker": 1, "stop": 1, "zygote": 1, "app": 2, "trainer": 8, "child": 8}  # the last two are seldom there
_WRITE_SECONDS = 1.0  # for which a write is waited for
WORKING = ("queued", "running", "paused", "stopping")


@dataclass
class Told:
    """What came of a search.

    Attributes:
        kills: By victim.
        moments: By moment: ``clock``, ``commit``, ``file``.
        lives: Workers that were started.
        failed: Lives that ended with an error, such as a jail that was killed twice.
        reasons: Those errors.
        wrong: Everything that should not be, in words.
        rows: Acknowledged rows at the end.
        resumed: Trainings that went on from a checkpoint.
    """

    kills: Counter[str] = field(default_factory=Counter)
    moments: Counter[str] = field(default_factory=Counter)
    lives: int = 0
    failed: int = 0
    reasons: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    rows: int = 0
    resumed: int = 0

    def line(self, name: str, seconds: float) -> str:
        """A summary."""
        kills = ", ".join(f"{n} {kind}" for kind, n in sorted(self.kills.items()))
        moments = ", ".join(f"{n} at {kind}" for kind, n in sorted(self.moments.items()))
        return (
            f"{name}: {self.kills.total()} kills ({kills}; {moments}), {self.lives} lives, {self.failed} failed,"
            f" {self.rows} rows kept, {self.resumed} trainings resumed from checkpoints, {len(self.wrong)} wrong,"
            f" {seconds:.0f} s"
        )


class Killing:
    """Kills processes of one search, as many of each kind as planned, until the search is done.

    Args:
        search: What has not been started yet.
        rng: Decides of every moment.
        plan: How many of each kind, and of ``stop`` requests; what is left of it is for the next search.
        longest: Seconds between two kills, at most.
        spread: Rows that are committed between two kills of what is always there, at most; see :meth:`_is_time_for`.
    """

    def __init__(self, search: Search, rng: random.Random, plan: Counter[str], *, longest: float, spread: int) -> None:
        self._search = search
        self._rng = rng
        self._plan = Counter(plan)
        self._longest = longest
        self._spread = spread
        self._victims = Victims(search)
        self._committed = Committed(search.store.path)
        self._rows_first = {kind: self._draw_rows(kind) for kind in _ALWAYS_THERE}
        self._in_flight: Counter[str] = Counter()
        self._app: App | None = None
        self._app_kills = 0
        self.told = Told()

    def run(self) -> Counter[str]:
        """Kill and resume until the search is done; the rest of the plan.

        Raises:
            AssertionError: The search does not go on.
        """
        self._launch()
        try:
            while self._plan.total() and self._goes_on():
                pass_time(self._rng, self._longest, self._victims.observe)
                self._one()
            end = time.monotonic() + PATIENCE
            while self._goes_on():
                assert time.monotonic() < end, self._search.told()
                time.sleep(0.05)
        finally:
            if self._app is not None:
                self._app.close()
        self._judge()
        return self._plan

    def _one(self) -> None:
        """Kill one of those that are there now, by chance; none where none is."""
        due = [kind for kind, left in self._plan.items() if left and self._is_time_for(kind)]
        there = {kind: self._victims.find("worker" if kind == "stop" else kind) for kind in due if kind != "app"}
        kinds = [kind for kind in due if kind == "app" or there[kind]]
        if not kinds:
            return
        kind = self._rng.choices(kinds, [self._plan[one] * _FAVOUR[one] for one in kinds])[0]
        if kind == "app":
            self._kill_app()
            return
        if kind == "stop":
            self._stop(there[kind][0])
            return
        victim = self._rng.choice(there[kind])
        stored = self._committed.look()
        moment = self._rng.choice(("clock", "commit", "file")) if kind in ("worker", "trainer") else "clock"
        if moment != "clock" and not self._at_a_write(moment):
            moment = "clock"
        if victim.is_alive():
            self._kill(kind, victim, moment, stored)

    def _is_time_for(self, kind: str) -> bool:
        """Whether the search has done enough since the last kill of a kind of which there is always one.

        Otherwise every worker would be killed while it starts, which takes longest, and nothing would come of any.
        """
        if kind not in _ALWAYS_THERE:
            return True
        self._committed.look()
        return self._committed.rows >= self._rows_first[kind]

    def _draw_rows(self, kind: str) -> int:
        """At how many rows the next of a kind is killed: one in four times at once, while the new one starts."""
        more = 0 if self._rng.random() < 0.25 else self._rng.randint(1, self._spread)
        return self._committed.rows + (more if kind != "app" else more // 10)

    def _at_a_write(self, moment: str) -> bool:
        path = self._search.store.path
        places = [path.with_name(path.name + "-wal")] if moment == "commit" else []
        return pass_writes(self._rng, places or writable_folders(path.with_name("fairnad-files")), _WRITE_SECONDS)

    def _kill(self, kind: str, victim: ProcessIdentity, moment: str, stored: set[str]) -> None:
        family = tree(victim.pid)
        noted = children_file(self._search.store.path, JOB).read_text() if kind == "trainer" else ""
        if not self._victims.kill(kind, victim):
            return
        begun = kind == "trainer" and self._victims.killed_training is not None
        if begun and victim not in {ProcessIdentity(**one) for one in json.loads(noted)}:
            self.told.wrong.append(f"trainer {victim.pid} is not written down")
        self._plan[kind] -= 1
        if kind in _ALWAYS_THERE:
            self._rows_first[kind] = self._draw_rows(kind)
        self.told.kills[kind] += 1
        self.told.moments[moment] += 1
        if kind == "trainer" and self._victims.killed_training is not None:
            self._in_flight[self._victims.killed_training] += 1
        if kind in ("worker", "zygote"):
            self._see_all_end(kind, family)
        if kind == "worker":  # its trainers have ended too: until then one may have begun what it was given before
            self._note_in_flight(stored)
        self._committed.look()

    def _note_in_flight(self, stored: set[str]) -> None:
        begun = {one["job"] for one in self._search.trainings() if one["what"] == "start"}
        self._in_flight.update(begun - stored)

    def _see_all_end(self, kind: str, family: list[ProcessIdentity]) -> None:
        """Nothing that a killed process has started outlives it."""
        end = time.monotonic() + PATIENCE / 10
        while left := [one.pid for one in family if one.is_alive()]:
            if time.monotonic() > end:
                self.told.wrong.append(f"{left} outlived the {kind}")
                return
            time.sleep(0.02)

    def _stop(self, worker: ProcessIdentity) -> None:
        """Have the run stopped, by request or by a signal in turn; all of it ends, and says so."""
        family = tree(worker.pid)
        number = (None, signal.SIGTERM, signal.SIGINT)[self.told.kills["stop"] % 3]
        if number is not None:
            os.kill(worker.pid, number)
        elif self._search.call("control", "stop").returncode != 0:  # it has ended meanwhile
            return
        self._see_all_end("stop", family)
        ended = self._search.store.jobs.get(JOB).state, self._search.store.jobs.holder(JOB)
        if ended == ("done", None):
            return
        if ended != ("stopped", None):
            self.told.wrong.append(f"after a stop: {ended}")
        self._plan["stop"] -= 1
        self.told.kills["stop"] += 1
        self.told.moments["clock"] += 1
        self._rows_first["stop"] = self._draw_rows("stop")
        self._note_in_flight(self._committed.look())

    def _kill_app(self) -> None:
        if self._app is None or not self._app.alive():  # it ends by itself when the worker dies
            if self._app is not None:
                self._app.close()
            self._app = App(self._search, screens=self._app_kills % 5 == 2)
            pass_time(self._rng, self._longest, self._victims.observe)
        if self._app.alive():
            self._committed.look()
            self._app.close()
            self._app = None
            self._app_kills += 1
            self._plan["app"] -= 1
            self._rows_first["app"] = self._draw_rows("app")
            self.told.kills["app"] += 1
            self.told.moments["clock"] += 1

    def _goes_on(self) -> bool:
        """Whether the search is not done; whoever finds its worker gone resumes it, as a user would."""
        state = self._search.state()
        if state == "done":
            return False
        if state in WORKING and self._search.worker() is not None:
            return True
        if self._search.state() == "done":
            return False
        if state == "failed":
            self.told.failed += 1
            self.told.reasons.append(self._search.store.jobs.get(JOB).message)
            self._note_in_flight(self._committed.look())
        self._launch()
        return True

    def _launch(self) -> None:
        self._victims.begin_life()
        self._search.launch()
        self.told.lives += 1

    def _judge(self) -> None:
        """Look for what is lost, damaged, done twice or left behind."""
        wrong = self.told.wrong
        self._committed.look()
        self.told.rows = self._committed.rows
        wrong += [f"lost: {row}"[:300] for row in self._committed.lost]
        wrong += [f"corrupt: {one}" for one in self._committed.corruption()]
        for name in self._committed.files():
            try:
                self._search.store.files.get(name)
            except Exception as error:
                wrong.append(f"{type(error).__name__}: {error}")
        trainings = self._search.trainings()
        wrong += [f"repeated: {one}" for one in repeated(trainings, self._in_flight)]
        self.told.resumed = sum(one["what"] == "start" and one["epochs"] > 0 for one in trainings)
        left = list((self._search.folder / "fairnad-files").glob(f"checkpoints/{RUN}/*"))
        wrong += [f"left behind: {one.name}" for one in left]
