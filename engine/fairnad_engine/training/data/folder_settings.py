"""Settings of a user's own folder of images, as ``[data.imagefolder]`` gives them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ImageFolderSettings(BaseModel):
    """How ``imagefolder:PATH`` is read: one folder of images for each class.

    Attributes:
        size: Height and width: the shorter side is resized to it, then the centre is cut out.
        channels: 3 for colour, 1 for grey.
        classes: Folders that are classes; none named: every folder, in the order of their names.
        mean: Channel means on the scale 0 to 255; computed on the training split where not given.
        std: Channel standard deviations on the same scale.
        validation_share: Share of each class that selects.
        test_share: Share of each class that ``finish`` reads; not used with a test folder.
        test_folder: Folder with the same classes, all of it the test split.
        split_seed: Seed of the draw of the splits.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(default=32, ge=4, le=512)
    channels: Literal[1, 3] = 3
    classes: tuple[str, ...] = ()
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    validation_share: float = Field(default=0.2, gt=0, lt=0.9)
    test_share: float = Field(default=0.2, gt=0, lt=0.9)
    test_folder: str | None = None
    split_seed: int = Field(default=0, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _consistent(self) -> ImageFolderSettings:
        if (self.mean is None) != (self.std is None):
            raise ValueError("give both mean and std, or neither")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and len(values) != self.channels:
                raise ValueError(f"{name} needs {self.channels} numbers, one for each channel")
        if self.std is not None and min(self.std) < 1:
            raise ValueError("std is on the scale 0 to 255; multiply what is given for 0 to 1 by 255")
        if self.test_folder is None and self.validation_share + self.test_share > 0.9:
            raise ValueError("validation_share and test_share leave less than a tenth to train on")
        if len(self.classes) == 1 or len(set(self.classes)) != len(self.classes):
            raise ValueError("classes needs at least two different folders")
        return self
