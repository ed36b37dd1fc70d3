"""Small models, as the tests of the models have them."""

from tests.models.conftest import small, small_world

__all__ = ["small", "small_world"]
