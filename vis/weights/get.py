"""A published model by its name: fetched, checked, converted and kept, each only once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vis.errors import DataError, InputError, UsageError
from vis.formats.json_file import read_json, write_json
from vis.weights.catalogue import entry, shipped_file
from vis.weights.convert import convert
from vis.weights.digest import Digest, Sums, sums_of, whole_sha256
from vis.weights.download import download
from vis.weights.fetch import weights_folder
from vis.weights.hub import fetch
from vis.weights.hub_id import hub_id, is_hub_id
from vis.weights.sniff import open_regular

if TYPE_CHECKING:
    from vis.weights.catalogue import Entry


def place_of(model: Entry) -> Path:
    """Where a model is, or will be."""
    return shipped_file() if model.ships else weights_folder() / f"{model.name}.safetensors"


def get(
    name: str,
    *,
    accepted: bool,
    file: str | Path | None = None,
    sha256: str | None = None,
    unverified: bool = False,
    offline: bool = False,
    progress: bool = False,
) -> Path:
    """Fetch and convert a published model; afterwards `vis.load(name)` finds it.

    Nothing of what is fetched is executed. Its hash is written down beside it, and whatever is
    fetched under this name later must have it.

    Args:
        name: of a model that `vis models` lists; one of the hub goes into the hub's own cache,
            as `vis.load` would fetch it, and no other argument counts.
        accepted: whether the user accepts its licence.
        file: the published file, or the one that matters within, where the user has it.
        sha256: of the published file, where the user knows it.
        unverified: whether a file is taken whose hash nobody states.
        offline: whether nothing may be fetched.
        progress: show a bar where standard error is a terminal.

    Returns:
        The file that holds it.

    Raises:
        UsageError: there is no such model, or its licence is not accepted.
        InputError: it cannot be fetched, or a person must do that.
        DataError: it has another hash than stated, or does not hold what it should.
        OutputError: it cannot be written.
    """
    if is_hub_id(name):
        return fetch(hub_id(name)).path
    model = entry(name)
    place = place_of(model)
    if place.is_file():
        return place
    if not accepted:
        raise UsageError(f"the licence of {name} is not accepted", remedy=model.terms)
    fetched = place.with_name(f"{name}.download{Path(model.address).suffix}")
    if file is None and not fetched.is_file():
        _check_reachable(model, offline)
    stated = _stated(model, sha256)
    if not stated and not unverified:
        raise UsageError(
            f"nobody states the hash of {name}, so that a wrong file could not be told",
            remedy="Give --sha256, or accept that with --unverified: what is found is written down"
            " and checked from then on.",
        )
    if file is not None:
        _keep(model, Path(file), _checked(Path(file), stated, model), place)
        return place
    if not fetched.is_file():
        download(model.address, fetched, stated=stated, unverified=unverified, progress=progress)
    try:
        _keep(model, fetched, _checked(fetched, stated, model), place)
    except DataError:
        fetched.unlink()
        raise
    fetched.unlink()
    return place


def _stated(model: Entry, sha256: str | None) -> list[Digest]:
    """All hashes that the published file must have."""
    stated = [] if model.digest is None else [model.digest]
    if sha256 is not None:
        stated.append(whole_sha256(sha256))
    record = _record(place_of(model))
    if record.is_file():
        content = read_json(record)
        digits = content.get("sha256") if isinstance(content, dict) else None
        if not isinstance(digits, str):
            raise DataError("it states no sha256", where=str(record), remedy="Delete it.")
        # got before from what lies in the archive, it may come from the archive now
        if (recorded := whole_sha256(digits)) != model.inside:
            stated.append(recorded)
    return stated


def _check_reachable(model: Entry, offline: bool) -> None:
    if model.browser:
        raise InputError(
            f"{model.name} is on a page for people",
            where=model.address,
            remedy=f"Fetch it with a browser, then: vis weights get {model.name} --file FILE"
            + ("." if model.digest else " --unverified (nobody states its hash)."),
        )
    if offline:
        raise InputError(
            f"{model.name} is not in {weights_folder()}",
            done="Nothing was fetched, as it is to be offline.",
            remedy=f"Fetch {model.address} elsewhere and give --file.",
        )


def _checked(path: Path, stated: list[Digest], model: Entry) -> Sums:
    """Hashes of a file that has all stated ones; what lies in an archive need not have its own."""
    with open_regular(path) as file:
        sums = sums_of(file)
    unpacked = model.inside is not None and sums.sha256 == model.inside.digits
    try:
        for digest in stated:
            if not (unpacked and digest == model.digest):
                sums.check(digest)
    except DataError as error:
        raise error.at(str(path)) from None
    return sums


def _keep(model: Entry, published: Path, sums: Sums, place: Path) -> None:
    """Convert, and write down whence it came."""
    place.parent.mkdir(parents=True, exist_ok=True)
    convert(model.family, published, place, class_names=model.class_names, **model.settings)
    facts = {"address": model.address, "sha256": sums.sha256, "bytes": sums.size}
    write_json(_record(place), facts | {"licence": model.licence}, overwrite=True)


def _record(place: Path) -> Path:
    return place.with_suffix(".source.json")
