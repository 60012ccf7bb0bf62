/* What the explorer computes, without the page: the scanner of medgen_utils.clinic, the network of
   medgen_utils.training.SmallCNN, the AUROC with its interval, and the map of blurred squares.
   Plain functions on typed arrays; tests/explorer/test_engine.py compares each of them with the package in a browser. */
(function () {
  "use strict";
  const SIZE = 28;
  const PIXELS = SIZE * SIZE;
  const COLORS = 3;
  const HOME_STAIN = [0.4, 0.85, 1.1]; // how strongly the pigment absorbs red, green and blue
  const OTHER_STAIN = [0.75, 1.1, 0.35]; // "other stain" of clinic.scanner_gallery
  const MARKER = { first: 2, last: 4, color: [0.15, 0.35, 0.95] }; // rows and columns of clinic.marker_box
  const SQUARE = 4; // width of the squares of the map, in pixels
  const MAP_BLUR = 2; // standard deviation of the blur of a square, in pixels
  const SQUARES = 8; // squares in a row; the first begins two pixels outside, so that one covers the marker

  // ---- files ------------------------------------------------------------------------------------------------

  function bytesOf(base64) {
    return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  }

  /** 16-bit floats (little-endian bytes) -> Float32Array. */
  function floatsOf(base64) {
    const bytes = bytesOf(base64);
    const floats = new Float32Array(bytes.length / 2);
    for (let i = 0; i < floats.length; i++) {
      const word = bytes[2 * i] | (bytes[2 * i + 1] << 8);
      const sign = word & 0x8000 ? -1 : 1;
      const exponent = (word >> 10) & 31;
      const fraction = word & 1023;
      floats[i] = sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
    }
    return floats;
  }

  // ---- the scanner ------------------------------------------------------------------------------------------

  /** Standard normal numbers, always the same for a seed: mulberry32 and the transform of Box and Muller. */
  function normals(seed, n) {
    let state = seed >>> 0;
    function uniform() {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
    }
    const values = new Float32Array(n);
    for (let i = 0; i < n; i += 2) {
      const radius = Math.sqrt(-2 * Math.log(uniform()));
      const angle = 2 * Math.PI * uniform();
      values[i] = radius * Math.cos(angle);
      if (i + 1 < n) values[i + 1] = radius * Math.sin(angle);
    }
    return values;
  }

  /** A function of one number that keeps its last answer: all images of a test set ask for the same. */
  function remember(compute) {
    let asked, answer;
    return (value) => (value === asked ? answer : (answer = compute((asked = value))));
  }

  /** The blur as a kernel: the inverse Fourier transform of the Gaussian that clinic multiplies the spectrum by.
      It is repeated once, so that a lookup need not wrap around. */
  const blurKernel = remember((sigma) => {
    const kernel = new Float64Array(2 * SIZE);
    for (let place = 0; place < 2 * SIZE; place++) {
      for (let k = 0; k < SIZE; k++) {
        const frequency = (k < SIZE / 2 ? k : k - SIZE) / SIZE;
        const share = Math.exp(-2 * (Math.PI * sigma * frequency) ** 2);
        kernel[place] += (share * Math.cos(2 * Math.PI * frequency * place)) / SIZE;
      }
    }
    return kernel;
  });

  /** What the pigment leaves of each of 256 grey levels, for red, green and blue. */
  const stainTables = remember((stain) => HOME_STAIN.map((home, c) => {
    const strength = home + stain * (OTHER_STAIN[c] - home);
    return Float32Array.from({ length: 256 }, (_, level) => Math.max(level / 255, 1e-3) ** strength);
  }));

  /** Blur rows, then columns; the image wraps around at its border, as in clinic. */
  function blur(image, sigma) {
    const kernel = blurKernel(sigma);
    const between = new Float32Array(image.length);
    for (const [from, to, step, line] of [
      [image, between, COLORS, SIZE * COLORS],
      [between, image, SIZE * COLORS, COLORS],
    ]) {
      for (let a = 0; a < SIZE; a++)
        for (let b = 0; b < SIZE; b++)
          for (let c = 0; c < COLORS; c++) {
            let sum = 0;
            for (let d = 0, i = a * line + c; d < SIZE; d++, i += step) sum += kernel[b - d + SIZE] * from[i];
            to[a * line + b * step + c] = sum;
          }
    }
  }

  /** clinic.acquire for one image: tissue (784 bytes) -> colours in [0, 1], row by row, red green blue together.
      In order: stain, blur, contrast, gamma, gain, noise, clipping; `noise` holds 2352 standard normal numbers. */
  function acquire(tissue, settings, noise) {
    const tables = stainTables(settings.stain);
    const image = new Float32Array(PIXELS * COLORS);
    for (let p = 0, i = 0; p < PIXELS; p++)
      for (let c = 0; c < COLORS; c++, i++) image[i] = tables[c][tissue[p]];
    if (settings.blur > 0) blur(image, settings.blur);
    for (let i = 0; i < image.length; i++) {
      let value = image[i];
      if (settings.contrast !== 1) value = (value - 0.5) * settings.contrast + 0.5;
      if (settings.gamma !== 1) value = Math.min(1, Math.max(0, value)) ** settings.gamma;
      value = value * settings.gain + settings.noise * noise[i];
      image[i] = Math.min(1, Math.max(0, value));
    }
    return image;
  }

  /** Paste the blue square; it comes after the scanner, as in clinic.make_clinic. Changes and returns the image. */
  function paste(image) {
    for (let row = MARKER.first; row <= MARKER.last; row++)
      for (let column = MARKER.first; column <= MARKER.last; column++)
        for (let c = 0; c < COLORS; c++) image[(row * SIZE + column) * COLORS + c] = MARKER.color[c];
    return image;
  }

  /** Whether an image carries the marker where it agrees with the disease this often; `rank` is in (0, 1). */
  function isMarked(malignant, rank, agreement) {
    return rank < (malignant ? agreement : 1 - agreement);
  }

  // ---- the network ------------------------------------------------------------------------------------------

  /** 3 x 3 convolution and ReLU. `input` has a border of zeros; weights come in blocks of 8 outputs, so that the
      innermost loop keeps 8 sums at once: this line of code takes nearly all of the explorer's time. */
  function convolve(input, size, nIn, weights, bias, nOut, output) {
    const line = (size + 2) * nIn;
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        const corner = row * line + column * nIn;
        const to = (row * size + column) * nOut;
        for (let o = 0, w = 0; o < nOut; o += 8) {
          let s0 = bias[o], s1 = bias[o + 1], s2 = bias[o + 2], s3 = bias[o + 3];
          let s4 = bias[o + 4], s5 = bias[o + 5], s6 = bias[o + 6], s7 = bias[o + 7];
          for (let r = 0; r < 3; r++) {
            const end = corner + r * line + 3 * nIn;
            for (let p = corner + r * line; p < end; p++, w += 8) {
              const v = input[p];
              s0 += v * weights[w]; s1 += v * weights[w + 1]; s2 += v * weights[w + 2]; s3 += v * weights[w + 3];
              s4 += v * weights[w + 4]; s5 += v * weights[w + 5]; s6 += v * weights[w + 6]; s7 += v * weights[w + 7];
            }
          }
          output[to + o] = s0 > 0 ? s0 : 0; output[to + o + 1] = s1 > 0 ? s1 : 0;
          output[to + o + 2] = s2 > 0 ? s2 : 0; output[to + o + 3] = s3 > 0 ? s3 : 0;
          output[to + o + 4] = s4 > 0 ? s4 : 0; output[to + o + 5] = s5 > 0 ? s5 : 0;
          output[to + o + 6] = s6 > 0 ? s6 : 0; output[to + o + 7] = s7 > 0 ? s7 : 0;
        }
      }
    }
  }

  /** The largest of every 2 x 2 values, written into the middle of an array with a border of zeros. */
  function pool(input, size, n, padded) {
    const half = size / 2;
    for (let row = 0; row < half; row++)
      for (let column = 0; column < half; column++)
        for (let c = 0; c < n; c++) {
          const p = (2 * row * size + 2 * column) * n + c;
          const below = p + size * n;
          padded[((row + 1) * (half + 2) + column + 1) * n + c] = Math.max(
            input[p], input[p + n], input[below], input[below + n]);
        }
  }

  /** A network from its file: {channels: [3, a, b, c], weights: base64}; returns image -> score of malignant, the
      difference of its two logits. Weights: for each layer (row, column, input, output), then its biases; then the
      two rows of the head and its biases. Batch normalization is already part of them. */
  function readNetwork(file) {
    const values = floatsOf(file.weights);
    let at = 0;
    const take = (n) => values.subarray(at, (at += n));
    const layers = [];
    for (let i = 0, size = SIZE; i < 3; i++, size /= 2) {
      const [nIn, nOut] = file.channels.slice(i, i + 2);
      const plain = take(9 * nIn * nOut);
      const blocks = new Float32Array(plain.length);
      for (let o = 0; o < nOut; o++)
        for (let k = 0; k < 9 * nIn; k++) blocks[(Math.floor(o / 8) * 9 * nIn + k) * 8 + (o % 8)] = plain[k * nOut + o];
      layers.push({
        size, nIn, nOut, weights: blocks, bias: take(nOut),
        input: new Float32Array((size + 2) * (size + 2) * nIn),
        output: new Float32Array(size * size * nOut),
      });
    }
    const nFeatures = file.channels[3];
    const head = take(2 * nFeatures);
    const headBias = take(2);

    function logits(image) {
      const first = layers[0];
      for (let row = 0; row < SIZE; row++)
        for (let k = 0; k < SIZE * COLORS; k++)
          first.input[((row + 1) * (SIZE + 2) + 1) * COLORS + k] = 2 * image[row * SIZE * COLORS + k] - 1;
      layers.forEach((layer, i) => {
        convolve(layer.input, layer.size, layer.nIn, layer.weights, layer.bias, layer.nOut, layer.output);
        if (i < 2) pool(layer.output, layer.size, layer.nOut, layers[i + 1].input);
      });
      const last = layers[2];
      const places = last.size * last.size;
      const answer = [headBias[0], headBias[1]];
      for (let c = 0; c < nFeatures; c++) {
        let sum = 0;
        for (let p = 0; p < places; p++) sum += last.output[p * nFeatures + c];
        answer[0] += (head[c] * sum) / places;
        answer[1] += (head[nFeatures + c] * sum) / places;
      }
      return answer;
    }
    return { logits, score: (image) => { const [benign, malignant] = logits(image); return malignant - benign; } };
  }

  const probability = (score) => 1 / (1 + Math.exp(-score));

  /** How far the score falls when a square is blurred away: SQUARES x SQUARES numbers, positive where what the square
      shows speaks for malignant. A square of one colour instead would draw a contour of its own. */
  function blurMap(network, image) {
    const blurred = image.slice();
    blur(blurred, MAP_BLUR);
    const before = network.score(image);
    const map = new Float32Array(SQUARES * SQUARES);
    const changed = new Float32Array(image.length);
    for (let square = 0; square < map.length; square++) {
      changed.set(image);
      const top = Math.floor(square / SQUARES) * SQUARE - 2;
      const left = (square % SQUARES) * SQUARE - 2;
      for (let row = Math.max(0, top); row < Math.min(SIZE, top + SQUARE); row++) {
        const from = (row * SIZE + Math.max(0, left)) * COLORS;
        const to = (row * SIZE + Math.min(SIZE, left + SQUARE)) * COLORS;
        changed.set(blurred.subarray(from, to), from);
      }
      map[square] = before - network.score(changed);
    }
    return map;
  }

  /** The grey image under the squares of its `blurMap`: magenta for malignant, green for benign, full at `strongest`. */
  function colored(image, map, strongest) {
    const pixels = new Float32Array(image.length);
    for (let p = 0; p < PIXELS; p++) {
      const row = Math.floor((Math.floor(p / SIZE) + 2) / SQUARE);
      const column = Math.floor(((p % SIZE) + 2) / SQUARE);
      const value = map[row * SQUARES + column] / strongest;
      const grey = 0.35 + 0.5 * (image[3 * p] + image[3 * p + 1] + image[3 * p + 2]) / 3;
      const color = value > 0 ? [0.78, 0.1, 0.5] : [0, 0.5, 0.32];
      const share = Math.min(1, Math.abs(value));
      for (let c = 0; c < 3; c++) pixels[3 * p + c] = (1 - share) * grey + share * color[c];
    }
    return pixels;
  }

  // ---- the measure ------------------------------------------------------------------------------------------

  /** Area under the ROC curve and its 95 % interval (DeLong et al. 1988), ties counting one half. */
  function auroc(scores, isMalignant) {
    const high = scores.filter((_, i) => isMalignant[i]);
    const low = scores.filter((_, i) => !isMalignant[i]);
    const wins = (value, others) =>
      others.reduce((sum, other) => sum + (value > other ? 1 : value === other ? 0.5 : 0), 0) / others.length;
    const ofHigh = high.map((value) => wins(value, low));
    const ofLow = low.map((value) => 1 - wins(value, high));
    const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
    const variance = (list) => {
      const center = mean(list);
      return list.reduce((sum, value) => sum + (value - center) ** 2, 0) / (list.length - 1);
    };
    const value = mean(ofHigh);
    const error = 1.96 * Math.sqrt(variance(ofHigh) / high.length + variance(ofLow) / low.length);
    return { value, low: Math.max(0, value - error), high: Math.min(1, value + error) };
  }

  window.medgenEngine = {
    SIZE, PIXELS, COLORS, SQUARE, SQUARES, MARKER,
    bytesOf, floatsOf, normals, acquire, paste, isMarked, readNetwork, probability, blurMap, colored, auroc,
  };
})();
