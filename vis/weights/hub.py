"""Repositories of the hub, by `huggingface_hub`: its cache, resuming, tokens and offline mode."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from vis.errors import InputError, OutputError, UsageError
from vis.weights.hub_folder import CONFIG, check_settings
from vis.weights.hub_id import HubId, hub_id, is_hub_id

if TYPE_CHECKING:
    from collections.abc import Iterator

README = "README.md"
"""Begins with the licence that the authors state."""
SETTINGS = (CONFIG, "*preprocessor_config.json", README)
SAFETENSORS = ("model*.safetensors", "model.safetensors.index.json")
PICKLES = ("pytorch_model*.bin", "pytorch_model.bin.index.json")
"""Fetched only where there are no safetensors; the restricted reader takes them or refuses."""
MAX_README = 1 << 20
_RESUME = "What came is kept: the same command goes on from there."


@dataclass(frozen=True, slots=True)
class Fetched:
    """Weights on this machine."""

    path: Path
    """A file, or a folder as transformers saves it."""
    origin: dict[str, str] = field(default_factory=dict)
    """Of the hub's: repository, revision, commit, and file and licence where there are any."""


def fetched_from(source: str | Path) -> Fetched:
    """The weights of a path as they are, those of `hf:OWNER/NAME` from the hub or its cache.

    Raises:
        UsageError: it begins with `hf:` and names no repository.
        InputError: it cannot be fetched; says what would help.
        DataError: the repository brings its own code.
        OutputError: the cache cannot be written.
    """
    return fetch(hub_id(str(source))) if is_hub_id(source) else Fetched(Path(source))


def fetch(model: HubId, *, endpoint: str | None = None, cache: str | Path | None = None) -> Fetched:
    """A repository's settings, then, if they are of a kind that is read, its weights.

    Args:
        model: the repository.
        endpoint: address of the hub; without it, that of `$HF_ENDPOINT` or the public one.
        cache: folder of the hub's cache; without it, that of `$HF_HUB_CACHE` or `$HF_HOME`.

    Raises:
        InputError, DataError, OutputError: as `fetched_from`.
    """
    places = {"endpoint": endpoint, "cache_dir": cache}
    folder = _snapshot(model, model.revision, SETTINGS, places)
    # pinned, so that what is asked from here on is of the same commit, whatever happens to a branch
    commit = folder.name
    origin = {"repository": model.repository, "revision": model.revision, "commit": commit}
    if licence := _licence(folder / README):
        origin["licence"] = licence
    if model.file is not None:
        _snapshot(model, commit, (*SETTINGS, model.file), places)
        path = folder / model.file
        if not path.is_file():
            raise InputError(f"it has no file {model.file!r}", where=str(model))
        return Fetched(path, origin | {"file": model.file})
    if not (folder / CONFIG).is_file():
        remedy = "Name the file that is meant: hf:OWNER/NAME:FILE."
        raise InputError(f"it has no {CONFIG}", where=str(model), remedy=remedy)
    check_settings(folder)
    _snapshot(model, commit, (*SETTINGS, *SAFETENSORS), places)
    if not any(folder.glob(SAFETENSORS[0])):
        _snapshot(model, commit, (*SETTINGS, *SAFETENSORS, *PICKLES), places)
    return Fetched(folder, origin)


def _snapshot(
    model: HubId, revision: str, patterns: tuple[str, ...], places: dict[str, Any]
) -> Path:
    """The folder of the commit with all files of these patterns."""
    from huggingface_hub import snapshot_download  # slow to import, and most runs need no hub

    with _errors_of(model):
        # without the very patterns of the fetch, the library would call a cached snapshot partial
        folder = snapshot_download(
            model.repository, revision=revision, allow_patterns=list(patterns), **places
        )
    assert isinstance(folder, str)
    return Path(folder)


@contextmanager
def _errors_of(model: HubId) -> Iterator[None]:
    """The library's errors as ours, in one line; their texts may be long and state addresses."""
    from huggingface_hub import errors

    # of the HTTP library beneath, whichever it is: not all that it raises is the hub's
    beneath = vars(errors)["HTTPError"]
    where, page = str(model), f"https://huggingface.co/{model.repository}"
    try:
        yield
    except errors.GatedRepoError:  # a RepositoryNotFoundError, too
        raise InputError(
            "its authors want their terms to be accepted",
            where=where,
            remedy=f"Accept them at {page}, and set HF_TOKEN to a token of your account.",
        ) from None
    except errors.RepositoryNotFoundError:
        remedy = "Check the spelling; of a private one, set HF_TOKEN."
        raise InputError("there is no such repository", where=where, remedy=remedy) from None
    except errors.RevisionNotFoundError:
        raise InputError(
            f"it has no revision {model.revision!r}", where=where, remedy=f"{page} lists them."
        ) from None
    except errors.LocalEntryNotFoundError as error:
        raise InputError(
            f"it is not wholly in the hub's cache, and cannot be fetched{_cause(error)}",
            where=where,
            remedy="Is there a network, or HF_HUB_OFFLINE set?",
        ) from None
    except errors.HFValidationError:
        raise UsageError("the hub knows no such name", where=where) from None
    except (errors.HfHubHTTPError, beneath) as error:
        what = f"it cannot be fetched ({_kind(error)})"
        raise InputError(what, where=where, remedy=_RESUME) from None
    except OSError as error:
        raise OutputError(
            f"the hub's cache cannot be written ({error.strerror or _kind(error)})",
            where=where,
            remedy="Free some space, or set HF_HOME to another folder.",
        ) from None


def _cause(error: Exception) -> str:
    return "" if error.__cause__ is None else f" ({_kind(error.__cause__)})"


def _kind(error: BaseException) -> str:
    """The status that a server answered, else the kind of the error."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"the server answers {status}" if status else type(error).__name__


def _licence(readme: Path) -> str:
    """What the head of a model card states; "" where it states nothing."""
    if not readme.is_file():
        return ""
    with readme.open(encoding="utf-8", errors="replace") as file:
        text = file.read(MAX_README)
    head = text.removeprefix("---\n").partition("\n---")[0]
    if head == text:
        return ""
    try:
        stated = yaml.safe_load(head)
    except (yaml.YAMLError, RecursionError):
        return ""
    licence = stated.get("license") if isinstance(stated, dict) else None
    return licence[:80] if isinstance(licence, str) else ""
