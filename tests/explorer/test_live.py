"""What runs in the page when it trains is what the package does: draws, clinic, gradients, steps."""

import numpy as np
import pytest
import torch

from explorer import train
from medgen_utils import draws

ALL = tuple(train.CAUSES)
SEED = 3
methods = pytest.mark.parametrize("method", train.METHODS)


@pytest.fixture(scope="module")
def page(browser):
    tab = browser.new_context().new_page()
    tab.goto((train.FOLDER / "index.html").as_uri())
    tab.evaluate("medgenTrain.ready.then(() => { window.live = medgenTrain.assembled(); })")
    yield tab
    tab.context.close()


def test_numbers_drawn_in_the_page_are_those_of_python(page):
    numbers = [[0], [1, 2], [2**31, 7, 300], [5, 0, 3]]
    assert page.evaluate("(list) => list.map((one) => live.draws.seedOf(...one))", numbers) == [
        draws.seed_of(*one) for one in numbers
    ]
    uniform = page.evaluate("() => { const s = live.draws.stream(9); return [1, 2, 3].map(() => s.uniform()); }")
    assert uniform == draws.Stream(9).random(3).tolist()
    normal = page.evaluate("[...live.draws.stream(9).normals(7)]")
    np.testing.assert_allclose(normal, draws.Stream(9).standard_normal(7), atol=1e-6)


@pytest.mark.parametrize("causes", [(), ALL], ids=["no cause", "all causes"])
def test_hospitals_of_the_page_are_those_of_python(page, causes):
    seen = page.evaluate("(names) => live.causes.hospitals(names)", list(causes))
    for own, hospital in zip(seen, train.hospitals(causes), strict=True):
        assert own == pytest.approx({name: getattr(hospital, name) for name in own})


@pytest.mark.parametrize("causes", [(), ALL], ids=["no cause", "all causes"])
def test_images_and_labels_drawn_in_the_page_are_the_clinics(page, causes):
    seen = page.evaluate(
        """([names, seed, n]) => live.causes.hospitals(names).map((hospital, place) => {
            const drawn = live.clinic.drawHospital(hospital, place, n, seed);
            return { ...drawn, images: drawn.images.map((image) => [...image]) }; })""",
        [list(causes), SEED, 20],
    )
    clinic = train.clinic.make_clinic(train.hospitals(causes), 20, SEED, streams=draws.streams)
    images = np.array([one["images"] for one in seen]).reshape(-1, 1, 28, 28)
    np.testing.assert_allclose(images, clinic.x, atol=2e-4)
    for name, expected in (("truth", clinic.true_y), ("label", clinic.y), ("marked", clinic.marker)):
        assert np.concatenate([one[name] for one in seen]).tolist() == expected.tolist(), name


STEPS = """([method, causes, seed, steps]) => {
    const data = live.trainer.draw(causes, seed);
    const trainer = live.methods.makeTrainer(method, seed);
    const losses = Array.from({length: steps}, () => trainer.step(data.train));
    return {losses, scores: trainer.scores(data.away[0].images)};
}"""
GRADIENT = """([method, causes, seed]) => {
    const data = live.trainer.draw(causes, seed);
    const trainer = live.methods.makeTrainer(method, seed);
    const batch = live.methods.drawBatch(data.train, seed, 1, method === "augmentation");
    const { loss, gradient } = trainer.gradient(batch.images, batch.labels);
    return {images: batch.images.map((image) => [...image]), labels: batch.labels, loss,
        weights: [...trainer.weights], gradient: [...gradient]};
}"""


@methods
def test_gradients_are_torchs(page, method):
    images = train.draw(("shortcut",), SEED)
    batches = train.batches(images["train"], SEED, 1, method == "augmentation")
    seen = page.evaluate(GRADIENT, [method, ["shortcut"], SEED])
    np.testing.assert_allclose(
        np.array(seen["images"]).reshape(-1, 1, 28, 28), torch.cat([b.x for b in batches]), atol=3e-4
    )
    assert seen["labels"] == torch.cat([b.y for b in batches]).tolist()
    algorithm = train.first(method, images["train"], SEED)
    np.testing.assert_allclose(seen["weights"], train.flat(algorithm), atol=1e-6)
    # the same pixels for both: the clinic's two versions differ in the fifth decimal
    exact = torch.tensor(seen["images"]).view(len(batches), -1, 1, 28, 28)
    loss, _ = algorithm.objective([batch._replace(x=x) for batch, x in zip(batches, exact, strict=True)])
    loss.backward()
    assert seen["loss"] == pytest.approx(loss.item(), abs=1e-5)
    expected = train.flat(algorithm, gradient=True)
    assert expected.abs().max() > 0.05
    np.testing.assert_allclose(seen["gradient"], expected, atol=1e-4)


@methods
def test_first_steps_are_those_of_the_package(page, method):
    images = train.draw(("shortcut",), SEED)
    algorithm = train.first(method, images["train"], SEED)
    mean = train.copy.deepcopy(algorithm).eval()
    for step in range(1, 6):
        algorithm.update(train.batches(images["train"], SEED, step, method == "augmentation"))
        train.towards(mean, algorithm, step)
    logits = mean.predict(images["away"].x).detach()
    seen = page.evaluate(STEPS, [method, ["shortcut"], SEED, 5])
    np.testing.assert_allclose(seen["scores"], logits[:, 1] - logits[:, 0], atol=0.02)


def test_group_dro_gives_weight_to_the_hospital_with_the_highest_loss(page):
    shares = page.evaluate(
        """(seed) => { const data = live.trainer.draw(["shortcut"], seed);
            const trainer = live.methods.makeTrainer("dro", seed);
            for (let i = 0; i < 30; i++) trainer.step(data.train);
            return trainer.memory.shares; }""",
        SEED,
    )
    assert sum(shares) == pytest.approx(1) and np.argmax(shares) == 2, "where the marker says nothing"


def test_settings_of_the_page_are_those_of_python(page):
    assert page.evaluate("live.methods.SETTINGS") == {
        "batch": train.BATCH,
        "learningRate": train.LEARNING_RATE,
        "weightDecay": train.WEIGHT_DECAY,
        "stepSize": train.STEP_SIZE,
        "keep": train.KEEP,
        "jitter": train.JITTER,
    }
    assert page.evaluate("live.trainer.IMAGES") == train.IMAGES
    assert page.evaluate("live.methods.METHODS") == list(train.METHODS)
    assert page.evaluate("Object.keys(live.causes.CAUSES)") == list(train.CAUSES)
