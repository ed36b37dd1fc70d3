"""`vis weights`: get and convert published weights, start from them, tell what a file holds."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Literal

from vis.cli.arguments import Command, Group
from vis.cli.weights_text import every, origin, pairs, parts, start_with, types
from vis.errors import EXIT_OK, DataError, InputError, UsageError, printable

MAX_NAMES = 1_000_000
"""Bytes of a file of class names."""


def convert(
    names: list[str],
    /,
    *,
    to: Literal["vis", "transformers"] = "vis",
    frames: int | None = None,
    slots: int | None = None,
    heads: int | None = None,
    backbone: str | None = None,
    classes: str | None = None,
    overwrite: bool = False,
) -> int:
    """Convert a published checkpoint into a file that vis loads, or starts models from.

    The source is a file (.pth, .pkl, safetensors, TensorFlow's .pb or .tar.gz), a folder as
    transformers saves it, or hf:OWNER/NAME[@REVISION][:FILE] of the hub. With --to transformers, a
    DETR that vis loads becomes such a folder. Nothing in the source is executed. Every name in it
    is mapped, or dropped for a stated reason, and every parameter of the model is filled; or
    nothing is written.

    Args:
        names: [FAMILY] SOURCE DESTINATION. The family, such as detr or vistr, is told by the names
            of the tensors where it is left out.
        to: What is written: a file of vis, or a folder of transformers.
        frames: Frames of a clip that the model was trained with, if not as published (VisTR 36).
        slots: Instances of a clip that the model was trained with, if not as published (VisTR 10).
        heads: Attention heads, if not 8.
        backbone: Name of the backbone, where shapes do not tell it (dilated ones).
        classes: A text file with one class name a line, if the classes are not the published ones.
        overwrite: Replace the destination if it is there.
    """
    import vis.weights

    family, source, destination = _divided(names)
    if to == "transformers":
        vis.weights.export(vis.weights.load(source), destination, overwrite=overwrite)
        _say(f"wrote {destination}")
        return EXIT_OK
    stated = {"frames": frames, "instance_queries": slots, "num_heads": heads, "backbone": backbone}
    metadata, dropped = vis.weights.convert(
        family,
        source,
        destination,
        class_names=None if classes is None else _lines(Path(classes)),
        overwrite=overwrite,
        **{name: value for name, value in stated.items() if value is not None},
    )
    count = f"{len(metadata.classes)} classes, " if metadata.classes else ""
    _say(f"{destination}: {metadata.model}, {count}{pairs(metadata.settings)}")
    if not metadata.classes:
        _say(start_with(metadata.settings, destination))
    for line in origin(metadata):
        _say(line)
    for name, reason in dropped:
        _say(f"dropped {name}: {reason}")
    return EXIT_OK


def _divided(names: list[str]) -> tuple[str | None, str, str]:
    """Family, where it is stated, source and destination."""
    from vis.weights.converters import names as families

    lacking = len(names) == 2 and names[0] in families() and not Path(names[0]).exists()
    if lacking or not 2 <= len(names) <= 3:
        what = "give a source and a destination, perhaps after the family"
        raise UsageError(what, remedy="See vis weights convert --help.")
    return names[0] if len(names) == 3 else None, names[-2], names[-1]


def get(
    name: str,
    /,
    *,
    yes: bool = False,
    file: str | None = None,
    sha256: str | None = None,
    unverified: bool = False,
    offline: bool = False,
) -> int:
    """Fetch a published model, check it, convert it and keep it under its name.

    `vis models` lists the names. The licence is shown and must be accepted. Over https alone; a
    download that broke goes on where it was. Nothing in the file is executed. Afterwards
    vis track --model NAME and vis.load("NAME") find it, in $VIS_HOME or the user's cache folder.

    Args:
        name: Of a published model; or hf:OWNER/NAME[@REVISION][:FILE] of the hub, which goes into
            the hub's own cache and brings its licence with it.
        yes: Accept the licence without being asked.
        file: The published file, if it is here already, as from a page for browsers.
        sha256: Of the published file, if you know it.
        unverified: Take a file whose hash nobody states; it is written down, and checked from then
            on.
        offline: Fetch nothing.
    """
    from vis.weights import get as get_model
    from vis.weights.catalogue import entry
    from vis.weights.get import place_of
    from vis.weights.hub import fetch
    from vis.weights.hub_id import hub_id, is_hub_id

    if is_hub_id(name):
        fetched = fetch(hub_id(name))
        _say(f"{name} is in {fetched.path}")
        for key, value in fetched.origin.items():
            _say(f"{key:<9} {value}")
        return EXIT_OK
    model = entry(name)
    if not place_of(model).is_file():
        _say(f"{name}: {model.what}")
        _say(f"trained on {model.data}; {model.score}; {model.size / 1e6:.0f} MB")
        _say(f"licence: {model.licence}. {model.terms}")
        yes = yes or _agreed()
    path = get_model(
        name,
        accepted=yes,
        file=file,
        sha256=sha256,
        unverified=unverified,
        offline=offline,
        progress=True,
    )
    _say(f"{name} is in {path}")
    return EXIT_OK


def inspect(file: str, /, *, tensors: bool = False) -> int:
    """Tell the format, the model and the tensors of a weight file.

    Any weight file is read, published ones too, and nothing in it is executed.

    Args:
        file: The weight file, a folder of transformers, or hf:OWNER/NAME of the hub.
        tensors: List every tensor with its type and shape.
    """
    import vis.weights

    summary = vis.weights.inspect(file)
    _say(f"{file}: {summary.format}, {len(summary.tensors)} tensors, {summary.numbers:,} numbers")
    _say(f"types     {types(summary)}")
    if summary.model_metadata is not None:
        _say(f"model     {summary.model_metadata.model}")
        _say(f"settings  {pairs(summary.model_metadata.settings)}")
        if summary.model_metadata.classes:
            names = ", ".join(name for name in summary.model_metadata.classes if name)
            _say(f"classes   {len(summary.model_metadata.classes)}: {names}")
        else:
            _say(start_with(summary.model_metadata.settings, file))
        for line in origin(summary.model_metadata):
            _say(line)
    if summary.family is not None:
        order = f"vis weights convert {summary.family} {file} OUT.safetensors"
        _say(f"family    {summary.family}: {order}")
    for name, text in summary.metadata.items():
        _say(f"states    {name} = {text}")
    for line in every(summary) if tensors else parts(summary):
        _say(line)
    return EXIT_OK


def init(
    model: str,
    source: str,
    destination: str,
    /,
    *,
    classes: str,
    settings: list[str] | None = None,
    download: bool = False,
    overwrite: bool = False,
) -> int:
    """Write a fresh model that starts from the weights of another.

    DETR and VisTR give their transformer, mask branch and, where it is the same, backbone; DETR's
    last convolution becomes the deformable one; classes and queries stay fresh. What was taken,
    what was left and why is printed.

    Args:
        model: The model to make: tt_srn, vistr or detr.
        source: Our file or a published one, or "imagenet" for the backbone's published weights.
        destination: The file to write.
        classes: A text file with one class name a line: the data set's classes.
        settings: Of the model, such as d_model=384 frames=12 backbone=resnet50; the rest is as it
            comes. Published DETR has width 256, VisTR 384.
        download: Fetch "imagenet" weights if they are not there; else nothing is fetched.
        overwrite: Replace the destination if it is there.
    """
    from vis import models, weights

    names = tuple(_lines(Path(classes)))
    fresh = models.build(model, classes=len(names), **dict(map(_setting, settings or [])))
    fresh.class_names = names
    report = weights.initialise(fresh, source, download=download)
    weights.save_model(destination, fresh, overwrite=overwrite)
    for line in str(report).splitlines():
        _say(line)
    _say(f"wrote {destination}")
    return EXIT_OK


def _agreed() -> bool:
    """Whether the person at the terminal accepts."""
    if not sys.stdin.isatty():
        raise UsageError(
            "nobody is at the terminal to accept the licence",
            done="Nothing was fetched.",
            remedy="Add --yes if you accept it.",
        )
    sys.stdout.write("Do you accept it? [y/N] ")
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("the licence was not accepted", done="Nothing was fetched.")
    return True


def _lines(path: Path) -> list[str]:
    """The names in a text file; an empty line is an index that names nothing."""
    try:
        if path.stat().st_size > MAX_NAMES:
            raise DataError(f"more than {MAX_NAMES} bytes of class names", where=str(path))
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise DataError("the class names are not UTF-8 text", where=str(path)) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from None
    return [line.strip() for line in lines]


def _setting(text: str) -> tuple[str, Any]:
    """`d_model=384`; a value that is no JSON is a word."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{text!r} is not NAME=VALUE", remedy="Write such as d_model=384")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _say(line: str) -> None:
    sys.stdout.write(f"{printable(line)}\n")


COMMAND = Group(
    "Get or convert published weights, start from them, or tell what a weight file holds.",
    {
        "get": Command(
            get,
            """
            vis weights get detr_r50_panoptic
            vis weights get mask2former_video_r50_2021 --yes
            vis weights get hf:facebook/detr-resnet-50
            vis weights get vistr_r50 --file Downloads/vistr_r50.pth --unverified
            """,
        ),
        "convert": Command(
            convert,
            """
            vis weights convert vistr vistr_r50.pth vistr_r50.safetensors
            vis weights convert detr detr-r50-panoptic-00ce5173.pth detr.safetensors
            vis weights convert hf:facebook/detr-resnet-50-panoptic detr.safetensors
            vis weights convert detr.safetensors folder/ --to transformers
            vis weights convert dat dat_pp_tiny_in1k_224.pth dat_tiny.safetensors
            vis weights convert vistr mine.pth mine.safetensors --frames 12 --classes names.txt
            """,
        ),
        "init": Command(
            init,
            """
            vis weights init tt_srn detr-r50-panoptic.pth start.safetensors --classes names.txt
            vis weights init tt_srn vistr_r50.pth a.safetensors --classes a --settings d_model=384
            vis weights init tt_srn imagenet start.safetensors --classes names.txt --download
            """,
        ),
        "inspect": Command(
            inspect,
            """
            vis weights inspect vistr_r50.safetensors
            vis weights inspect detr-r50-e632da11.pth --tensors
            """,
        ),
    },
)
