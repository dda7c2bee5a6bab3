"""Training and scores where labels are missing or ages are ranges: each task counts the images that have its label."""

from typing import Any

import pytest
import torch
from composing import composed
from paths import CONF
from preparing import prepare
from torch import Tensor, nn

from agegender.jobs import build
from agegender.labels import age_groups, group_of_spans
from agegender.losses.base import Method
from agegender.models.heads import FaceOutputs
from agegender.training import metrics
from agegender.training.module import AgeGenderModule, _LossTally

LOSSES = sorted(path.stem for path in (CONF / "loss").glob("*.yaml"))
GROUP_OF_AGE = age_groups("closed").group_of_age
UNKNOWN = (-1, -1)
SPANS = [(34, 34), (21, 32), UNKNOWN, (15, 25), (70, 120), (3, 3)]  # the fourth is across two groups
GENDERS = [0, 1, 1, 0, -1, -1]


def make_method(loss: str) -> Method:
    return prepare(build.make_method(composed(f"loss={loss}")), dict.fromkeys(range(101), 2))


def batch_of(spans: list[tuple[int, int]], genders: list[int]) -> dict[str, Tensor]:
    """Make a batch of labels, as the data module does of an incomplete table, with midpoints for years."""
    span = torch.tensor(spans)
    first, last = span.unbind(dim=1)
    return {
        "span": span,
        "group": torch.from_numpy(group_of_spans(GROUP_OF_AGE, first.numpy(), last.numpy())),
        "years": torch.where(first >= 0, (first + last.clamp(max=100)) // 2, -1),
        "gender": torch.tensor(genders),
    }


def outputs_for(method: Method, num_images: int) -> FaceOutputs:
    torch.manual_seed(0)
    age = torch.randn(num_images, method.num_outputs, requires_grad=True)
    return FaceOutputs(age, torch.randn(num_images, 2, requires_grad=True))


def losses_of(method: Method, batch: dict[str, Tensor], outputs: FaceOutputs) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of a batch, and the tally's means of it."""
    module = AgeGenderModule(nn.Identity(), method)
    tally = _LossTally()
    return module._step(batch, outputs, tally), tally.means("train")


@pytest.mark.parametrize("loss", LOSSES)
def test_the_losses_are_those_of_the_images_that_have_the_label(loss: str) -> None:
    method = make_method(loss)
    batch = batch_of(SPANS, GENDERS)
    outputs = outputs_for(method, len(SPANS))
    total, means = losses_of(method, batch, outputs)
    aged = [0, 1, 4, 5]  # with a group
    gendered = [0, 1, 2, 3]
    age = method(outputs.age[aged], batch["group"][aged], batch["years"][aged])
    gender = nn.functional.cross_entropy(outputs.gender[gendered], batch["gender"][gendered])
    torch.testing.assert_close(means["train/age_loss"], age.detach())
    torch.testing.assert_close(means["train/gender_loss"], gender.detach())
    torch.testing.assert_close(total, age + method.gender_weight * gender)


@pytest.mark.parametrize("loss", LOSSES)
def test_an_image_without_a_label_moves_nothing_of_that_task(loss: str) -> None:
    method = make_method(loss)
    outputs = outputs_for(method, len(SPANS))
    losses_of(method, batch_of(SPANS, GENDERS), outputs)[0].backward()
    assert outputs.age.grad is not None and outputs.gender.grad is not None
    assert outputs.age.grad[[2, 3]].abs().sum() == 0 and outputs.gender.grad[[4, 5]].abs().sum() == 0
    assert (outputs.age.grad[[0, 1, 4, 5]].abs().sum(dim=1) > 0).all()
    assert (outputs.gender.grad[[0, 1, 2, 3]].abs().sum(dim=1) > 0).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_a_batch_without_any_label_of_a_task_is_finite_and_still_has_gradients(loss: str) -> None:
    method = make_method(loss)
    outputs = outputs_for(method, 2)
    total, _ = losses_of(method, batch_of([UNKNOWN, (15, 25)], [-1, -1]), outputs)
    total.backward()
    assert total.item() == 0
    assert outputs.age.grad is not None and outputs.age.grad.abs().sum() == 0
    assert outputs.gender.grad is not None and outputs.gender.grad.abs().sum() == 0


@pytest.mark.parametrize("loss", LOSSES)
def test_with_all_labels_the_loss_is_bit_for_bit_the_one_of_a_complete_table(loss: str) -> None:
    method = make_method(loss)
    masked = batch_of([(age, age) for age in (1, 25, 34, 70)], [0, 1, 1, 0])
    complete = {key: value for key, value in masked.items() if key != "span"}
    outputs = outputs_for(method, 4)
    one, other = (losses_of(method, batch, outputs) for batch in (masked, complete))
    assert torch.equal(one[0], other[0])
    assert all(torch.equal(one[1][key], other[1][key]) for key in other[1])


def test_the_mean_of_a_tasks_loss_weighs_images_not_batches() -> None:
    method = make_method("plain")
    module = AgeGenderModule(nn.Identity(), method)
    tally = _LossTally()
    ages = []
    for spans, genders in (([(34, 34), UNKNOWN, UNKNOWN], [0, 0, 1]), ([(3, 3), (4, 4), (70, 70)], [0, -1, -1])):
        batch = batch_of(spans, genders)
        outputs = outputs_for(method, 3)
        module._step(batch, outputs, tally)
        known = batch["group"] >= 0
        ages.append(nn.functional.cross_entropy(outputs.age[known], batch["group"][known], reduction="sum"))
    torch.testing.assert_close(tally.means("train")["train/age_loss"], (sum(ages) / 4).detach())  # type: ignore[union-attr]


def test_methods_that_classify_groups_need_no_years() -> None:
    needs = {loss: make_method(loss).needs_years for loss in LOSSES}
    assert {loss for loss, needed in needs.items() if not needed} == {"plain", "weighted", "focal", "sord"}


# Scores


def scored(**changed: Any) -> dict[str, Any]:
    labels = {"group": [4, 4, -1, 0], "gender": [0, 1, 1, -1], "years": [-1, 30, -1, 1]} | changed
    span = torch.tensor([(21, 32), (30, 30), (15, 25), (1, 1)])
    return metrics.scores(
        age=(torch.tensor([4, 3, 4, 0]), torch.tensor(labels["group"])),
        gender=(torch.tensor([0, 0, 1, 1]), torch.tensor(labels["gender"])),
        years=(torch.tensor([32.9, 24.0, 26.0, 3.0]), torch.tensor(labels["years"])),
        span=span,
    )


def test_each_score_is_of_the_images_with_its_label() -> None:
    found = scored()
    assert found["age_accuracy"] == pytest.approx(2 / 3)
    assert found["gender_accuracy"] == pytest.approx(2 / 3)
    assert found["age_mae_years"] == pytest.approx((6 + 2) / 2)  # exact ages only
    assert found["age_in_range"] == pytest.approx(1 / 4)  # 32.9 is in 21-32: completed years; 26 is not in 15-25
    assert sum(map(sum, found["age_confusion"])) == sum(map(sum, found["gender_confusion"])) == 3


def test_a_score_without_labels_is_none_and_the_mean_accuracy_is_of_the_other_task() -> None:
    found = scored(gender=[-1] * 4, years=[-1] * 4)
    assert found["gender_accuracy"] is None and found["gender_confusion"] is None and found["age_mae_years"] is None
    assert found["mean_accuracy"] == found["age_accuracy"] == pytest.approx(2 / 3)
    ageless = scored(group=[-1] * 4)
    assert ageless["age_accuracy"] is ageless["age_macro_f1"] is ageless["age_confusion"] is None
    assert ageless["mean_accuracy"] == ageless["gender_accuracy"]
    assert "age_accuracy" not in metrics.scalars(ageless)
