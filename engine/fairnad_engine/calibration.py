"""The reference networks trained under a protocol: does this machine reach published accuracy, and at what cost?"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from fairnad_engine.artifacts import ArtifactFolder
from fairnad_engine.by_hand import Examination, Subject, examine, require_passed
from fairnad_engine.by_hand_training import Course, Epoch, train_alone
from fairnad_engine.machine import accelerators
from fairnad_engine.resources import template_file
from fairnad_engine.training.protocol import load_protocol

REFERENCES = ("nb201-resnet", "resnet32")
# Test accuracy of NAS-Bench-201's own ResNet in percent (arXiv:2001.00326); CIFAR-10 after training on all 50,000.
PUBLISHED = {"cifar10": 93.97, "cifar100": 70.86, "imagenet16-120": 43.63}
_QUICK_ON_CPU = ("digits",)
_HOUR = 3600.0


@dataclass(frozen=True)
class Calibration:
    """What one reference network came to.

    Attributes:
        name: The network.
        params: Parameters.
        macs: Multiply-accumulates for one image.
        accuracy: Percent on the validation split after the last epoch.
        epochs: Epochs that were trained.
        seconds_per_epoch: Median over them.
        candidate_seconds: What the whole protocol takes with such a network; extrapolated where not all was trained.
        published: Published test accuracy, where data set, protocol and epochs are the published ones.
    """

    name: str
    params: int
    macs: int
    accuracy: float
    epochs: int
    seconds_per_epoch: float
    candidate_seconds: float
    published: float | None

    def hours_for(self, candidates: int) -> float:
        """Hours that so many trainings of this cost take, one at a time."""
        return self.candidate_seconds * candidates / _HOUR

    def as_dict(self) -> dict[str, Any]:
        """Return the documented JSON form (``docs/cli.md``)."""
        difference = None if self.published is None else round(self.accuracy - self.published, 2)
        return {**vars(self), "difference": difference}


def epochs_here(course: Course, wanted: int | None) -> int:
    """Epochs to train: those asked for, all of them, or 1 where all would take days on this machine's CPU."""
    if wanted is not None:
        return min(wanted, course.protocol.epochs)
    quick = bool(accelerators()) or course.info.name in _QUICK_ON_CPU
    return course.protocol.epochs if quick else 1


def calibrate(
    course: Course,
    epochs: int,
    files: ArtifactFolder,
    on_epoch: Callable[[str, Epoch], None],
    *,
    accept_weak_jail: bool = False,
) -> Iterator[Calibration]:
    """Train each reference network and measure what it takes.

    Args:
        course: Data, protocol and seed.
        epochs: Epochs to train, the schedule compressed into them.
        files: Receives graphs and weights.
        on_epoch: Called with the network's name and each epoch's metrics.
        accept_weak_jail: Run although a layer of the jail is missing.

    Raises:
        RefusedError: A network does not fit the data's images.
        RunFailedError: A training gave no score.
    """
    subjects = [Subject(name, template_file("backbones", f"{name}.py").read_text("utf-8")) for name in REFERENCES]
    seen = examine(subjects, course.limits(), files, accept_weak_jail=accept_weak_jail, seed=course.seed)
    for one in seen:
        require_passed(one)
    for one in seen:
        yield _measure(one, course, epochs, files, on_epoch)


def _measure(
    one: Examination, course: Course, epochs: int, files: ArtifactFolder, on_epoch: Callable[[str, Epoch], None]
) -> Calibration:
    name = one.subject.label
    protocol = course.protocol
    shorter = protocol.model_copy(update={"epochs": epochs, "warmup_epochs": min(protocol.warmup_epochs, epochs - 1)})
    trained = train_alone(one, replace(course, protocol=shorter), files, lambda epoch: on_epoch(name, epoch))
    seconds = statistics.median(epoch["seconds"] for epoch in trained.epochs)
    return Calibration(
        name=name,
        params=one.params,
        macs=one.macs,
        accuracy=trained.accuracy,
        epochs=epochs,
        seconds_per_epoch=seconds,
        candidate_seconds=seconds * protocol.epochs,
        published=_published(name, course, epochs),
    )


def _published(name: str, course: Course, epochs: int) -> float | None:
    if name != REFERENCES[0] or epochs != course.protocol.epochs or course.info.name not in PUBLISHED:
        return None
    return PUBLISHED[course.info.name] if course.protocol == load_protocol("nasbench201") else None
