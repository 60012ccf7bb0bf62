/* The network of medgen_utils.backbones.SmallCNN with its linear head, on grey images of 28 pixels, forwards and
   backwards: three times 3 x 3 convolution, batch normalization and ReLU, the largest of 2 x 2 between them, the mean
   over places, two logits. All weights lie in one array, so that an optimiser is one loop; `layout` says where.
   Values of an image lie row by row, channels innermost. */
medgenLive.parts.network = function () {
  const SIZE = 28;
  const EPSILON = 1e-5; // of the batch normalization, as torch's
  const MOMENTUM = 0.1;

  /** Where the weights lie for these widths, for example [1, 8, 16, 32]: every width but the first a multiple of 8.
      Convolutions in blocks of 8 outputs: (block, row, column, input, output in the block). */
  function layout(channels) {
    let at = 0;
    const take = (n) => { const place = { from: at, to: at + n }; at += n; return place; };
    const layers = channels.slice(1).map((nOut, i) => ({
      nIn: channels[i], nOut, size: SIZE >> i,
      weights: take(9 * channels[i] * nOut), scale: take(nOut), shift: take(nOut),
    }));
    const nFeatures = channels[channels.length - 1];
    return { layers, nFeatures, head: take(2 * nFeatures), headBias: take(2), length: at };
  }

  /** 3 x 3 convolution of n images with a border of zeros. The innermost loop keeps 8 sums at once: here, and in
      `gradientOfWeights`, a training spends nearly all of its time. */
  function convolve(input, n, size, nIn, weights, nOut, output) {
    const line = (size + 2) * nIn;
    for (let image = 0; image < n; image++)
      for (let row = 0; row < size; row++)
        for (let column = 0; column < size; column++) {
          const corner = (image * (size + 2) + row) * line + column * nIn;
          const to = ((image * size + row) * size + column) * nOut;
          for (let o = 0, w = 0; o < nOut; o += 8) {
            let s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
            for (let r = 0; r < 3; r++) {
              const end = corner + r * line + 3 * nIn;
              for (let p = corner + r * line; p < end; p++, w += 8) {
                const v = input[p];
                s0 += v * weights[w]; s1 += v * weights[w + 1]; s2 += v * weights[w + 2]; s3 += v * weights[w + 3];
                s4 += v * weights[w + 4]; s5 += v * weights[w + 5]; s6 += v * weights[w + 6]; s7 += v * weights[w + 7];
              }
            }
            output[to + o] = s0; output[to + o + 1] = s1; output[to + o + 2] = s2; output[to + o + 3] = s3;
            output[to + o + 4] = s4; output[to + o + 5] = s5; output[to + o + 6] = s6; output[to + o + 7] = s7;
          }
        }
  }

  /** Gradient of the weights of a convolution from its input and the gradient of its output, both with a border. */
  function gradientOfWeights(input, n, size, nIn, gradient, nOut, result) {
    const [lineIn, lineOut] = [(size + 2) * nIn, (size + 2) * nOut];
    for (let o = 0, w = 0; o < nOut; o += 8)
      for (let r = 0; r < 3; r++)
        for (let q = 0; q < 3 * nIn; q++, w += 8) {
          let s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
          for (let image = 0; image < n; image++)
            for (let row = 0; row < size; row++) {
              let p = (image * (size + 2) + row + r) * lineIn + q;
              let d = (image * (size + 2) + row + 1) * lineOut + nOut + o;
              for (let column = 0; column < size; column++, p += nIn, d += nOut) {
                const v = input[p];
                s0 += v * gradient[d]; s1 += v * gradient[d + 1]; s2 += v * gradient[d + 2]; s3 += v * gradient[d + 3];
                s4 += v * gradient[d + 4]; s5 += v * gradient[d + 5]; s6 += v * gradient[d + 6]; s7 += v * gradient[d + 7];
              }
            }
          result[w] = s0; result[w + 1] = s1; result[w + 2] = s2; result[w + 3] = s3;
          result[w + 4] = s4; result[w + 5] = s5; result[w + 6] = s6; result[w + 7] = s7;
        }
  }

  /** The weights with which `convolve` leads a gradient back: inputs and outputs exchanged, the kernel turned around. */
  function turnedAround(weights, nIn, nOut) {
    const turned = new Float32Array(weights.length);
    for (let o = 0; o < nOut; o++)
      for (let k = 0; k < 9; k++)
        for (let i = 0; i < nIn; i++) {
          const from = (((o >> 3) * 9 + k) * nIn + i) * 8 + (o & 7);
          turned[(((i >> 3) * 9 + (8 - k)) * nOut + o) * 8 + (i & 7)] = weights[from];
        }
    return turned;
  }

  /** Room for batches of up to `capacity` images. forward(weights, running, images, training) -> {features, logits};
      then backward(weights, ofLogits, ofFeatures) -> gradient of all weights, of the same layout. */
  function makeNetwork(channels, capacity) {
    const { layers, nFeatures, head, headBias, length } = layout(channels);
    const gradient = new Float32Array(length);
    const room = layers.map(({ nIn, nOut, size }) => ({
      input: new Float32Array(capacity * (size + 2) * (size + 2) * nIn),
      output: new Float32Array(capacity * size * size * nOut), // of the convolution, then normalized
      back: new Float32Array(capacity * (size + 2) * (size + 2) * nOut), // gradient of the convolution's output
      lead: new Float32Array(capacity * size * size * nIn),
      largest: new Int32Array(capacity * (size >> 1) * (size >> 1) * nOut),
      inverse: new Float64Array(nOut),
    }));
    const features = new Float32Array(capacity * nFeatures);
    const logits = new Float32Array(capacity * 2);
    let n = 0;

    /** Batch normalization in place, to mean 0 and variance 1: with those of this batch, and remember them, or with
        what was remembered. `memory` holds {mean, variance} of the layer. */
    function normalize({ nOut, size }, { output, inverse }, memory, training) {
      const places = n * size * size;
      const mean = memory.mean.slice();
      const variance = memory.variance.slice();
      if (training) {
        mean.fill(0);
        variance.fill(0);
        for (let p = 0; p < places * nOut; p += nOut)
          for (let c = 0; c < nOut; c++) {
            const value = output[p + c];
            mean[c] += value;
            variance[c] += value * value;
          }
        for (let c = 0; c < nOut; c++) {
          mean[c] /= places;
          variance[c] = Math.max(0, variance[c] / places - mean[c] ** 2);
          memory.mean[c] += MOMENTUM * (mean[c] - memory.mean[c]);
          memory.variance[c] += MOMENTUM * ((variance[c] * places) / (places - 1) - memory.variance[c]);
        }
      }
      for (let c = 0; c < nOut; c++) inverse[c] = 1 / Math.sqrt(variance[c] + EPSILON);
      for (let p = 0; p < places * nOut; p += nOut)
        for (let c = 0; c < nOut; c++) output[p + c] = (output[p + c] - mean[c]) * inverse[c];
    }

    /** ReLU of scale * output + shift, the largest of 2 x 2 into the next layer's input. Remembers which it was, by its
        place among values with a border; 0, a corner of the border, where ReLU lets nothing through. */
    function pool({ nOut, size }, { output, largest }, scale, shift, next) {
      const half = size >> 1;
      for (let image = 0, at = 0; image < n; image++)
        for (let row = 0; row < half; row++)
          for (let column = 0; column < half; column++) {
            const first = ((image * size + 2 * row) * size + 2 * column) * nOut;
            const within = ((image * (size + 2) + 2 * row + 1) * (size + 2) + 2 * column + 1) * nOut;
            const to = ((image * (half + 2) + row + 1) * (half + 2) + column + 1) * nOut;
            for (let c = 0; c < nOut; c++, at++) {
              let best = 0;
              let place = 0;
              for (let k = 0; k < 4; k++) {
                const right = (k & 1) * nOut + c;
                const value = scale[c] * output[first + (k >> 1) * size * nOut + right] + shift[c];
                if (value > best) {
                  best = value;
                  place = within + (k >> 1) * (size + 2) * nOut + right;
                }
              }
              next[to + c] = best;
              largest[at] = place;
            }
          }
    }

    function forward(weights, running, images, training) {
      n = images.length;
      const first = room[0].input;
      images.forEach((image, i) => {
        for (let row = 0; row < SIZE; row++)
          for (let column = 0; column < SIZE; column++)
            first[(i * (SIZE + 2) + row + 1) * (SIZE + 2) + column + 1] = 2 * image[row * SIZE + column] - 1;
      });
      layers.forEach((layer, i) => {
        const own = room[i];
        convolve(own.input, n, layer.size, layer.nIn, weights.subarray(layer.weights.from, layer.weights.to), layer.nOut, own.output);
        normalize(layer, own, running[i], training);
        const scale = weights.subarray(layer.scale.from, layer.scale.to);
        const shift = weights.subarray(layer.shift.from, layer.shift.to);
        if (i + 1 < layers.length) pool(layer, own, scale, shift, room[i + 1].input);
        else meanOverPlaces(layer, own, scale, shift);
      });
      for (let i = 0; i < n; i++)
        for (let k = 0; k < 2; k++) {
          let sum = weights[headBias.from + k];
          for (let c = 0; c < nFeatures; c++) sum += weights[head.from + k * nFeatures + c] * features[i * nFeatures + c];
          logits[2 * i + k] = sum;
        }
      return { features: features.subarray(0, n * nFeatures), logits: logits.subarray(0, 2 * n) };
    }

    function meanOverPlaces({ nOut, size }, own, scale, shift) {
      const places = size * size;
      for (let image = 0; image < n; image++)
        for (let c = 0; c < nOut; c++) {
          let sum = 0;
          for (let p = 0; p < places; p++) sum += Math.max(0, scale[c] * own.output[(image * places + p) * nOut + c] + shift[c]);
          features[image * nOut + c] = sum / places;
        }
    }

    function backward(weights, ofLogits, ofFeatures) {
      gradient.fill(0);
      const lead = new Float32Array(n * nFeatures);
      for (let i = 0; i < n; i++)
        for (let k = 0; k < 2; k++) {
          const d = ofLogits[2 * i + k];
          gradient[headBias.from + k] += d;
          for (let c = 0; c < nFeatures; c++) {
            gradient[head.from + k * nFeatures + c] += d * features[i * nFeatures + c];
            lead[i * nFeatures + c] += d * weights[head.from + k * nFeatures + c];
          }
        }
      if (ofFeatures) for (let i = 0; i < lead.length; i++) lead[i] += ofFeatures[i];
      spread(lead, weights);
      for (let i = layers.length - 1; i >= 0; i--) {
        const [layer, own] = [layers[i], room[i]];
        denormalize(layer, own, weights);
        gradientOfWeights(own.input, n, layer.size, layer.nIn, own.back, layer.nOut, gradient.subarray(layer.weights.from, layer.weights.to));
        if (i === 0) break;
        const turned = turnedAround(weights.subarray(layer.weights.from, layer.weights.to), layer.nIn, layer.nOut);
        convolve(own.back, n, layer.size, layer.nOut, turned, layer.nIn, own.lead);
        const { back, largest } = room[i - 1];
        back.fill(0);
        for (let p = 0; p < n * layer.size * layer.size * layer.nIn; p++) back[largest[p]] = own.lead[p];
        back.fill(0, 0, layer.nIn); // what ReLU did not let through
      }
      return gradient;
    }

    /** From the mean over places back to where ReLU let something through. */
    function spread(lead, weights) {
      const layer = layers[layers.length - 1];
      const own = room[layers.length - 1];
      const { nOut, size } = layer;
      const places = size * size;
      own.back.fill(0);
      for (let image = 0; image < n; image++)
        for (let row = 0; row < size; row++)
          for (let column = 0; column < size; column++)
            for (let c = 0; c < nOut; c++) {
              const value = own.output[((image * size + row) * size + column) * nOut + c];
              if (weights[layer.scale.from + c] * value + weights[layer.shift.from + c] > 0)
                own.back[((image * (size + 2) + row + 1) * (size + 2) + column + 1) * nOut + c] = lead[image * nOut + c] / places;
            }
    }

    /** Through the batch normalization, in place: `back` is the gradient behind it, and becomes that before it. */
    function denormalize({ nOut, size, scale, shift }, { back, output, inverse }, weights) {
      const places = n * size * size;
      const sum = new Float64Array(nOut);
      const along = new Float64Array(nOut);
      const rowsFrom = (act) => {
        for (let image = 0; image < n; image++)
          for (let row = 0; row < size; row++)
            act((image * size + row) * size * nOut, ((image * (size + 2) + row + 1) * (size + 2) + 1) * nOut);
      };
      rowsFrom((p, q) => {
        for (let k = 0; k < size * nOut; k += nOut)
          for (let c = 0; c < nOut; c++) {
            sum[c] += back[q + k + c];
            along[c] += back[q + k + c] * output[p + k + c];
          }
      });
      const factor = inverse.map((value, c) => value * weights[scale.from + c]);
      gradient.set(along, scale.from);
      gradient.set(sum, shift.from);
      for (let c = 0; c < nOut; c++) {
        sum[c] /= places;
        along[c] /= places;
      }
      rowsFrom((p, q) => {
        for (let k = 0; k < size * nOut; k += nOut)
          for (let c = 0; c < nOut; c++)
            back[q + k + c] = factor[c] * (back[q + k + c] - sum[c] - output[p + k + c] * along[c]);
      });
    }

    return { forward, backward, layers, length };
  }

  /** First weights, as torch draws them: uniform within 1 / sqrt(inputs) of a sum; {weights, running}. */
  function firstWeights(channels, uniform) {
    const { layers, nFeatures, head, headBias, length } = layout(channels);
    const weights = new Float32Array(length);
    const draw = ({ from, to }, inputs) => {
      for (let i = from; i < to; i++) weights[i] = (2 * uniform() - 1) / Math.sqrt(inputs);
    };
    for (const layer of layers) {
      draw(layer.weights, 9 * layer.nIn);
      weights.fill(1, layer.scale.from, layer.scale.to);
    }
    draw(head, nFeatures);
    draw(headBias, nFeatures);
    const running = layers.map(({ nOut }) => ({ mean: new Float64Array(nOut), variance: new Float64Array(nOut).fill(1) }));
    return { weights, running };
  }

  return { layout, convolve, makeNetwork, firstWeights };
};
