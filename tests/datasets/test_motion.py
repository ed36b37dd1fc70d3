import numpy as np
import pytest

from vis.datasets.config import Motion
from vis.datasets.motion import camera, paste_path, path

WILD = Motion(zoom=(0.3, 1.3), rotation=180, shear=0.5, keyframes=4)


def corners(width: float, height: float) -> np.ndarray:
    return np.array([[0, width, 0, width], [0, 0, height, height]])


def step(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max())


def test_a_path_stays_within_its_bounds_and_stops_at_random_places():
    places = path([-1, 5], [1, 9], 50, 3, np.random.default_rng(0))
    assert places.shape == (50, 2)
    assert (places >= [-1, 5]).all() and (places <= [1, 9]).all()
    drawn = np.random.default_rng(0).uniform([-1, 5], [1, 9], (3, 2))
    assert np.allclose(places[[0, -1]], drawn[[0, 2]])


def test_a_path_has_no_jerks():
    """Of 101 frames over 2 stretches no step is above pi/2 of the mean of a whole stretch."""
    for seed in range(20):
        places = path([0], [1], 101, 3, np.random.default_rng(seed))[:, 0]
        assert np.abs(np.diff(places)).max() <= np.pi / 2 / 50 + 1e-9
        assert np.abs(np.diff(places, 2)).max() < 0.002 + np.pi**2 / 2 / 50**2


@pytest.mark.parametrize(("count", "stops"), [(1, 3), (5, 1), (2, 2), (1, 1)])
def test_short_paths_and_paths_of_one_place(count, stops):
    places = path([0, 0], [1, 1], count, stops, np.random.default_rng(1))
    assert places.shape == (count, 2)
    if stops == 1:
        assert (places == places[0]).all()


@pytest.mark.parametrize("size", [(40, 100), (100, 40), (64, 64)])
def test_the_camera_never_leaves_the_picture(size):
    for seed in range(30):
        for view in camera(size, 9, WILD, np.random.default_rng(seed)):
            shown = view[:, :2] @ corners(size[1], size[0]) + view[:, 2:]
            assert shown.min() >= -1e-9
            assert shown[0].max() <= size[1] + 1e-9 and shown[1].max() <= size[0] + 1e-9


def test_a_camera_without_motion_shows_the_picture():
    still = Motion(zoom=(1, 1), rotation=0, shear=0, keyframes=1)
    for view in camera((30, 50), 4, still, np.random.default_rng(0)):
        assert np.allclose(view, np.eye(2, 3))


def test_guests_come_and_go_and_have_about_the_size_of_things():
    inside, sides = [], []
    for seed in range(60):
        for place in paste_path((100, 200), (40, 20), 12, Motion(), np.random.default_rng(seed)):
            middle = np.linalg.solve(place[:, :2], np.array([10.0, 20.0]) - place[:, 2])
            inside.append(bool((middle >= 0).all() and (middle <= [200, 100]).all()))
            sides.append(40 / np.sqrt(np.linalg.det(place[:, :2])))
    assert 0.3 < np.mean(inside) < 0.9
    assert min(sides) >= 0.15 * 0.8 * 100 - 1e-6 and max(sides) <= 0.6 * 1.25 * 100 + 1e-6
