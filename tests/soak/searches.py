"""A small search as users run it: a workspace, detached workers, and an app that looks on; trainings are simulated."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import time
from pathlib import Path

from fairnad_engine.llm.rules.blueprint import Block, Blueprint, Layer, Stage, Stem
from fairnad_engine.llm.rules.render import render
from fairnad_engine.processes import ProcessIdentity
from fairnad_engine.search.config import parse_config
from fairnad_engine.store import Store
from fairnad_engine.training.simulated import __name__ as TRAINER
from fairnad_engine.workspace import create_run, template_of
from tests.conftest import command_line, environment

RUN, JOB = "run-1", "job-1"
_PLAIN = Block(layers=(Layer(), Layer(act="none")))
_HALVING = Block(layers=(Layer(), Layer(act="none")), stride=2)
# Small, because each candidate is verified for real: twice exported, rebuilt, compared.
_SEED = Blueprint(name="tiny", stem=Stem(4), stages=(Stage(4, (_PLAIN,)), Stage(8, (_HALVING,))))
_PROTOCOL = """
name = "soak"
epochs = 20
batch_size = 64
learning_rate = 0.1
weight_decay = 5e-4
eval_batch_size = 400
"""


class Search:
    """A run in a folder of its own.

    Attributes:
        folder: Where everything of it lies.
        lanes: Proposals at a time.
        store: The workspace, for reading.
    """

    def __init__(self, folder: Path, *, seed: int, trained: int, search: dict | None = None, lanes: int = 2) -> None:
        folder.mkdir(parents=True)
        self.folder, self.lanes = folder, lanes
        (folder / "tiny.py").write_text(render(_SEED))
        (folder / "soak.toml").write_text(_PROTOCOL)
        self._log = folder / "trainings.jsonl"
        self.variables = environment(
            FAIRNAD_TRAINER_MODULE=TRAINER,
            FAIRNAD_SIMULATED_LOG=str(self._log),
            FAIRNAD_SIMULATED_SECONDS="0.2",
            FAIRNAD_CONFIG=str(folder / "config.toml"),
            TERM="xterm-256color",
        )
        settings = {
            "name": "soak",
            "model": {"llm": "rules", "lanes": lanes},
            "data": {"dataset": "digits", "protocol": str(folder / "soak.toml")},
            "budget": {"trained": trained, "max_params": 60_000, "max_macs": 3_000_000},
            "search": {"seed": seed, "seed_backbone": str(folder / "tiny.py"), "stages": [2, 2, 1], **(search or {})},
            "machine": {"workers": 2, "checkpoint_seconds": 0},
        }
        self.store = Store(folder / "fairnad.db")
        template, _ = template_of(self.store)
        ideas = [(sub.id, sub.name, f"Use {sub.id}.") for sub in template.subs]
        self.store.ideas.add_imported(template, ideas, approve=True)
        before = os.environ.get("FAIRNAD_TRAINER_MODULE")
        os.environ["FAIRNAD_TRAINER_MODULE"] = TRAINER
        try:
            create_run(self.store, parse_config(settings, "soak"))
        finally:
            os.environ.pop("FAIRNAD_TRAINER_MODULE")
            if before is not None:
                os.environ["FAIRNAD_TRAINER_MODULE"] = before

    def call(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run a command of the program in the folder."""
        return subprocess.run(
            command_line(*arguments),
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=280,
        )

    def launch(self) -> None:
        """Start or resume the search in the background."""
        done = self.call("run", "--resume", RUN, "--detach")
        assert done.returncode == 0, done.stderr

    def state(self) -> str:
        """Of the job; ``dead`` where its worker is gone."""
        return self.store.jobs.living_state(self.store.jobs.get(JOB))

    def worker(self) -> ProcessIdentity | None:
        """The living worker."""
        holder = self.store.jobs.holder(JOB)
        return holder[0] if holder and holder[0].is_alive() else None

    def digest(self) -> str:
        """Of the finished run."""
        return self.store.runs.get(RUN).digest or ""

    def trainings(self) -> list[dict]:
        """What the trainers wrote down, in a file that the store knows nothing of."""
        if not self._log.exists():
            return []
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def told(self) -> str:
        """The last lines of the worker's log, for messages."""
        log = self.folder / "fairnad-files" / "jobs" / JOB / "log.txt"
        return "\n".join(log.read_text(errors="replace").splitlines()[-30:]) if log.exists() else ""

    def finish(self, seconds: float = 240.0) -> None:
        """Run to the end undisturbed."""
        self.launch()
        end = time.monotonic() + seconds
        while self.state() != "done":
            assert time.monotonic() < end, f"{self.state()}: {self.told()}"
            assert self.state() in ("queued", "running"), self.told()
            time.sleep(0.1)


class App:
    """Somebody who looks on: the command ``attach``, or the screens in a terminal of their own."""

    def __init__(self, search: Search, *, screens: bool) -> None:
        self.kind = "screens" if screens else "attach"
        self._main = -1
        if screens:
            self._main, theirs = pty.openpty()
            os.set_blocking(self._main, False)
            ends = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        else:
            ends = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        arguments = () if screens else ("attach", RUN)
        self.process = subprocess.Popen(
            command_line(*arguments), cwd=search.folder, env=search.variables, start_new_session=True, **ends
        )
        if screens:
            os.close(theirs)

    def alive(self) -> bool:
        """Whether it runs; takes what it has printed, which would otherwise hold it up."""
        try:
            while self._main >= 0 and os.read(self._main, 1 << 16):
                pass
        except OSError:
            pass  # nothing more now
        return self.process.poll() is None

    def close(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self._main >= 0:
            os.close(self._main)
            self._main = -1
