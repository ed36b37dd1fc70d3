"""What the settings beside weights of the hub say, checked against the tensors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from vis.backbones.resnet import RESNETS, plain_name
from vis.errors import DataError
from vis.weights.classes import numbered
from vis.weights.hub_form import HubForm, truth

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vis.weights.hub_form import Claim, Config

NO_CLASS = "N/A"
"""Transformers' name of an index that names nothing; ours is empty."""
_IN_MEMORY = re.compile(
    r"_attn\.o_proj\.|coder\.layers\.\d+\.mlp\.fc\d\.|mask_head\.conv\d\.conv\."
)
REFUSED = ("use_swiglu_ffn",)
"""What no network here has, whatever the family."""


def check_kind(config: Config, family: str, form: HubForm | None) -> None:
    """Pass if the family that the names tell is what `config.json` says.

    Raises:
        DataError: it says another kind of model, or asks for what no network here has.
    """
    kind = config.get("model_type")
    if form is not None and kind is not None and kind not in form.model_types:
        raise DataError(
            f"model_type is {kind!r:.60}, but the names of the tensors are those of {family}"
        )
    for key in REFUSED:
        if truth(config, key):
            raise DataError(f"{key} is true; no network here has it")


def check_names(names: Iterable[str]) -> None:
    """Refuse the names that transformers 5 has in memory; its files have the older ones.

    Raises:
        DataError: there is such a name.
    """
    for name in names:
        if _IN_MEMORY.search(name):
            raise DataError(
                f"{name!r:.100} is a name that transformers has in memory, not in its files",
                remedy="Save it again without save_original_format=False.",
            )


def settled(claims: list[Claim], derived: Mapping[str, object]) -> dict[str, object]:
    """The settings that shapes tell, and those that only `config.json` does.

    Raises:
        DataError: the two contradict each other; names both values.
    """
    settings = dict(derived)
    for claim in claims:
        ours = settings.setdefault(claim.setting, claim.value)
        if ours == claim.value:
            continue
        # dilation changes no shape
        if claim.value in RESNETS and plain_name(str(claim.value)) == plain_name(str(ours)):
            settings[claim.setting] = claim.value
            continue
        raise DataError(
            f"{claim.key} is {claim.stated!r:.100}, but the tensors are of"
            f" {claim.setting} {ours!r:.40}",
            remedy="One of the two files is of another model.",
        )
    return settings


def label_names(config: Config, count: int) -> tuple[str, ...]:
    """The names of the classes; numbers where nobody has named them.

    Raises:
        DataError: there are more or fewer than the class head has, or they are malformed.
    """
    labels = config.get("id2label")
    if labels is None:
        stated = config.get("num_labels")
        # the panoptic DETR's is not to be relied on; of all others it is the head's
        panoptic = "DetrForSegmentation" in (config.get("architectures") or ())
        if stated is not None and stated != count and not panoptic:
            raise DataError(f"num_labels is {stated!r:.20}, but the class head has {count}")
        return numbered(count)
    if not isinstance(labels, dict) or not all(isinstance(name, str) for name in labels.values()):
        raise DataError("id2label is no table of names")
    if len(labels) != count:
        raise DataError(f"id2label names {len(labels)} classes, but the class head has {count}")
    names = {key.strip(): name for key, name in labels.items()}
    if names.keys() != {str(index) for index in range(count)}:
        raise DataError(f"the keys of id2label are not 0 to {count - 1}")
    if all(re.fullmatch(r"LABEL_\d+", name) for name in names.values()):
        return numbered(count)
    ordered = (names[str(index)] for index in range(count))
    return tuple("" if name == NO_CLASS else name for name in ordered)


def arguments_of(claims: list[Claim]) -> dict[str, int]:
    """The whole numbers among the claims, which a family may need to read shapes."""
    values: dict[str, Any] = {claim.setting: claim.value for claim in claims}
    return {name: value for name, value in values.items() if type(value) is int}
