"""Training protocols: what a score means. Each is a TOML file in ``templates/protocols`` (method, section 5)."""

from __future__ import annotations

import hashlib
import math
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fairnad_engine.errors import InputError
from fairnad_engine.resources import template_file


class Protocol(BaseModel):
    """How a backbone is trained and scored; SGD with cosine annealing to zero, the last epoch counts.

    Attributes:
        name: Short name that stands beside every number.
        epochs: Passes over the training split.
        batch_size: Images a step.
        learning_rate: Initial rate; epoch e uses ``lr / 2 (1 + cos(pi e / epochs))``.
        warmup_epochs: Linear ramp before it (0 in the paper's form).
        momentum: SGD momentum.
        nesterov: Nesterov's form.
        weight_decay: On all parameters.
        label_smoothing: Of the cross-entropy.
        flip: Probability of a horizontal flip.
        crop_padding: Pixels of zero padding before a random crop to the original size, or ``"1/8"``: an eighth of the
            image's side, which is the published 4 for 32x32 images and 2 for 16x16.
        clip_norm: Gradient-norm bound, or 0 for none.
        eval_batch_size: Images a step when scoring.
        eval_every: Epochs between validation scores; the last epoch is always scored.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.\-]{0,40}$")
    epochs: int = Field(ge=1, le=10_000)
    batch_size: int = Field(ge=2, le=65_536)
    learning_rate: float = Field(gt=0, le=100)
    warmup_epochs: int = Field(default=0, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = True
    weight_decay: float = Field(default=5e-4, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    flip: float = Field(default=0.0, ge=0, le=1)
    crop_padding: Annotated[int, Field(ge=0, le=32)] | Literal["1/8"] = 0
    clip_norm: float = Field(default=0.0, ge=0)
    eval_batch_size: int = Field(default=500, ge=2)
    eval_every: int = Field(default=1, ge=1)
    schedule: Literal["cosine"] = "cosine"

    def learning_rate_at(self, epoch: int) -> float:
        """Return the rate of epoch ``epoch`` (from 0)."""
        if epoch < self.warmup_epochs:
            return self.learning_rate * (epoch + 1) / self.warmup_epochs
        progress = (epoch - self.warmup_epochs) / (self.epochs - self.warmup_epochs)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))

    def padding_for(self, side: int) -> int:
        """Return the pixels of padding for images of ``side`` x ``side`` pixels."""
        return side // 8 if self.crop_padding == "1/8" else self.crop_padding

    @property
    def digest(self) -> str:
        """Hash of every setting; two scores compare only where it is the same."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


def protocol_names() -> list[str]:
    """Return the names of the protocols that ship with the program."""
    return sorted(path.stem for path in template_file("protocols").glob("*.toml"))


def load_protocol(name: str) -> Protocol:
    """Load a shipped protocol by name, or a user's own by path (``.toml``).

    Raises:
        InputError: There is no such protocol, or its file is not valid.
    """
    path = Path(name) if name.endswith(".toml") else template_file("protocols", f"{name}.toml")
    try:
        return Protocol.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        raise InputError(f"protocol {name!r} does not exist; choose one of: {', '.join(protocol_names())}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path}: not a readable TOML file: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path}: {first['loc'][0]}: {first['msg']}") from error
