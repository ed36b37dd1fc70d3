"""mIoU of semantic results: a confusion matrix that grows picture by picture."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
import numpy.typing as npt

from vis.errors import DataError

IGNORE = 255
"""Label of pixels that are not judged."""


@dataclass(frozen=True, slots=True)
class SemanticNumbers:
    """Numbers 0..1 over all pixels of a set; NaN where they divide by nothing."""

    numbers: dict[str, float]
    """`mIoU` and `mean_accuracy` over the classes that have them, and `pixel_accuracy`."""
    iou: npt.NDArray[np.float64]
    """`[K]` intersection over union; NaN of a class that neither truth nor results have."""
    accuracy: npt.NDArray[np.float64]
    """`[K]` share of the true pixels that are found; NaN of a class that the truth has not."""


class Confusion:
    """Counts of pixels by true and found class, of any number of pictures.

    Args:
        classes: number of classes; labels are 0 .. classes - 1.
        ignore: label of the truth that is not judged.
    """

    def __init__(self, classes: int, *, ignore: int = IGNORE) -> None:
        self.ignore = ignore
        self.pixels = np.zeros((classes, classes), np.int64)
        """`[K K]` by true class, then found class; those of parts of a set may be added."""

    def add(self, truth: npt.NDArray[np.integer], predicted: npt.NDArray[np.integer]) -> None:
        """Count the pixels of one picture, both `[H W]` of class indices.

        Raises:
            DataError: the sizes differ, or a label is of no class.
        """
        if truth.shape != predicted.shape:
            raise DataError(f"the truth is {_size(truth)} pixels but the result {_size(predicted)}")
        judged = truth != self.ignore
        true, guess = truth[judged].astype(np.int64), predicted[judged].astype(np.int64)
        classes = len(self.pixels)
        _check(true, classes, "truth")
        _check(guess, classes, "result")
        # one number for each pair of classes: one pass over the pixels counts them all
        counts = np.bincount(true * classes + guess, minlength=classes**2)
        self.pixels += counts.reshape(classes, classes)

    def numbers(self) -> SemanticNumbers:
        """The numbers of everything added so far (Strudel et al., Segmenter, 2021, section 4.1)."""
        right = np.diag(self.pixels)
        true, predicted = self.pixels.sum(axis=1), self.pixels.sum(axis=0)
        iou, accuracy = _ratios(right, true + predicted - right), _ratios(right, true)
        numbers = {
            "mIoU": _mean(iou),
            "mean_accuracy": _mean(accuracy),
            "pixel_accuracy": _mean(_ratios(right.sum(keepdims=True), true.sum(keepdims=True))),
        }
        return SemanticNumbers(numbers, iou, accuracy)


def _ratios(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    shares = np.full(len(part), nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares


def _mean(values: npt.NDArray[np.float64]) -> float:
    valid = values[~np.isnan(values)]
    return float(valid.mean()) if len(valid) else nan


def _check(labels: npt.NDArray[np.int64], classes: int, whose: str) -> None:
    wrong = labels[(labels < 0) | (labels >= classes)]
    if len(wrong):
        raise DataError(
            f"the {whose} has a pixel of class {wrong[0]}, but there are {classes} classes",
            remedy="Number them from 0, and mark what is not judged.",
        )


def _size(labels: npt.NDArray[np.integer]) -> str:
    return " x ".join(map(str, labels.shape))
