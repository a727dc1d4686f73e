"""One step of SGD without a wait for the device: losses and counts stay there until an epoch ends.

On a GPU the forward and backward passes of full batches are recorded once as a CUDA graph and replayed; the ragged
last batch runs eagerly, and so does everything where the recording fails. ``torch.compile`` is not used: it costs
more per new architecture than a short training does.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from fairnad_engine.training.protocol import Protocol

Precision = Literal["fp32", "bf16"]
_WARM_UP = 3  # full batches before a recording: libraries choose their kernels and allocate in them
_log = logging.getLogger("fairnad.trainer")


class Normaliser:
    """Turns uint8 images (N, C, H, W) into float32 with a data set's mean and deviation, on one device."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], device: torch.device, channels_last: bool) -> None:
        self._mean = torch.tensor(mean, dtype=torch.float32, device=device)[:, None, None]
        self._std = torch.tensor(std, dtype=torch.float32, device=device)[:, None, None]
        # Plain order unless asked: a network may hold views that rely on it. With one channel both orders are the
        # same memory, and the strides that the augmentation left stay, because scores of digits depend on them.
        plain = torch.preserve_format if len(mean) == 1 and device.type == "cpu" else torch.contiguous_format
        self._format = torch.channels_last if channels_last else plain

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return the network's input."""
        return images.to(torch.float32, copy=True, memory_format=self._format).sub_(self._mean).div_(self._std)


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Matrix products and convolutions in bfloat16, or everything in float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


class Step:
    """Forward, loss, backward, clip, update; sums of loss and of correct answers on the device.

    Attributes:
        loss_sum: Sum of losses over images since :meth:`reset`, float64 scalar.
        correct: Images answered correctly since :meth:`reset`, int64 scalar.
    """

    def __init__(
        self,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        normalise: Normaliser,
        protocol: Protocol,
        device: torch.device,
        precision: Precision,
        record: bool,
    ) -> None:
        self._model = model
        self._optimiser = optimiser
        self._parameters = [p for group in optimiser.param_groups for p in group["params"]]
        self._normalise = normalise
        self._protocol = protocol
        self._device = device
        self._precision = precision
        self._recording = _Recording(self) if record and device.type == "cuda" else None
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=device)
        self.correct = torch.zeros((), dtype=torch.int64, device=device)

    def reset(self) -> None:
        """Begin an epoch."""
        self.loss_sum.zero_()
        self.correct.zero_()

    def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        """Learn from one batch: augmented uint8 images (N, C, H, W), labels (N,) int64, both on the device."""
        if self._recording is None or len(labels) != self._protocol.batch_size:
            self._optimiser.zero_grad(set_to_none=True)
            self.forward_backward(images, labels)
        else:
            try:
                self._recording.run(images, labels)
            except _RecordingFailedError as error:
                _log.warning("trains without CUDA graphs: %s", error)
                self._recording = None
                self(images, labels)
                return
        if self._protocol.clip_norm:
            nn.utils.clip_grad_norm_(self._parameters, self._protocol.clip_norm, foreach=True)
        self._optimiser.step()

    def forward_backward(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        """Leave gradients in the parameters and add to the sums."""
        with autocast(self._device, self._precision):
            logits = self._model(self._normalise(images))
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=self._protocol.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        self.loss_sum += loss.detach() * len(labels)
        self.correct += (logits.detach().argmax(1) == labels).sum()

    def clear_gradients(self) -> None:
        """Drop gradients, so that the next backward pass allocates its own."""
        self._optimiser.zero_grad(set_to_none=True)

    def gradients(self) -> list[torch.Tensor | None]:
        """The parameters' gradients as they are now."""
        return [p.grad for p in self._parameters]

    def restore_gradients(self, gradients: list[torch.Tensor | None]) -> None:
        """Point the parameters at gradients made earlier."""
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient


class _RecordingFailedError(Exception):
    """The passes of this network cannot be recorded."""


class _Recording:
    """The passes over one full batch as a CUDA graph; its first batches run eagerly, on the side."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._warm = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def run(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        if self._warm < _WARM_UP:
            self._warm += 1
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                self._step.clear_gradients()
                self._step.forward_backward(images, labels)
            torch.cuda.current_stream().wait_stream(side)
            return
        if self._graph is None:
            self._record(images, labels)
        assert self._graph is not None  # noqa: S101 - recorded above
        self._images.copy_(images)
        self._labels.copy_(labels)
        self._graph.replay()
        # A ragged batch may have put gradients of its own in the parameters; a replay writes these.
        self._step.restore_gradients(self._gradients)

    def _record(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        self._images, self._labels = images.clone(), labels.clone()
        self._step.clear_gradients()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._step.forward_backward(self._images, self._labels)
        except RuntimeError as error:
            self._step.clear_gradients()
            raise _RecordingFailedError(str(error).splitlines()[0]) from error
        self._graph, self._gradients = graph, self._step.gradients()
