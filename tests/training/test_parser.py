"""Settings are typed; a fault names the dotted path and what was meant."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import pytest
from jsonargparse.typing import ClosedUnitInterval, PositiveInt

from vis.errors import DataError, UsageError, VisWarning
from vis.training.parser import current, parse
from vis.training.settings_help import settings_help


@dataclass(frozen=True, kw_only=True)
class Inner:
    RENAMED: ClassVar[Mapping[str, str]] = {"fall": "drops"}
    kind: Literal["step", "poly"] = "step"
    """How it falls."""
    drops: tuple[int, ...] = ()
    pair: tuple[int, float] = (1, 2.0)
    """Two
    numbers."""
    share: ClosedUnitInterval = 0.5


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    rate: float = 0.1
    steps: PositiveInt = 3
    on: bool = False
    limit: float | None = None
    size: PositiveInt | tuple[int, int] | None = 4
    inner: Inner = field(default_factory=Inner)
    maybe: Inner | None = field(default_factory=Inner)
    many: tuple[Inner, ...] = ()
    """Some."""
    factors: dict[str, float] = field(default_factory=dict)


def read(table: Any) -> Outer:
    return parse(Outer, current(Outer, table, "", where="x.yaml"))


def test_defaults_and_values_meet():
    assert read({"name": "a"}) == Outer(name="a")
    value = {"name": "a", "rate": 1, "limit": None, "size": [2, 3], "maybe": None}
    value |= {"many": [{"kind": "poly"}, {"share": 1}], "factors": {"x": 1}}
    value |= {"inner": {"drops": [1, 2]}}
    settings = read(value)
    assert settings == Outer(
        name="a", rate=1.0, size=(2, 3), inner=Inner(drops=(1, 2)), maybe=None,
        many=(Inner(kind="poly"), Inner(share=1.0)), factors={"x": 1.0},
    )  # fmt: skip
    assert type(settings.rate) is float
    assert read({"name": "a", "maybe": {"share": 1}}).maybe == Inner(share=1.0)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "name is missing"),
        ({"name": "a", "rte": 1}, "no setting rte. Did you mean rate"),
        ({"name": "a", "inner": {"drop": []}}, r"inner\.drop. Did you mean drops"),
        ({"name": "a", "zzzz": 1}, "There are: name, rate"),
        ({"name": 3}, "name is 3, not a text"),
        ({"name": [0] * 1000}, r"^name is \[[0, ]{1,60}, not a text$"),
        ({"name": None}, "name is null"),
        ({"name": "a", "rate": "much"}, "rate is much, not a number"),
        ({"name": "a", "rate": True}, "rate is True, not a number"),
        ({"name": "a", "rate": None}, "rate is null"),
        ({"name": "a", "steps": 1.5}, "steps is 1.5, not a whole number above 0"),
        ({"name": "a", "steps": "x"}, "steps is 'x', not a whole number above 0"),
        ({"name": "a", "steps": True}, "steps is True, not a whole number"),
        ({"name": "a", "steps": 0}, "steps is 0, not a whole number above 0"),
        ({"name": "a", "on": "maybe"}, "on is maybe, not true or false"),
        ({"name": "a", "limit": "x"}, "limit is x, not a number or null"),
        ({"name": "a", "size": "x"}, "size is 'x', not a whole number above 0 or a list"),
        ({"name": "a", "size": 0}, "size is 0, not a whole number above 0 or"),
        ({"name": "a", "inner": 3}, "inner is 3, not a table"),
        ({"name": "a", "maybe": 3}, "maybe is 3, not a table"),
        ({"name": "a", "maybe": {"knd": 3}}, r"maybe\.knd. Did you mean kind"),
        ({"name": "a", "maybe": {"share": 2}}, r"maybe\.share is 2, not a number from 0 to 1$"),
        ({"name": "a", "maybe": {"kind": "x"}}, r"maybe\.kind is x, not one of step, poly$"),
        ({"name": "a", "inner": {"kind": "stp"}}, r"inner\.kind is stp, not one of step, poly$"),
        ({"name": "a", "inner": {"drops": [1, "b"]}}, r"inner\.drops is b, not a whole number"),
        ({"name": "a", "inner": {"drops": 1}}, "drops is 1, not a list"),
        ({"name": "a", "steps": {"x": 1}}, "steps has no settings of its own"),
        ({"name": "a", "inner": {"pair": [1]}}, r"pair is \[1\], not a list of 2"),
        ({"name": "a", "many": [{"kind": 1}]}, r"many\.kind is 1, not one of"),
        ({"name": "a", "many": [{"knd": 1}]}, r"many\[0\]\.knd"),
        ({"name": "a", "many": {"kind": 1}}, "many is .*, not a list"),
        ({"name": "a", "many": 3}, "many is 3, not a list"),
        ({"name": "a", "factors": 1}, "factors is 1, not a table"),
        ({"name": "a", "factors": {"x": "y"}}, "factors is y, not a number"),
        (3, "not a table"),
    ],
)
def test_faults_name_the_path(table: object, words: str):
    with pytest.raises(UsageError) as caught:
        read(table)
    message = str(caught.value).rstrip(".")
    assert re.search(words, message), message
    assert "\n" not in message and "jsonargparse" not in message


@pytest.mark.parametrize("path", [("inner",), ("maybe",), ("many", 0)], ids=str)
def test_old_names_are_read_on_every_level(path: tuple[str | int, ...]):
    table: Any = {"fall": [7]}
    for step in reversed(path):
        table = [table] if step == 0 else {step: table}
    with pytest.warns(VisWarning, match=r"x\.yaml: .*'fall' is called 'drops' today"):
        settings = read({"name": "a", **table})
    inner = {"inner": settings.inner, "maybe": settings.maybe, "many": settings.many[:1]}[path[0]]
    assert inner in (Inner(drops=(7,)), (Inner(drops=(7,)),))


@pytest.mark.filterwarnings("ignore::vis.errors.VisWarning")
def test_both_names_at_once_are_refused():
    with pytest.raises(DataError, match="'drops' is set twice"):
        read({"name": "a", "inner": {"fall": [1], "drops": [2]}})


def test_no_class_of_a_table_is_looked_up():
    for table in ({"class_path": "os.system"}, {"init_args": {}}):
        for place in ("inner", "maybe"):
            with pytest.raises(UsageError, match="no setting"):
                read({"name": "a", place: table})


def test_the_manual_page_has_each_setting_with_its_sentence():
    page = settings_help(Outer, "o")
    assert "--o.name\n        (required)" in page
    assert '--o.inner.kind\n        How it falls. One of step, poly. (default: "step")' in page
    assert "--o.inner.pair\n        Two numbers. (default: [1, 2.0])" in page
    assert "--o.maybe.drops\n" in page and "--o.many[].share\n" in page
