"""How frames agree on a class, and which queries become predictions."""

from types import SimpleNamespace

import pytest
import torch

from vis.errors import DataError
from vis.losses.outputs import LayerOutput
from vis.models._output import Output
from vis.models._selection import Selection, majority, mean_probability

FRAMES = torch.tensor(
    [  # one slot: two doubtful frames for class 0, a clear one for class 1, then one for class 2
        [0.30, 0.25, 0.10],
        [0.30, 0.25, 0.10],
        [0.05, 0.90, 0.00],
        [0.10, 0.10, 0.20],
    ]
)


def test_the_mean_listens_to_clear_frames():
    scores, labels = mean_probability(FRAMES[None, :, None])
    assert labels.tolist() == [[1]]
    assert scores.item() == pytest.approx((0.25 + 0.25 + 0.90 + 0.10) / 4)


def test_the_majority_counts_frames():
    scores, labels = majority(FRAMES[None, :, None])
    assert labels.tolist() == [[0]]
    assert scores.item() == pytest.approx((0.30 + 0.30 + 0.90 + 0.20) / 4)


def test_of_equal_counts_the_lowest_class_wins():
    frames = torch.tensor([[0.1, 0.2, 0.7], [0.1, 0.8, 0.1]])
    assert majority(frames[None, :, None])[1].item() == 1


def output(logits: torch.Tensor) -> Output:
    boxes = torch.full((*logits.shape[:3], 4), 0.5)
    return Output([LayerOutput(logits, boxes)], None, (32, 32), torch.tensor([[32, 32]]))


def select(**settings: object) -> Selection:
    given = {"background_rows": 1, "min_score": 0.0, "min_visibility": 0.001, "keep": 10}
    return Selection(vote=mean_probability, **(given | settings))


def test_background_rows_and_no_object_are_never_voted_for():
    logits = torch.zeros(1, 2, 1, 5)
    logits[..., 0], logits[..., 4], logits[..., 3] = 9.0, 8.0, 5.0
    (made,) = select()(output(logits))
    assert made.labels.tolist() == [2]
    expected = logits.softmax(dim=-1)[0, :, 0]
    torch.testing.assert_close(made.class_scores[0], expected[:, 1:4].mean(dim=0))
    torch.testing.assert_close(made.presence[0], expected[:, 3])
    assert made.scores[0] == made.class_scores[0].max()


def test_a_query_that_is_present_in_no_frame_is_left_out():
    logits = torch.zeros(1, 3, 2, 5)
    logits[..., 4] = 12.0
    logits[0, 1, 1, 4] = 0.0
    (made,) = select()(output(logits))
    assert len(made.scores) == 1
    assert made.presence.shape == (1, 3) and made.presence[0, 1] == pytest.approx(0.2)


def test_the_best_are_kept_in_the_order_of_their_queries():
    logits = torch.zeros(1, 1, 4, 4)
    logits[0, 0, :, 1] = torch.tensor([1.0, 3.0, 0.0, 2.0])
    (made,) = select(keep=2)(output(logits))
    probabilities = logits.softmax(dim=-1)[0, 0, :, 1]
    torch.testing.assert_close(made.scores, probabilities[[1, 3]])
    (made,) = select(min_score=float(probabilities[0]))(output(logits))
    torch.testing.assert_close(made.scores, probabilities[[0, 1, 3]])


def test_without_a_mask_branch_the_mask_is_the_box():
    (made,) = select()(output(torch.zeros(1, 1, 1, 4)))
    expected = torch.zeros(8, 8)
    expected[2:6, 2:6] = 1
    assert torch.equal(made.masks[0, 0], expected)


def test_a_mask_that_is_empty_in_all_frames_is_left_out():
    class Some:
        def logits(self, selected: torch.Tensor) -> torch.Tensor:
            masks = torch.full((3, 2, 4, 4), -1.0)
            masks[1, 1, 2, 2] = 0.1
            return masks

    logits = torch.arange(3.0).view(1, 1, 3, 1).expand(1, 2, 3, 4)
    given = output(logits)
    masked = Output(given.layers, Some(), given.padded_size, given.sizes)
    (made,) = select()(masked)
    assert len(made.scores) == len(made.masks) == 1


def test_labels_of_targets_and_predictions_are_the_data_sets(small: SimpleNamespace):
    """VisTR's rows begin with one that is no class; what has learnt to say 0 says 0."""
    model = small.make("vistr")
    clip = small.clip(model)
    targets = small.targets(clip)
    logits = torch.zeros(2, 2, 3, small.classes + 2, requires_grad=True)
    boxes = torch.tensor([0.35, 0.55, 0.5, 0.7]).expand(2, 2, 3, 4)
    output = Output([LayerOutput(logits, boxes)], None, (64, 96), clip.sizes)
    optimiser = torch.optim.Adam([logits], lr=0.5)
    for _ in range(30):
        optimiser.zero_grad()
        model.losses(output, targets)["class"].backward()
        optimiser.step()
    (made, nothing) = model.predictions(output, clip)
    assert sorted(made.labels.tolist()) == [0, small.classes - 1]
    always, briefly = made.presence[made.labels.argsort()]
    assert always.min() > 0.9 and briefly[0] > 0.9 and briefly[1] < 0.1
    assert len(nothing.scores) == 0 or nothing.scores.max() < 0.1


@pytest.mark.parametrize("label", [-1, 4])
def test_a_label_without_a_class_is_refused_as_the_data_set_wrote_it(
    small: SimpleNamespace, case: str, label: int
):
    model = small.make(case)
    clip = small.clip(model)
    first, empty = small.targets(clip)
    first.labels[0] = label
    with torch.no_grad(), pytest.raises(DataError, match=f"label {label} "):
        model.losses(model(clip), [first, empty])
