/* Four ways to train the network of network.js, step by step, as medgen_utils does: training.ERM, with or without
   data_augmentation.intensity_jitter, feature_alignment.CORAL and GroupDRO, with AdamW. A method says what is asked of
   logits and features; what the network makes of that is the same for all. */
medgenLive.parts.methods = function ({ draws, scanner, network }) {
  const { SIZE, PIXELS } = scanner;
  const CHANNELS = [1, 8, 16, 32];
  const SETTINGS = {
    batch: 24, // images a step, the same number from each hospital
    learningRate: 0.004, weightDecay: 0.001, stepSize: 0.1, // of group DRO
    keep: 0.9, // share of the mean of past weights that a step keeps: what is measured is this mean
    jitter: { gamma: 0.5, contrast: 0.5, gain: 0.7, noise: 0.06 },
  };
  const METHODS = ["erm", "augmentation", "coral", "dro"];
  const KINDS = { weights: 9, batch: 7, jitter: 8 }; // of streams, beside the four of each hospital

  // ---- images -----------------------------------------------------------------------------------------------

  /** The image mirrored and turned by quarters: `way` is 0 to 7. */
  function turned(image, way) {
    const result = new Float32Array(PIXELS);
    for (let row = 0; row < SIZE; row++)
      for (let column = 0; column < SIZE; column++) {
        const r = way & 1 ? column : row;
        const c = way & 1 ? row : column;
        result[row * SIZE + column] = image[(way & 2 ? SIZE - 1 - r : r) * SIZE + (way & 4 ? SIZE - 1 - c : c)];
      }
    return result;
  }

  /** Another scanner's rendering, as data_augmentation.intensity_jitter; changes and returns the image. */
  function jittered(image, { uniform, normals }) {
    const { jitter } = SETTINGS;
    const [bend, stretch, scale] = [jitter.gamma, jitter.contrast, jitter.gain].map((by) => Math.exp(by * (2 * uniform() - 1)));
    const grain = jitter.noise * uniform();
    const noise = normals(PIXELS);
    let mean = 0;
    for (let p = 0; p < PIXELS; p++) {
      image[p] = Math.max(image[p], 1e-7) ** bend;
      mean += image[p] / PIXELS;
    }
    for (let p = 0; p < PIXELS; p++) {
      const value = scale * (stretch * image[p] + (1 - stretch) * mean) + grain * noise[p];
      image[p] = Math.min(1, Math.max(0, value));
    }
    return image;
  }

  /** The batch of a step: from each hospital in turn as many images, either class with the same chance. The draws
      depend on seed and step alone, so all methods see the same images, and a training can be resumed. */
  function drawBatch(hospitals, seed, step, jitters) {
    const { uniform } = draws.stream(draws.seedOf(seed, KINDS.batch, step));
    const other = draws.stream(draws.seedOf(seed, KINDS.jitter, step));
    const [images, labels] = [[], []];
    for (const hospital of hospitals) {
      const ofClass = [0, 1].map((k) => hospital.label.flatMap((label, i) => (label === k ? [i] : [])));
      for (let i = 0; i < SETTINGS.batch / hospitals.length; i++) {
        const label = uniform() < 0.5 ? 0 : 1;
        const pool = ofClass[label];
        const image = hospital.images[pool[Math.floor(uniform() * pool.length)]];
        const seen = turned(image, Math.floor(8 * uniform()));
        images.push(jitters ? jittered(seen, other) : seen);
        labels.push(label);
      }
    }
    return { images, labels };
  }

  // ---- what a method asks for -------------------------------------------------------------------------------

  /** Cross-entropy of each image, and its gradient with respect to the two logits. */
  function crossEntropy(logits, labels) {
    const losses = new Float64Array(labels.length);
    const gradient = new Float64Array(2 * labels.length);
    labels.forEach((label, i) => {
      const margin = logits[2 * i + label] - logits[2 * i + 1 - label];
      const wrong = 1 / (1 + Math.exp(margin));
      losses[i] = margin > -30 ? Math.log1p(Math.exp(-margin)) : -margin;
      gradient[2 * i + label] = -wrong;
      gradient[2 * i + 1 - label] = wrong;
    });
    return { losses, gradient };
  }

  const meanOf = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;

  /** Mean cross-entropy of all images. */
  function erm(logits, features, labels) {
    const { losses, gradient } = crossEntropy(logits, labels);
    return { loss: meanOf(losses), ofLogits: gradient.map((d) => d / labels.length), ofFeatures: null };
  }

  /** Mean and covariance of the features of the images from `first` on, and the features less their mean. */
  function moments(features, first, n, d) {
    const mean = new Float64Array(d);
    for (let i = first; i < first + n; i++) for (let c = 0; c < d; c++) mean[c] += features[i * d + c] / n;
    const centred = new Float64Array(n * d);
    for (let i = 0; i < n; i++) for (let c = 0; c < d; c++) centred[i * d + c] = features[(first + i) * d + c] - mean[c];
    const covariance = new Float64Array(d * d);
    for (let i = 0; i < n; i++)
      for (let a = 0; a < d; a++)
        for (let b = 0; b < d; b++) covariance[a * d + b] += (centred[i * d + a] * centred[i * d + b]) / (n - 1);
    return { mean, centred, covariance };
  }

  /** Plus the distance between the means and covariances of every two hospitals: penalties.coral, mean over pairs. */
  function coral(logits, features, labels, memory) {
    const found = erm(logits, features, labels);
    const d = features.length / labels.length;
    const n = labels.length / memory.hospitals;
    const ofFeatures = new Float64Array(features.length);
    const each = Array.from({ length: memory.hospitals }, (_, e) => moments(features, e * n, n, d));
    const pairs = each.flatMap((_, a) => each.slice(a + 1).map((_, b) => [a, a + 1 + b]));
    let added = 0;
    for (const [a, b] of pairs) {
      const apart = each[a].mean.map((value, c) => value - each[b].mean[c]);
      const difference = each[a].covariance.map((value, k) => value - each[b].covariance[k]);
      added += (apart.reduce((sum, v) => sum + v * v, 0) / d + difference.reduce((sum, v) => sum + v * v, 0) / (d * d)) / pairs.length;
      for (const [e, sign] of [[a, 1], [b, -1]])
        for (let i = 0; i < n; i++)
          for (let c = 0; c < d; c++) {
            let along = 0;
            for (let k = 0; k < d; k++) along += each[e].centred[i * d + k] * difference[k * d + c];
            ofFeatures[(e * n + i) * d + c] += (sign * ((2 * apart[c]) / (d * n) + (4 * along) / (d * d * (n - 1)))) / pairs.length;
          }
    }
    return { loss: found.loss + added, ofLogits: found.ofLogits, ofFeatures };
  }

  /** The hospitals' losses, weighted: penalties.group_dro_weights, which are updated before use. */
  function dro(logits, features, labels, memory) {
    const { losses, gradient } = crossEntropy(logits, labels);
    const n = labels.length / memory.hospitals;
    const risks = memory.shares.map((_, e) => meanOf(losses.slice(e * n, (e + 1) * n)));
    const raised = memory.shares.map((share, e) => share * Math.exp(SETTINGS.stepSize * risks[e]));
    const total = raised.reduce((sum, value) => sum + value, 0);
    memory.shares = raised.map((value) => value / total);
    return {
      loss: risks.reduce((sum, risk, e) => sum + risk * memory.shares[e], 0), ofFeatures: null,
      ofLogits: gradient.map((d, i) => (d * memory.shares[Math.floor(i / 2 / n)]) / n),
    };
  }

  const OBJECTIVES = { erm, augmentation: erm, coral, dro };

  // ---- training ---------------------------------------------------------------------------------------------

  const copied = (running) => running.map(({ mean, variance }) => ({ mean: mean.slice(), variance: variance.slice() }));

  /** One training. step(hospitals) -> loss; scores(images) -> malignant's logit less benign's, of the mean weights;
      gradient(images, labels) -> {loss, gradient} for a test, which changes nothing but the running statistics. */
  function makeTrainer(method, seed) {
    const model = network.makeNetwork(CHANNELS, SETTINGS.batch);
    const { weights, running } = network.firstWeights(CHANNELS, draws.stream(draws.seedOf(seed, KINDS.weights)).uniform);
    const [first, second] = [new Float64Array(weights.length), new Float64Array(weights.length)]; // moments of Adam
    const memory = { hospitals: 3, shares: [1 / 3, 1 / 3, 1 / 3] };
    const mean = { weights: weights.slice(), running: copied(running) };
    let steps = 0;

    function gradient(images, labels) {
      const { logits, features } = model.forward(weights, running, images, true);
      const { loss, ofLogits, ofFeatures } = OBJECTIVES[method](logits, features, labels, memory);
      return { loss, gradient: model.backward(weights, ofLogits, ofFeatures) };
    }

    function move(slope) {
      const [b1, b2] = [0.9, 0.999];
      const [c1, c2] = [1 - b1 ** steps, 1 - b2 ** steps];
      const { learningRate, weightDecay } = SETTINGS;
      for (let i = 0; i < weights.length; i++) {
        first[i] += (1 - b1) * (slope[i] - first[i]);
        second[i] += (1 - b2) * (slope[i] ** 2 - second[i]);
        weights[i] = weights[i] * (1 - learningRate * weightDecay)
          - (learningRate * (first[i] / c1)) / (Math.sqrt(second[i] / c2) + 1e-8);
      }
    }

    /** The mean of past weights and statistics; at first it forgets faster. */
    function remember() {
      const share = 1 - Math.min(SETTINGS.keep, steps / (10 + steps));
      const nearer = (to, from) => { for (let i = 0; i < to.length; i++) to[i] += share * (from[i] - to[i]); };
      nearer(mean.weights, weights);
      running.forEach((layer, i) => {
        nearer(mean.running[i].mean, layer.mean);
        nearer(mean.running[i].variance, layer.variance);
      });
    }

    function step(hospitals) {
      memory.hospitals = hospitals.length;
      steps += 1;
      const { images, labels } = drawBatch(hospitals, seed, steps, method === "augmentation");
      const found = gradient(images, labels);
      move(found.gradient);
      remember();
      return found.loss;
    }

    function scores(images) {
      const found = [];
      for (let i = 0; i < images.length; i += SETTINGS.batch) {
        const { logits } = model.forward(mean.weights, mean.running, images.slice(i, i + SETTINGS.batch), false);
        for (let k = 0; k < logits.length; k += 2) found.push(logits[k + 1] - logits[k]);
      }
      return found;
    }

    return { step, scores, gradient, weights, memory, steps: () => steps };
  }

  return { METHODS, SETTINGS, CHANNELS, drawBatch, makeTrainer };
};
