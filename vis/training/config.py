"""What a run is made by: typed settings with their defaults; nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

# jsonargparse reads the annotations, and checks ranges where it knows the path
from vis.datasets.ranges import (  # noqa: TC001
    Amount,
    ClosedUnitInterval,
    NonNegativeInt,
    PositiveInt,
)
from vis.errors import UsageError
from vis.training.schedules import Schedule

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """How parameters change; the defaults are VisTR's."""

    RENAMED: ClassVar[Mapping[str, str]] = {
        "rate": "lr",
        "backbone_rate": "backbone_lr",
        "rates": "lr_factors",
        "decay": "weight_decay",
        "clip": "max_grad_norm",
    }

    kind: Literal["adamw", "sgd"] = "adamw"
    lr: Amount = 1e-4
    """Learning rate before the schedule."""
    backbone_lr: Amount = 1e-5
    """The backbone's; at 0 it stays as it is."""
    lr_factors: dict[str, Amount] = field(default_factory=dict)
    """Dotted words of a parameter's name, with `*` for any letters: factor of its learning rate,
    such as `sampling_offsets: 0.1`. Where several fit, all count; what fits nothing is refused."""
    weight_decay: Amount = 1e-4
    """Decoupled from the gradient in adamw, a part of it in sgd."""
    decay_factors: dict[str, Amount] = field(default_factory=dict)
    """Words of names as in `lr_factors`: factor of the weight decay."""
    decay_norms: bool = True
    """Whether scales, shifts and biases decay too."""
    decay_biases: bool | None = None
    """Whether biases decay that are no norm's; none for as `decay_norms` says."""
    decay_embeddings: bool = True
    """Whether learned queries, levels and tables of relative positions decay too."""
    momentum: Amount = 0.9
    """Of sgd."""
    nesterov: bool = False
    """Whether sgd looks ahead along its momentum."""
    max_grad_norm: Amount = 0.1
    """The gradient's norm is brought down to it; 0 for never."""
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        """Refuse what no optimiser takes together."""
        if self.nesterov and (self.kind != "sgd" or not self.momentum):
            raise UsageError("optimisation.nesterov needs kind sgd and a momentum")


@dataclass(frozen=True, kw_only=True)
class Training:
    """The course of a run."""

    RENAMED: ClassVar[Mapping[str, str]] = {
        "accumulate": "grad_accum_steps",
        "recompute": "activation_checkpointing",
        "average": "ema_decay",
    }

    steps: PositiveInt = 1000
    """Changes of the parameters."""
    batch: PositiveInt = 1
    """Clips that one process looks at at once."""
    grad_accum_steps: PositiveInt = 1
    """Batches whose gradients make one step."""
    precision: Literal["fp32", "tf32", "bf16", "fp16"] = "fp32"
    """Of what `forward` computes; parameters and losses stay fp32. In tf32, what a GPU's matrix
    products read is rounded to 10 bits."""
    compile: bool = False
    """Compile the model at the first step, which takes minutes; faster on a GPU, where clips have
    few sizes."""
    parallel: Literal["ddp", "fsdp"] = "ddp"
    """Of several processes: each holds everything (`ddp`), or its share of parameters, average and
    optimiser (`fsdp`), which needs less memory. Checkpoints of either go on as either."""
    activation_checkpointing: bool = False
    """Compute layers again on the way back instead of keeping them: less memory, slower."""
    ema_decay: ClosedUnitInterval = 0.0
    """Decay of a moving average of the parameters, such as 0.999; 0 for none."""
    ema_warmup: NonNegativeInt = 0
    """Steps in which it rises: in step n it is `ema_decay` times 1 - exp(-n / ema_warmup)."""
    non_finite: Literal["stop", "skip"] = "stop"
    """At a loss or gradient that is not finite: stop, or leave the step out."""
    on_oom: Literal["stop", "microbatch"] = "stop"
    """Where the memory is used up: stop, or look at half as many clips at once from then on. The
    step is repeated, and its gradient stays the mean over all its clips. One process only."""
    seed: NonNegativeInt = 42
    """All randomness is a function of it, the step and the process."""
    workers: NonNegativeInt = 2
    """Processes that prepare clips, for each training process."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:1`."""
    save_every: PositiveInt = 500
    """Steps from one checkpoint to the next."""
    keep: PositiveInt = 3
    """Checkpoints that stay; the best by `evaluation.best`, else of the lowest loss, stays too."""
    evaluate_every: NonNegativeInt = 0
    """Steps from one evaluation to the next, each with a checkpoint; 0 for none."""
    log_every: PositiveInt = 10
    """Steps from one line of the log to the next."""
    tensorboard: bool = False
    """Write the log for TensorBoard too, and what the model sees at every checkpoint."""

    def __post_init__(self) -> None:
        """Refuse what no run can have together."""
        if self.ema_decay == 1:
            raise UsageError("training.ema_decay is 1, so the average would never move")
        if self.parallel == "fsdp" and self.precision == "fp16":
            raise UsageError(
                "training.parallel fsdp does not scale the losses of fp16", remedy="Take bf16."
            )


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What is asked of the model every `training.evaluate_every` steps."""

    data: str | None = None
    """A data set with truth: an annotation file, or a folder, as in `data.sources`."""
    frames: str | None = None
    """The folder that its file names are relative to, where it is not found by itself."""
    frames_prefix: dict[str, str] = field(default_factory=dict)
    """What its file names begin with: what stands for it, as `s3://bucket/: ""`."""
    key: str = "name"
    """Which entry of a category names its class."""
    renamed: dict[str, str] = field(default_factory=dict)
    """What the data set calls it: what the class is called."""
    videos: PositiveInt | tuple[str, ...] | None = None
    """How many videos are looked at, spread evenly, or the names of those; none for all."""
    metrics: tuple[Literal["ap", "identity", "jf", "miou"], ...] = ("ap",)
    """What is measured; AP always is."""
    best: str = "AP"
    """The number that tells the best checkpoint; more is better."""
    window: PositiveInt | None = None
    """Frames that the model sees at once; none for as many as it can."""
    stride: PositiveInt | None = None
    """Frames from the start of one window to that of the next; none for three quarters of it."""
    size: PositiveInt | None = None
    """Pixels of the short side that the model sees; none for 360."""
    batch: PositiveInt = 1
    """Windows that the model sees side by side."""
