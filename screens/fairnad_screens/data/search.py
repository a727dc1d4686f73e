"""What the live desk shows: one immutable snapshot of a run, live or as it stood after a generation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairnad_engine.search.control_row import ControlFacts
from fairnad_engine.store.jobs import AT_WORK
from fairnad_engine.store.live import CandidateLine
from fairnad_engine.store.records import TurnCounts

if TYPE_CHECKING:
    from fairnad_engine.search.costs import Figure

STAGES = {1: "I ideas", 2: "II Pareto", 3: "III chains"}
NO_TURNS = TurnCounts()
# A run in one of these states has, or claims to have, a worker.
CLAIMS_WORK = (*AT_WORK, "queued")


@dataclass(frozen=True)
class Worker:
    """The process that holds the lease of a run's job; ``heartbeat`` in seconds since the epoch."""

    host: str
    pid: int
    heartbeat: float
    age: float


@dataclass(frozen=True)
class RunHead:
    """A run and the state of its search, or of its finish while that is worked on.

    Attributes:
        job: The one that ``state``, ``message``, ``worker`` and ``held`` are of.
        trained: Models trained, the seed not among them.
        screened: Models stopped after a short training.
        counted: Models as the budget counts them: both, or of a chain only the last one.
        remedy: What mends the fault that ended it; empty where that is not known.
    """

    id: str
    name: str
    model: str
    job: str
    state: str
    message: str
    worker: Worker | None
    held: bool
    trained: int
    budget: int
    best: float | None
    screened: int = 0
    counted: int = 0
    remedy: str = ""


@dataclass(frozen=True)
class Screening:
    """Short training first: its epochs, models that went on to full training, and that were stopped after it."""

    epochs: int
    promoted: int
    stopped: int


@dataclass(frozen=True)
class StageStrip:
    """The slots of one stage of a generation, by state."""

    stage: int
    states: tuple[str, ...]


@dataclass(frozen=True)
class Tokens:
    """What the language model was asked for; ``rate`` in tokens a second over the last minute."""

    calls: int
    prompt: int
    completion: int
    rate: float


@dataclass(frozen=True)
class Category:
    """A category, or an idea below a sub-category.

    Attributes:
        id: Its id; of an idea with its sub-category before it.
        name: Its name.
        turns: What fairness compares of it: turns, or trained models; of an idea its turns.
        active: Whether it has approved ideas; without any it is idle.
        subs: The sub-categories of a main category; of a sub-category the ideas that had a turn or were tried.
        outcome: What its turns became.
    """

    id: str
    name: str
    turns: int
    active: bool
    subs: tuple[Category, ...] = ()
    outcome: TurnCounts = NO_TURNS


@dataclass(frozen=True)
class Counts:
    """Idea sampling.

    Attributes:
        mains: Main categories in the template's order.
        difference: Between the most and the least turned main category; None where it is not known.
        unit: What is kept equal: ``turn``, or ``trained`` models.
    """

    mains: tuple[Category, ...]
    difference: int | None
    unit: str = "turn"


@dataclass(frozen=True)
class Outlay:
    """What proposals that ended alike took: seconds summed over processes, tokens read and written."""

    name: str
    proposals: int
    seconds: float
    tokens: int


@dataclass(frozen=True)
class Spending:
    """The ledger of a run as it stands now, and what is still to come.

    Attributes:
        outlays: By what came of a proposal, the dearest first.
        total: All of it.
        pending: Proposals that nothing has come of yet.
        hours: Hours of work at which the run ends; 0 for no such end.
        tokens: Tokens at which it ends; 0 for no such end.
        left: Hours the run still takes; None where nothing is known, or nothing is left.
        bottleneck: ``model`` or ``training``.
        lanes: Proposals at a time.
        lanes_enough: The fewest lanes with which training is not kept waiting.
    """

    outlays: tuple[Outlay, ...]
    total: Outlay
    pending: int
    hours: float
    tokens: int
    left: Figure | None
    bottleneck: str | None
    lanes: int
    lanes_enough: int | None


@dataclass(frozen=True)
class GenerationLine:
    """How a generation ended."""

    number: int
    trained: int
    best: float | None
    hypervolume: float


@dataclass(frozen=True)
class Front:
    """Trained candidates and the front among them.

    Attributes:
        points: Every trained candidate.
        front: Ids on the front of accuracy, parameters and MACs, best accuracy first.
        fresh: Those of them that were not on it a generation before.
        trails: Fronts of up to three generations before, the oldest first.
    """

    points: tuple[CandidateLine, ...] = ()
    front: tuple[str, ...] = ()
    fresh: frozenset[str] = frozenset()
    trails: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Failures:
    """Proposals, and classes of failure of proposals and of trainings with their number, most first."""

    proposals: int
    rejected: tuple[tuple[str, int], ...]
    trainings: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class SearchSnapshot:
    """Everything the desk shows.

    Attributes:
        runs: (id, name) of every run.
        head: The run that is shown; None in a workspace without one.
        generation: The generation the strips belong to; 0 before the first.
        opened: The last generation that has begun.
        closed: The last generation that ended.
        as_of: The generation that is shown, or None where the desk follows the run.
        screening: What short trainings decided; None where every model is trained in full.
        control: The seed, only scaled up to the budget's edge, as far as it is trained.
        spending: What it took and still takes, which the screen adds; None before that, or where it cannot be read.
    """

    runs: tuple[tuple[str, str], ...]
    head: RunHead | None = None
    generation: int = 0
    opened: int = 0
    closed: int = 0
    as_of: int | None = None
    strips: tuple[StageStrip, ...] = ()
    screening: Screening | None = None
    activity: tuple[tuple[str, str], ...] = ()
    tokens: Tokens = Tokens(0, 0, 0, 0.0)
    counts: Counts = Counts((), None)
    generations: tuple[GenerationLine, ...] = ()
    candidates: tuple[CandidateLine, ...] = ()
    ideas: Mapping[str, str] | None = None
    front: Front = Front()
    failures: Failures = Failures(0, (), ())
    log: tuple[str, ...] = ()
    control: ControlFacts | None = None
    spending: Spending | None = None
