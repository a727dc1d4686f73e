"""A run's curves as TensorBoard event files, written from what is stored; TensorBoard is an extra.

The run's own curves lie in ``DIR/RUN``, over models trained: best validation accuracy, hypervolume, size of the front.
Each training of the search lies in ``DIR/RUN/MODEL``, over epochs. Test scores are in none. Writing again replaces what
was written before, so that a run which goes on can be written as often as one likes.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairnad_engine.errors import InputError
from fairnad_engine.search.control_row import CONTROL
from fairnad_engine.store import Store

if TYPE_CHECKING:
    from fairnad_engine.store.records import Row

_EVENTS = "events.out.tfevents.*"
_EPOCH = {
    "epoch/train loss": "train_loss",
    "epoch/train accuracy": "train_accuracy",
    "epoch/validation accuracy": "validation_accuracy",
    "epoch/learning rate": "learning_rate",
}
Scalar = tuple[str, float, int, float]  # tag, value, step, seconds since 1970


def write_tensorboard(store: Store, run_id: str, folder: Path) -> Path:
    """Write ``folder/RUN`` and return it.

    Raises:
        InputError: TensorBoard is not installed, there is no such run, or the folder cannot be written.
    """
    try:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError as error:
        raise InputError(
            "TensorBoard is not installed; install it with: pip install 'fairnad-tui[tensorboard]'"
        ) from error
    run = store.runs.get(run_id)
    target = folder / (f"{run.id}-SIMULATED" if "trainer" in run.environment else run.id)
    with store.snapshot():  # a run that goes on would add models between two reads
        curves = [
            (target, _of_run(store, run_id)),
            *((target / name, rows) for name, rows in _of_models(store, run_id)),
        ]
    try:
        for place, scalars in curves:
            place.mkdir(parents=True, exist_ok=True)
            for old in place.glob(_EVENTS):
                old.unlink()
            writer = EventFileWriter(str(place))
            for scalar in scalars:
                writer.add_event(_event(*scalar))
            writer.close()
    except OSError as error:
        raise InputError(f"{error.filename or target}: {error.strerror}; name another folder to write to") from error
    return target


def _event(tag: str, value: float, step: int, at: float) -> Any:  # noqa: ANN401 - a message of the extra
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Event(wall_time=at, step=step, summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)]))


def _of_run(store: Store, run_id: str) -> list[Scalar]:
    scalars: list[Scalar] = []
    trained = 0
    for one in store.runs.generations(run_id):
        if one.state != "done" or one.ended_at is None:
            continue
        trained += one.trained
        values = {
            "search/best validation accuracy": one.best_accuracy,
            "search/hypervolume": one.hypervolume,
            "search/models on the front": len(one.front),
            "search/generation": one.number,
        }
        at = _seconds(one.ended_at)
        scalars += [(tag, float(value), trained, at) for tag, value in values.items() if value is not None]
    return scalars


def _of_models(store: Store, run_id: str) -> Iterable[tuple[str, list[Scalar]]]:
    """The search's training of each model, and the first one of the control."""
    ended = {one.candidate_id: one for one in store.runs.evaluations(run_id, "search")}
    for control in store.runs.evaluations(run_id, CONTROL)[:1]:
        ended[control.candidate_id] = control
    for name, training in ended.items():
        epochs = [
            epoch
            for epoch in store.runs.epochs(run_id, name, training.purpose)
            if training.purpose == "search" or epoch["seed"] == training.seed
        ]
        if epochs:
            yield name, _of_epochs(epochs, _seconds(training.at))


def _of_epochs(epochs: list[Row], end: float) -> list[Scalar]:
    """Curves over epochs; each epoch's time is counted back from the training's end."""
    scalars: list[Scalar] = []
    left = sum(float(epoch["seconds"] or 0.0) for epoch in epochs)
    for epoch in epochs:
        left -= float(epoch["seconds"] or 0.0)
        scalars += [
            (tag, float(epoch[name]), int(epoch["epoch"]), end - left)
            for tag, name in _EPOCH.items()
            if epoch[name] is not None
        ]
    return scalars


def _seconds(at: str) -> float:
    return datetime.datetime.fromisoformat(at).timestamp()
