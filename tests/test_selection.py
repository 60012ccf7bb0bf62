"""Chapter evaluation_protocols: rules on hand-made records, a seal that counts, a leak that is caught."""

import numpy as np
import pandas as pd
import pytest
import torch

from medgen_utils.data import DatasetInfo, DomainDataset
from medgen_utils.evaluation import metrics_by
from medgen_utils.selection import (
    SealedDomain,
    assert_no_leakage,
    find_leakage,
    held_out_domain_validation,
    oracle,
    training_domain_validation,
)

SCORES = {  # at steps 10, 20, 30
    ("training", "all", "loss"): (0.9, 0.5, 0.1),
    ("validation", "A", "auroc"): (0.70, 0.80, 0.92),
    ("validation", "B", "auroc"): (0.60, 0.90, 0.82),
    ("validation", "A", "loss"): (0.60, 0.55, 0.30),
    ("validation", "B", "loss"): (0.60, 0.45, 0.30),
    ("test", "T", "auroc"): (0.75, 0.65, 0.60),
}


def history(scores=SCORES) -> pd.DataFrame:
    rows = [
        {"step": 10 * (i + 1), "split": split, "domain": domain, "metric": metric, "value": value}
        for (split, domain, metric), values in scores.items()
        for i, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_training_domain_validation_takes_the_best_mean_over_domains():
    choice = training_domain_validation(history())
    assert (choice.step, choice.cheating, choice.trial) == (30, False, None)
    assert choice.score == pytest.approx(0.87)


def test_loss_is_minimised():
    assert training_domain_validation(history(), metric="loss").step == 30


def test_equal_scores_take_the_earliest_step():
    assert training_domain_validation(history({("validation", "A", "auroc"): (0.7, 0.9, 0.9)})).step == 20


def test_oracle_reads_the_test_domain_and_says_that_it_cheats():
    choice = oracle(history())
    assert (choice.step, choice.score, choice.cheating) == (10, 0.75, True)
    assert "cheating" in choice.rule


def test_honest_rules_do_not_change_with_the_test_scores():
    changed = SCORES | {("test", "T", "auroc"): (0.1, 0.2, 0.99)}
    assert training_domain_validation(history(changed)) == training_domain_validation(history())
    assert oracle(history(changed)).step == 30


def test_held_out_domain_validation_scores_each_run_on_the_domain_it_left_out():
    without_a = history({("validation", "A", "auroc"): (0.6, 0.7, 0.5), ("validation", "B", "auroc"): (0.8, 0.9, 1.0)})
    without_b = history({("validation", "B", "auroc"): (0.5, 0.6, 0.55), ("validation", "A", "auroc"): (0.8, 0.9, 1.0)})
    both = pd.concat([without_a.assign(held_out="A"), without_b.assign(held_out="B")])
    choice = held_out_domain_validation(both)
    assert choice.step == 20
    assert choice.score == pytest.approx(0.65)


def test_no_rule_is_called_after_the_evaluation_scheme():
    both = history().assign(held_out="A")
    for choice in (training_domain_validation(both), held_out_domain_validation(both), oracle(both)):
        assert "leave" not in choice.rule
        assert choice.rule.isprintable()


def test_hyper_parameters_are_chosen_with_the_step():
    worse = history({("validation", "A", "auroc"): (0.7, 0.8, 0.7), ("validation", "B", "auroc"): (0.7, 0.8, 0.7)})
    better = history({("validation", "A", "auroc"): (0.9, 0.8, 0.7), ("validation", "B", "auroc"): (0.8, 0.8, 0.7)})
    trials = pd.concat([worse.assign(trial="weight 0.1"), better.assign(trial="weight 1")])
    choice = training_domain_validation(trials)
    assert (choice.trial, choice.step) == ("weight 1", 10)
    assert choice.score == pytest.approx(0.85)


@pytest.mark.parametrize(
    ("rule", "record", "words"),
    [
        (held_out_domain_validation, history(), "held_out"),
        (oracle, history().query("split != 'test'"), "oracle"),
        (training_domain_validation, history({("validation", "A", "auroc"): (0.7, np.nan, 0.8)} | {
            ("validation", "B", "auroc"): (0.7, 0.8, 0.8)}), "20"),
        (training_domain_validation, history({("validation", "A", "auroc"): (np.nan,) * 3}), "NaN"),
    ],
)  # fmt: skip
def test_records_that_cannot_be_judged_are_refused_with_a_reason(rule, record, words):
    with pytest.raises(ValueError, match=words):
        rule(record)


def dataset(n: int = 12, groups: int = 4, seed: int = 0) -> DomainDataset:
    x = torch.rand((n, 1, 4, 4), generator=torch.Generator().manual_seed(seed))
    group = np.array([f"p{i % groups}" for i in range(n)])
    info = DatasetInfo("toy", "Toy", "", "", "", warnings=("small",))
    return DomainDataset(x, torch.arange(n) // 2 % 2, torch.arange(n) % 2, group, ("no", "yes"), ("A", "B"), info)


class Model:
    def predict(self, x):
        return torch.stack([-x.mean((1, 2, 3)), x.mean((1, 2, 3))], 1)


def test_a_sealed_domain_opens_once_and_keeps_the_reason():
    sealed = SealedDomain(dataset())
    assert torch.equal(sealed.x, dataset().x)
    assert not hasattr(sealed, "y")
    assert sealed.open("final test of ERM").info.warnings == ("small",)
    with pytest.raises(PermissionError, match="final test of ERM"):
        sealed.open("another try")
    assert [opening.reason for opening in sealed.openings] == ["final test of ERM"]
    assert sealed.peeks == 0


def test_a_peek_is_counted_and_shown_under_every_result_made_with_it():
    sealed = SealedDomain(dataset())
    labels = {"name": "m", "seed": 0, "protocol": "p"}
    honest = sealed.predictions(Model(), **labels, reason="final test")
    peeked = sealed.predictions(Model(), **labels, reason="one more look", peek=True)
    assert (honest["peeks"] == 0).all()
    assert (peeked["peeks"] == 1).all()
    with pytest.warns(UserWarning, match="1 peek"):
        metrics_by(peeked, n_resamples=10)
    assert "one more look" in sealed.note()
    assert "2 of them peeks" in sealed.open("again", peek=True).info.warnings[-1]


def test_an_honest_result_carries_no_warning(recwarn):
    frame = SealedDomain(dataset()).predictions(Model(), name="m", seed=0, protocol="p", reason="final test")
    metrics_by(frame, n_resamples=10)
    assert len(recwarn) == 0


def test_peek_at_the_first_opening_is_no_peek_and_a_reason_is_needed():
    sealed = SealedDomain(dataset())
    with pytest.raises(ValueError, match="reason"):
        sealed.open("  ")
    sealed.open("first", peek=True)
    assert sealed.peeks == 0


def test_a_leaky_split_is_caught_and_a_clean_one_is_not():
    data = dataset()
    clean = np.isin(data.group, ["p0", "p1"])
    assert_no_leakage(data.subset(clean), data.subset(~clean))
    leaky = np.arange(12) < 6
    with pytest.raises(ValueError, match="split by group"):
        assert_no_leakage(data.subset(leaky), data.subset(~leaky))
    found = find_leakage(data.subset(leaky), data.subset(~leaky)).set_index(["domain", "group"])
    assert set(found["kind"]) == {"patient"}
    assert found.loc[("A", "p0"), ["train", "test"]].tolist() == [2, 1]


def test_the_same_patient_name_in_another_domain_is_another_patient():
    data = dataset()
    patients = dataset(groups=1)
    assert_no_leakage(patients.only("A"), patients.only("B"))
    assert len(find_leakage(data.only("A"), data.only("A"))) > 0


def test_identical_images_are_found_where_patients_are_unknown():
    data = dataset()
    unknown = DomainDataset(
        data.x, data.y, data.domain, np.full(12, ""), data.class_names, data.domain_names, data.info
    )
    again = torch.cat([unknown.x[:2], unknown.x[6:]])
    rest = unknown.subset(np.arange(4, 12))
    test = DomainDataset(again, rest.y, rest.domain, rest.group, rest.class_names, rest.domain_names, rest.info)
    found = find_leakage(unknown.subset(np.arange(6)), test)
    assert found["kind"].tolist() == ["image", "image"]
    with pytest.raises(ValueError, match="image"):
        assert_no_leakage(unknown.subset(np.arange(6)), test)
