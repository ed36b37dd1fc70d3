"""Old names of settings are read, with a word on the new one."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from vis.errors import DataError, VisWarning
from vis.renamed import with_current_names


@dataclass(frozen=True)
class Settings:
    RENAMED: ClassVar[dict[str, str]] = {"rate": "lr"}
    lr: float = 1.0


def test_an_old_name_is_read_and_the_new_one_named():
    with pytest.warns(VisWarning, match=r"x\.yaml: 'rate' is called 'lr' today"):
        assert with_current_names(Settings, {"rate": 2.0}, where="x.yaml") == {"lr": 2.0}


def test_new_names_pass_without_a_word(recwarn: pytest.WarningsRecorder):
    assert with_current_names(Settings, {"lr": 2.0}, where="x.yaml") == {"lr": 2.0}
    assert with_current_names(int, {"lr": 2.0}, where="x.yaml") == {"lr": 2.0}
    assert not recwarn.list


@pytest.mark.filterwarnings("ignore::vis.errors.VisWarning")
def test_both_names_at_once_are_refused():
    with pytest.raises(DataError, match="'lr' is set twice"):
        with_current_names(Settings, {"lr": 1.0, "rate": 2.0}, where="x.yaml")
