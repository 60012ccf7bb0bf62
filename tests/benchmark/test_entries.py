"""Who takes part: settings drawn alike for all, problems whose domains exist, images read once."""

import json
import re
from copy import copy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from medgen_utils import clinic
from medgen_utils.benchmark import Task, entries, evidence, protocol, run_task, runs
from medgen_utils.benchmark.entries import CONTENDERS, PROBLEMS, SHARED_SPACE, Contender
from medgen_utils.training import build
from tests.benchmark.small import SMALL, colour_clinic, small_clinic


@pytest.fixture(scope="module")
def dataset():
    return small_clinic(0)


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda contender: contender.name)
@pytest.mark.parametrize("trial", [0, 1])
def test_every_contender_runs_with_its_defaults_and_with_drawn_settings(contender, trial):
    problem = replace(SMALL, load=colour_clinic)
    table = run_task(Task(problem, contender, (clinic.NEW_HOSPITAL,), trial, 0))
    assert table["split"].tolist() == ["validation", "test"]
    assert table[["auroc", "brier"]].stack().between(0, 1).all()


def test_names_are_unique_and_erm_comes_first():
    assert CONTENDERS[0] == Contender("ERM", "reference", primary=True)
    assert len({contender.name for contender in CONTENDERS}) == len(CONTENDERS)
    assert len({problem.name for problem in PROBLEMS}) == len(PROBLEMS)


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda contender: contender.name)
def test_trials_are_drawn_within_the_space_and_repeat(contender):
    spaces = {**SHARED_SPACE, **contender.space, **contender.strengths}
    assert contender.settings(0) == {name: default for name, (default, _, _) in spaces.items()}
    drawn = [contender.settings(trial) for trial in range(1, 30)]
    assert drawn == [contender.settings(trial) for trial in range(1, 30)]
    for name, (_, low, high) in spaces.items():
        values = [settings[name] for settings in drawn]
        assert low * 0.99 <= min(values) < max(values) <= high * 1.01
        assert np.mean(np.log(values) < np.log(low * high) / 2) == pytest.approx(0.5, abs=0.35)


def test_the_default_trial_of_a_contender_is_the_default_of_its_algorithm(dataset):
    for contender in CONTENDERS:
        if contender.space and not contender.pretrain:
            model = build(contender.algorithm, dataset, seed=0, width=4)
            for name in contender.space:
                if hasattr(model, name):
                    assert getattr(model, name) == contender.settings(0)[name], (contender.name, name)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_each_target_has_an_inner_domain_that_is_another_one(problem):
    if not problem.inner:  # no held-out-domain validation
        assert problem.left_out() == [(target,) for target in problem.targets]
        return
    assert len(problem.targets) == len(problem.inner)
    assert all(target != inner for target, inner in zip(problem.targets, problem.inner, strict=True))
    assert len(problem.left_out()) == len(set(problem.left_out())) >= len(problem.targets) + 1


def test_a_pair_that_serves_both_of_its_domains_is_run_once():
    problem = replace(SMALL, targets=("a", "b"), inner=("b", "a"))
    assert problem.left_out() == [("a",), ("b",), ("a", "b")]


def test_the_problems_name_domains_that_exist():
    for problem in PROBLEMS:
        if problem.real:
            continue
        names = problem.load(0).domain_names
        assert {*problem.targets, *problem.inner} <= set(names)


def test_classes_are_balanced_but_where_their_share_is_the_shift():
    assert [problem.name for problem in PROBLEMS if not problem.balanced] == ["clinic: prevalence"]


def test_all_contenders_search_the_same_learning_rates_and_weight_decays():
    for trial in range(8):
        pairs = {tuple(contender.settings(trial)[name] for name in SHARED_SPACE) for contender in CONTENDERS}
        assert len(pairs) == 1
    rates = [CONTENDERS[0].settings(trial)["learning_rate"] for trial in range(8)]
    assert len(set(rates)) == 8 and max(rates) / min(rates) > 4


def test_the_primary_family_gets_more_trials_on_images_of_patients_only():
    primary, other = replace(CONTENDERS[0], primary=True), replace(CONTENDERS[0], primary=False)
    real, drawn = replace(SMALL, data="clinic"), replace(SMALL, data="")
    assert real.trials(primary) > real.trials(other) == drawn.trials(primary) == drawn.trials(other)
    assert 12 <= sum(c.primary and c.family != "reference" for c in CONTENDERS) <= 14


def test_published_images_are_read_once_whatever_the_seed(monkeypatch):
    calls = []
    names = SimpleNamespace(domain_names=[name for problem in PROBLEMS for name in problem.targets])
    monkeypatch.setattr(entries, "load", lambda name, **options: calls.append((name, options)) or copy(names))
    monkeypatch.setattr(entries, "features_as_images", copy)
    for problem in (problem for problem in PROBLEMS if problem.real):
        clear()
        calls.clear()
        assert problem.load(0) is problem.load(1) is problem.load(7)
        assert len(calls) == 1
        assert calls[0][1].get("size", 28) == problem.size
    clear()


def clear():
    """Forget what was read."""
    for cached in (entries.published, entries.breast_hospitals_frozen, entries.mitosis_frozen):
        cached.cache_clear()


@pytest.mark.parametrize("problem", [problem for problem in PROBLEMS if problem.real], ids=lambda problem: problem.name)
def test_a_data_set_that_comes_without_a_target_is_refused_again_and_again(problem, monkeypatch):
    clear()
    fewer = SimpleNamespace(domain_names=problem.targets[1:])
    monkeypatch.setattr(entries, "load", lambda name, **options: fewer)
    for _ in range(2):
        with pytest.raises(ValueError, match=rf"without {problem.targets[0]},.*MEDGEN_NONCOMMERCIAL=accept"):
            run_task(Task(problem, CONTENDERS[0], problem.targets[1:2], 0, 0))
    clear()


def test_the_protocol_that_is_written_down_is_the_one_that_runs():
    text = " ".join((Path(__file__).parents[2] / evidence.STORE / "README.md").read_text().split())
    family = re.search(r"\*\*The primary family.*?\*\*.*?: (.*?), and the ensemble of ERM's seeds", text)[1]
    primary = [c for c in CONTENDERS if c.primary and c.family != "reference"]
    assert family.split(", ") == [contender.name for contender in primary]
    budgets = ", ".join(f"{steps:,}" for steps in entries.BUDGETS)
    assert f"smallest of {budgets} steps" in text
    assert f"no more than {runs.RISE:.3f} over the last quarter".replace("0.", ".") in text
    assert f"raise it by no more than {runs.GAIN:.3f}".replace("0.", ".") in text
    assert f"ERM, equal seconds: {entries.EQUAL_SECONDS:g} times the steps" in text
    assert (entries.TRIALS, entries.FEW_TRIALS) == (8, 4) and "Eight trials" in text and "four otherwise" in text
    assert {problem.validation_share for problem in PROBLEMS} == {0.2} and "a fifth of each source's patients" in text
    first = [problem for problem in PROBLEMS if problem.real and problem.size == 28]
    assert {problem.seeds for problem in first} == {3} and "Three seeds a target" in text
    assert {problem.seeds for problem in PROBLEMS if not problem.real} == {20} and "20 clinics" in text
    assert protocol.EVALUATIONS == 8 and "at eight evenly spaced steps" in text


def test_the_extension_to_64_px_that_is_written_down_is_the_one_that_runs():
    text = " ".join((Path(__file__).parents[2] / evidence.STORE / "README.md").read_text().split())
    text = text.partition("## Extension of protocol 2")[2].partition("## How to repeat")[0]
    large = {problem.name: problem for problem in PROBLEMS if problem.size == 64}
    assert len(large) == 4 and all(f"*{name}*" in text for name in large)
    frozen = [problem for problem in large.values() if problem.elsewhere is entries.FROZEN]
    for problem in frozen:
        named = re.search(r"gradients or weights: (.*?), and the ensemble", text)[1]
        spoken = {"ERM at equal seconds": "ERM, equal seconds", "mixup (of features)": "mixup"}
        spoken["the reference with the target included"] = "reference: target included"
        assert tuple(spoken.get(name, name) for name in named.split(", ")) == problem.methods
        assert ", ".join(f"{steps:,}" for steps in problem.budgets[:-1]) + " and 1,000 steps" in text
        assert (problem.seeds, problem.augment) == (3, None) and "three seeds" in text
    second = text.partition("## Second extension")[2]
    tuned, scratch = large["breast hospitals, fine-tuned"], large["breast hospitals at 64 px"]
    assert (tuned.seeds, tuned.most_trials, scratch.seeds, scratch.most_trials) == (1, 3, 1, 8)
    assert "among 500, 1,000, 2,000 and 4,000 steps from scratch" in second
    assert "among 125, 250, 500, 1,000 and 2,000 fine-tuned" in second
    assert (scratch.budgets, tuned.budgets) == ((500, 1000, 2000, 4000), (125, 250, 500, 1000, 2000))
    assert f"{scratch.steps:,} steps from scratch and {tuned.steps:,} fine-tuned" in second
    assert scratch.methods == entries.PRIMARY and len(tuned.methods) == 4


def test_another_network_or_size_is_a_problem_of_its_own():
    """Rows are keyed by the name of the problem, so two networks must never share one."""
    for problem in PROBLEMS:
        same = [p for p in PROBLEMS if (p.data, p.targets) == (problem.data, problem.targets) and p.real]
        assert len({(p.backbone, p.size) for p in same}) == len({p.name for p in same}) == len(same)


def test_only_contenders_that_can_act_on_features_take_part_there():
    frozen = [problem for problem in PROBLEMS if problem.elsewhere is entries.FROZEN]
    names = {contender.name for contender in CONTENDERS}
    for problem in frozen:
        crew = [contender for contender in CONTENDERS if problem.takes(contender)]
        assert set(problem.methods) <= names and [c.name for c in crew] == list(problem.methods)
        assert not any(c.augment or c.normalize or c.pretrain for c in crew)
    assert not SMALL.takes(next(c for c in CONTENDERS if c.needs_colour)) and SMALL.takes(CONTENDERS[0])


def test_every_page_counts_a_method_of_agreement_to_the_family_of_its_row():
    """IRM asks of risks, on the scoreboard and wherever a table says what agrees."""
    families = {c.name: c.family.removeprefix("alignment of ") for c in CONTENDERS if "alignment" in c.family}
    said = []
    pages = Path(__file__).parents[2] / "chapters"
    for path in [*pages.glob("*.md"), *pages.glob("*.ipynb")]:
        cells = json.loads(path.read_text())["cells"] if path.suffix == ".ipynb" else [{"source": path.read_text()}]
        for line in "\n".join("".join(cell["source"]) for cell in cells).splitlines():
            if row := re.match(r"\| (features|risks|gradients) \| ([^|]+) \|", line):
                names = re.sub(r"\[(\w+)\]\([^)]*\)", r"\1", row[2]).split(", ")
                said += [(name, row[1]) for name in names]
    assert {name for name, _ in said} >= {"CORAL", "DANN", "IRM", "V-REx", "Fishr", "Fish"}
    assert [(name, family) for name, family in said if families[name] != family] == []


def test_the_literature_map_counts_a_method_to_the_family_of_the_scoreboard():
    works = yaml.safe_load((Path(__file__).parents[2] / "chapters/atlas.yml").read_text())["works"]
    families = {c.algorithm.__name__: c.family for c in CONTENDERS if "alignment" in c.family}
    said = {
        name.rpartition(".")[2]: work["family"]
        for work in works.values()
        for name in work.get("executed", [])
        if name.rpartition(".")[2] in families
    }
    assert {"IRM", "VREx", "Fishr", "Fish", "CORAL"} <= set(said)
    assert {name: family for name, family in said.items() if family != families[name]} == {}


def test_an_entry_is_found_by_its_name_and_no_other():
    assert entries.contender_of("group DRO") in CONTENDERS and entries.contender_of("group DRO").name == "group DRO"
    assert entries.problem_of("mitosis") in PROBLEMS and entries.problem_of("mitosis").name == "mitosis"
    with pytest.raises(ValueError, match="no method 'corall': did you mean 'CORAL'"):
        entries.contender_of("corall")
    with pytest.raises(ValueError, match=r"no problem 'breast ultrasound': (did you mean|choose from)"):
        entries.problem_of("breast ultrasound")
