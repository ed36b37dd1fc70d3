"""`vis predict`: what a model detects in the videos of a data set, for a test server or later."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from vis.cli.arguments import Command
from vis.cli.console import say
from vis.cli.data_options import DataOptions  # noqa: TC001  its fields become options
from vis.errors import EXIT_OK
from vis.inference.options import ModelOptions  # noqa: TC001  its fields become options

if TYPE_CHECKING:
    from vis.evaluation.prediction_file import PredictionSummary


def predict(
    *,
    model: str | None = None,
    data: str,
    output: str,
    data_options: DataOptions,
    model_options: ModelOptions,
    batch: int = 1,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
) -> int:
    """Write what a model detects in all videos of a data set, as one YouTube-VIS results file.

    The truth is not needed: a split of YouTube-VIS or OVIS whose annotations are null or missing
    will do. The file has the ids of the split's videos and, by name, those of its categories; vis
    submit checks it and makes the zip that the server takes. At most 100 results of a video are
    written, down to very low scores, as AP counts them.

    Finished videos are kept in a hidden folder beside: .results.json.part. After Ctrl-C, a full
    disk or a kill, the same command with --resume goes on there; the file is the same as without
    the break. A file that is done with the same settings is left as it is. Started by torchrun,
    each process takes its videos; on several machines all must see the folder of the output.

    Args:
        model: A weight file, or the name of one; without it, the one that ships with vis.
        data: The split with its frames: folders of pictures, or video files of their names.
        output: The results file to write (JSON).
        data_options: What of the data set is meant.
        model_options: How the model sees the videos.
        batch: Windows that the model sees side by side.
        device: Where the model computes: auto, cpu, cuda, cuda:1.
        resume: Go on with what an unfinished run left, if there is one.
        overwrite: Replace the output if it is there, and what an unfinished run left.
    """
    from vis.evaluation.distributed import launched, own_device
    from vis.evaluation.prediction_file import predict_file

    with launched() as processes:
        summary = predict_file(
            model,
            data,
            output,
            frames=data_options.place(),
            videos=data_options.videos,
            key=data_options.key,
            renamed=data_options.renamed(),
            distributed=processes,
            device=own_device(device),
            batch=batch,
            resume=resume,
            overwrite=overwrite,
            progress=True,
            **asdict(model_options),
        )
    if processes.is_first:
        _report(summary, output)
    return EXIT_OK


def _report(summary: PredictionSummary, output: str) -> None:
    if summary.skipped:
        say(f"{output}: done before")
        return
    if summary.unknown:
        some = ", ".join(summary.unknown[:12]) + ", ..." * (len(summary.unknown) > 12)
        say(f"note: the model does not know {some}; --rename maps names")
    earlier = f", {summary.resumed} of them before" if summary.resumed else ""
    say(f"wrote {output}: {summary.videos} videos{earlier}")


COMMAND = Command(
    predict,
    """
    vis predict --model best.safetensors --data ytvis19/valid.json -o results.json
    vis predict --model best.safetensors --data ovis/annotations_valid.json -o ovis.json --resume
    vis predict --data valid.json -o results.json --rename two-wheeler=bicycle
    torchrun --nproc-per-node 8 -m vis predict --model best.safetensors --data valid.json -o r.json
    vis submit results.json --videos ytvis19/valid.json -o results.zip
    """,
)
