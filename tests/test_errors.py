"""Errors: place, fault, what was done and what to do, in one safe line."""

import pickle

import pytest

from vis import errors


def kinds(base=errors.VisError):
    return [base, *(kind for sub in base.__subclasses__() for kind in kinds(sub))]


def test_the_tree_drawn_at_the_top_is_the_tree():
    drawing = errors.__doc__ or ""
    for kind in [*kinds(), *kinds(errors.VisWarning)]:
        assert kind.__name__ in drawing
        assert kind.__doc__


@pytest.mark.parametrize("kind", kinds())
def test_every_error_has_an_exit_code_of_the_table(kind):
    assert kind("x").exit_code in {64, 65, 66, 69, 70, 74}


def test_an_error_is_one_line_with_all_its_parts():
    error = errors.DataError("it is bad", where="a.json", done="Nothing was read", remedy="Mend it")
    assert str(error) == "a.json: it is bad. Nothing was read. Mend it."
    placed = error.at("folder")
    assert str(placed).startswith("folder: a.json: it is bad.")
    assert type(placed) is errors.DataError


def test_file_content_cannot_drive_a_terminal():
    error = errors.InputError("name \x1b[31m\nred", where="a\rb")
    assert str(error) == r"a\rb: name \x1b[31m\nred."


@pytest.mark.parametrize("kind", kinds())
def test_an_error_survives_a_process_boundary(kind):
    error = kind("what", where="where", done="done", remedy="remedy")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
