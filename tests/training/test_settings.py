"""Settings are typed; a fault names the dotted path and what was meant."""

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from vis.errors import UsageError
from vis.training.settings import made, plain, put


@dataclass(frozen=True)
class Inner:
    kind: Literal["step", "poly"] = "step"
    drops: tuple[int, ...] = ()
    pair: tuple[int, float] = (1, 2.0)


@dataclass(frozen=True)
class Outer:
    name: str
    rate: float = 0.1
    steps: int = 3
    on: bool = False
    limit: float | None = None
    size: int | tuple[int, int] = 4
    inner: Inner = field(default_factory=Inner)
    many: tuple[Inner, ...] = ()
    free: dict[str, Any] = field(default_factory=dict)


def test_defaults_and_values_meet():
    value = {"name": "a", "rate": 1, "limit": None, "size": [2, 3], "inner": {"drops": [1, 2]},
             "many": [{"kind": "poly"}, {}], "free": {"x": [1]}}  # fmt: skip
    found = made(Outer, value)
    assert found == Outer(
        "a", rate=1.0, size=(2, 3), inner=Inner(drops=(1, 2)), many=(Inner("poly"), Inner()),
        free={"x": [1]},
    )  # fmt: skip
    assert type(found.rate) is float
    assert made(Outer, plain(found)) == found


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "name is missing"),
        ({"name": "a", "rte": 1}, "no setting rte. Did you mean rate"),
        ({"name": "a", "inner": {"drop": []}}, r"inner\.drop. Did you mean drops"),
        ({"name": "a", "zzzz": 1}, "There are: name, rate"),
        ({"name": 3}, "name is 3, not a text"),
        ({"name": "a", "rate": "1e-4"}, "rate is '1e-4', not a number"),
        ({"name": "a", "rate": True}, "rate is True"),
        ({"name": "a", "steps": 1.5}, "steps is 1.5, not a whole number"),
        ({"name": "a", "steps": True}, "steps is True"),
        ({"name": "a", "on": "on"}, "on is 'on', not true or false"),
        ({"name": "a", "limit": "x"}, "limit is 'x', not a number"),
        ({"name": "a", "size": "x"}, "size is 'x', not a whole number or"),
        ({"name": "a", "inner": 3}, "inner is 3, not a table"),
        ({"name": "a", "inner": {"kind": "stp"}}, r"inner\.kind is 'stp', not one of step, poly"),
        ({"name": "a", "inner": {"drops": [1, "b"]}}, r"inner\.drops\[1\] is 'b'"),
        ({"name": "a", "inner": {"drops": 1}}, "not a list"),
        ({"name": "a", "inner": {"pair": [1]}}, "a list of 2"),
        ({"name": "a", "many": [{"kind": 1}]}, r"many\[0\]\.kind"),
        ({"name": "a", "free": 1}, "free is 1, not a table"),
        (3, "not a table"),
    ],
)
def test_faults_name_the_path(value: object, words: str):
    with pytest.raises(UsageError, match=words):
        made(Outer, value)


def test_dotted_names_reach_into_tables():
    table: dict[str, object] = {"a": {"b": 1}, "c": 2}
    put(table, "a.b", 3)
    put(table, "d.e.f", 4)
    assert table == {"a": {"b": 3}, "c": 2, "d": {"e": {"f": 4}}}
    with pytest.raises(UsageError, match="c has no settings"):
        put(table, "c.x", 1)
