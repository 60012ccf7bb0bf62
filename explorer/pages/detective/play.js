/* One case: its images and the networks' answers, the evidence that is for sale, and the score. All as
   medgen_utils.sealed.play does it; tests/explorer/test_detective.py compares the two. */
medgenLive.parts.play = function ({ files, cases, clinic, scanner, network, measure }) {
  const { PIXELS, SIZE, MARKER } = scanner;
  const BUDGET = 8;
  const PRICES = { test: 1, probe: 2, audit: 2, labels: 4, try: 2 };
  const SHARES = { cause: 30, forecast: 40, remedy: 30 };
  const [LABELS, REREAD, LEVEL, WORST] = [20, 20, 0.8, 0.6];
  const IMAGES = { home: 60, sealed: 300, pool: 100 };
  const CHANNELS = [1, 8, 16, 32];
  const TRAINED = ["erm", "augmentation", "cover", "sizes"]; // each a network of its own
  const COVER = [0.66];
  const BATCH = 60;

  // ---- the networks and their answers -----------------------------------------------------------------------

  /** Weights and running statistics from the row of numbers of medgen_utils.sealed.networks. */
  function unpack(text) {
    const numbers = files.floatsOf(text);
    const { layers, head, headBias, length } = network.layout(CHANNELS);
    const weights = new Float32Array(length);
    let from = 0;
    const take = (n) => numbers.subarray(from, (from += n));
    const fill = (place) => weights.set(take(place.to - place.from), place.from);
    const running = layers.map(({ weights: kernel, scale, shift, nOut }) => {
      [kernel, scale, shift].forEach(fill);
      return { mean: Float64Array.from(take(nOut)), variance: Float64Array.from(take(nOut)) };
    });
    [head, headBias].forEach(fill);
    return { weights, running };
  }

  const sum = (list) => list.reduce((total, value) => total + value, 0);
  const mean = (list) => sum(list) / list.length;

  /** Probabilities corrected for another prevalence, estimated from them alone (Saerens and others 2002). */
  function atPrior(p, prior = 0.5, rounds = 100) {
    let share = prior;
    let corrected = p;
    for (let round = 0; round < rounds; round++) {
      corrected = p.map((value) => {
        const ill = (value * share) / prior;
        return ill / (ill + ((1 - value) * (1 - share)) / (1 - prior));
      });
      share = mean(corrected);
    }
    return corrected;
  }

  /** The case of a seed: {hidden, home, sealed}; both of these {images, label, truth, raw}, where raw holds for every
      remedy but "prior" the probability of malignant of each image. `stored` are the packed networks by name. */
  function open(seed, stored) {
    const hidden = cases.hide(seed);
    const model = network.makeNetwork(CHANNELS, BATCH);
    const condition = hidden.condition;
    const ofRemedy = (remedy) => (remedy === "consensus" && condition === "graders" ? "plain" : condition);
    const joined = (groups) => Object.fromEntries(["images", "label", "truth"].map((key) => [key, groups.flatMap((group) => group[key])]));
    const drawn = hidden.hospitals.map((hospital, place) =>
      clinic.drawHospital(hospital, place, place < 3 ? IMAGES.home : IMAGES.sealed, seed));
    const places = { home: joined(drawn.slice(0, 3)), sealed: joined(drawn.slice(3)) };
    for (const group of Object.values(places)) {
      group.raw = {};
      for (const remedy of cases.REMEDIES.filter((name) => name !== "prior")) {
        const kind = TRAINED.includes(remedy) ? remedy : "erm";
        const { weights, running } = unpack(stored[`${kind} ${ofRemedy(remedy)}`]);
        const seen = remedy === "cover" ? group.images.map((image) => scanner.paste(image.slice(), COVER)) : group.images;
        const p = [];
        for (let i = 0; i < seen.length; i += BATCH) {
          const { logits } = model.forward(weights, running, seen.slice(i, i + BATCH), false);
          for (let k = 0; k < logits.length; k += 2) p.push(1 / (1 + Math.exp(logits[k] - logits[k + 1])));
        }
        group.raw[remedy] = p;
      }
    }
    return { hidden, ...places };
  }

  /** Probabilities of the first n images of a group with a remedy. */
  function scores(group, remedy, n = group.images.length) {
    const p = group.raw[remedy === "prior" ? "none" : remedy].slice(0, n);
    return remedy === "prior" ? atPrior(p) : p;
  }

  // ---- evidence ---------------------------------------------------------------------------------------------

  const called = (p) => mean(p.map((value) => Number(value > 0.5)));

  /** Kolmogorov and Smirnov's largest distance of two samples' distributions, and its p-value for large samples. */
  function distanceTest(a, b) {
    const share = (sample, at) => sample.filter((value) => value <= at).length / sample.length;
    const distance = Math.max(...a.concat(b).map((at) => Math.abs(share(a, at) - share(b, at))));
    const scaled = distance * Math.sqrt((a.length * b.length) / (a.length + b.length));
    let p = 0;
    for (let k = 1; k <= 100; k++) p += 2 * (-1) ** (k - 1) * Math.exp(-2 * (k * scaled) ** 2);
    return { distance, p_value: scaled > 0.2 ? Math.min(1, Math.max(0, p)) : 1 };
  }

  function test({ home, sealed }) {
    const [a, b] = [scores(home, "none"), scores(sealed, "none", IMAGES.pool)];
    return { ...distanceTest(a, b), "called at home": called(a), "called there": called(b) };
  }

  /** What the probe reads off an image. */
  function measured(image) {
    const brightness = mean(image);
    const contrast = Math.sqrt(mean(image.map((value) => (value - brightness) ** 2)));
    let grain = 0;
    for (let p = 0; p < PIXELS; p++) if (p % SIZE) grain += Math.abs(image[p] - image[p - 1]);
    let corner = 1;
    for (let row = MARKER.first; row <= MARKER.last; row++)
      for (let column = MARKER.first; column <= MARKER.last; column++) corner = Math.min(corner, image[row * SIZE + column]);
    return {
      brightness, contrast, grain: grain / (PIXELS - SIZE),
      "dark area": image.filter((value) => value < brightness - contrast).length / PIXELS,
      "bright corner": Number(corner > 0.85),
    };
  }

  function probe({ home, sealed }) {
    const [here, there] = [home.images, sealed.images.slice(0, IMAGES.pool)].map((images) =>
      images.map((image) => measured(Float64Array.from(image))));
    return Object.fromEntries(Object.keys(here[0]).map((name) => {
      const [a, b] = [here, there].map((list) => list.map((one) => one[name]));
      const spread = Math.sqrt(mean(a.map((value) => (value - mean(a)) ** 2)));
      return [name, [mean(a), mean(b), (mean(b) - mean(a)) / Math.max(spread, 1e-9)]];
    }));
  }

  function audit({ home }) {
    const step = Math.floor(home.images.length / REREAD);
    const places = Array.from({ length: REREAD }, (_, i) => i * step);
    const count = (label, truth) => places.filter((i) => home.label[i] === label && home.truth[i] === truth).length;
    return { "read again": REREAD, "called malignant, benign in truth": count(1, 0), "called benign, malignant in truth": count(0, 1) };
  }

  function labels({ sealed }) {
    const y = sealed.truth.slice(0, LABELS);
    const p = scores(sealed, "none", LABELS);
    const found = { malignant: sum(y), "wrong calls": y.filter((label, i) => Number(p[i] > 0.5) !== label).length };
    if (found.malignant < 2 || found.malignant > LABELS - 2) return found;
    const { value, low, high } = measure.auroc(p, y);
    return { ...found, auroc: value, low, high };
  }

  function tryRemedy({ home, sealed }, remedy) {
    const [before, after] = ["none", remedy].map((name) => scores(sealed, name, IMAGES.pool));
    return {
      "auroc at home": measure.auroc(scores(home, remedy), home.label).value,
      "without it": measure.auroc(scores(home, "none"), home.label).value,
      "turned there": mean(after.map((value, i) => Number(value > 0.5 !== before[i] > 0.5))),
      "called there": called(after),
    };
  }

  // ---- the end ----------------------------------------------------------------------------------------------

  function truth({ sealed }) {
    const brier = Object.fromEntries(cases.REMEDIES.map((name) =>
      [name, mean(scores(sealed, name).map((p, i) => (p - sealed.truth[i]) ** 2))]));
    return { auroc: measure.auroc(scores(sealed, "none"), sealed.truth).value, brier };
  }

  const intervalScore = (low, high, value) =>
    high - low + (2 / (1 - LEVEL)) * (Math.max(0, low - value) + Math.max(0, value - high));

  /** Points, and the line to hand in; `bought` lists what was paid for, as "test" or "try cover". */
  function commit(opened, { causes, low, high, remedy, bought }) {
    const { causes: hidden, seed } = opened.hidden;
    const found = truth(opened);
    const shared = causes.filter((cause) => hidden.includes(cause)).length;
    const best = Math.min(...Object.values(found.brier));
    const parts = {
      cause: shared / new Set([...causes, ...hidden]).size,
      forecast: Math.max(0, 1 - intervalScore(low, high, found.auroc) / WORST),
      remedy: Math.min(1, Math.max(0, 1 - (found.brier[remedy] - best) / Math.max(found.brier.none - best, 0.01))),
    };
    const points = Object.fromEntries(Object.entries(SHARES).map(([name, share]) => [name, Math.floor(share * parts[name] + 0.5)]));
    const total = sum(Object.values(points));
    const each = Object.entries(SHARES).map(([name, share]) => `${name} ${points[name]}/${share}`).join(", ");
    const line = `Sealed hospital ${seed}: ${total}/100 points (${each}), `
      + `${spent(bought)} of ${BUDGET} spent: ${bought.join(", ") || "nothing"}.`;
    return { points, total, line, hidden, ...found };
  }

  const spent = (bought) => sum(bought.map((name) => PRICES[name.split(" ")[0]]));

  return { BUDGET, PRICES, SHARES, IMAGES, open, test, probe, audit, labels, tryRemedy, commit, spent };
};
