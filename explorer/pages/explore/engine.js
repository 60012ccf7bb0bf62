/* What the explorer computes, without the page: stain and scanner of medgen_utils.clinic, the trained network of
   medgen_utils.backbones.SmallCNN, and the map of blurred squares.
   Plain functions on typed arrays; tests/explorer/test_engine.py compares each of them with the package in a browser. */
(function () {
  "use strict";
  const { files, draws, scanner, measure, network } = medgenLive.assemble(["files", "draws", "scanner", "measure", "network"]);
  const { SIZE, PIXELS, remember, blur, develop } = scanner;
  const { auroc } = measure;
  const COLORS = 3;
  const HOME_STAIN = [0.4, 0.85, 1.1]; // how strongly the pigment absorbs red, green and blue
  const OTHER_STAIN = [0.75, 1.1, 0.35]; // "other stain" of clinic.scanner_gallery
  const MARKER_COLOR = [0.15, 0.35, 0.95];
  const SQUARE = 4; // width of the squares of the map, in pixels
  const MAP_BLUR = 2; // standard deviation of the blur of a square, in pixels
  const SQUARES = 8; // squares in a row; the first begins two pixels outside, so that one covers the marker

  // ---- the scanner ------------------------------------------------------------------------------------------

  const normals = (seed, n) => draws.stream(seed).normals(n);
  const paste = (image) => scanner.paste(image, MARKER_COLOR);

  /** What the pigment leaves of each of 256 grey levels, for red, green and blue. */
  const stainTables = remember((stain) => HOME_STAIN.map((home, c) => {
    const strength = home + stain * (OTHER_STAIN[c] - home);
    return Float32Array.from({ length: 256 }, (_, level) => Math.max(level / 255, 1e-3) ** strength);
  }));

  /** clinic.acquire for one image: tissue (784 bytes) -> colours in [0, 1], row by row, red green blue together.
      In order: stain, blur, contrast, gamma, gain, noise, clipping; `noise` holds 2352 standard normal numbers. */
  function acquire(tissue, settings, noise) {
    const tables = stainTables(settings.stain);
    const image = new Float32Array(PIXELS * COLORS);
    for (let p = 0, i = 0; p < PIXELS; p++)
      for (let c = 0; c < COLORS; c++, i++) image[i] = tables[c][tissue[p]];
    return develop(image, settings, noise);
  }

  /** Whether an image carries the marker where it agrees with the disease this often; `rank` is in (0, 1). */
  function isMarked(malignant, rank, agreement) {
    return rank < (malignant ? agreement : 1 - agreement);
  }

  // ---- the network ------------------------------------------------------------------------------------------

  /** ReLU of the largest of every 2 x 2 values plus their bias, into the middle of an array with a border of zeros. */
  function pool(input, size, n, bias, padded) {
    const half = size / 2;
    for (let row = 0; row < half; row++)
      for (let column = 0; column < half; column++)
        for (let c = 0; c < n; c++) {
          const p = (2 * row * size + 2 * column) * n + c;
          const below = p + size * n;
          const largest = Math.max(input[p], input[p + n], input[below], input[below + n]);
          padded[((row + 1) * (half + 2) + column + 1) * n + c] = Math.max(0, largest + bias[c]);
        }
  }

  /** A network from its file: {channels: [3, a, b, c], weights: base64}; returns image -> score of malignant, the
      difference of its two logits. Weights: for each layer (row, column, input, output), then its biases; then the
      two rows of the head and its biases. Batch normalization is already part of them. */
  function readNetwork(file) {
    const values = files.floatsOf(file.weights);
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
        network.convolve(layer.input, 1, layer.size, layer.nIn, layer.weights, layer.nOut, layer.output);
        if (i < 2) pool(layer.output, layer.size, layer.nOut, layer.bias, layers[i + 1].input);
      });
      const last = layers[2];
      const places = last.size * last.size;
      const answer = [headBias[0], headBias[1]];
      for (let c = 0; c < nFeatures; c++) {
        let sum = 0;
        for (let p = 0; p < places; p++) sum += Math.max(0, last.output[p * nFeatures + c] + last.bias[c]);
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

  window.medgenEngine = {
    SIZE, PIXELS, COLORS, SQUARE, SQUARES,
    bytesOf: files.bytesOf, normals, acquire, paste, isMarked, readNetwork, probability, blurMap, colored, auroc,
  };
})();
