/* The synthetic clinic of medgen_utils.clinic, grey and 28 pixels wide: make_clinic(..., streams=draws.streams).
   A hospital is an object with the parameters of medgen_utils.hospital.Hospital, by the same names. */
medgenLive.parts.clinic = function ({ draws, scanner }) {
  const { SIZE, PIXELS, remember } = scanner;
  const MODES = [2, 3, 4, 5, 6, 7, 8, 9, 10]; // waves around the contour: the first two give its shape
  const BENIGN_ROUGHNESS = 0.05;
  const LARGE_LESION = 0.22;
  const LATENT = 7 + 2 * MODES.length; // numbers that describe a patient
  const HOSPITAL = {
    gain: 1, gamma: 1, contrast: 1, blur: 0, noise: 0.012, texture_length: 1.5,
    lesion_size: 0.22, size_spread: 0.18, lesion_contrast: 0.35, irregularity: 0.25, prevalence: 0.5,
    marker_if_benign: 0, marker_if_malignant: 0, large_called_malignant: 0, label_flips: 0,
  };

  const clip = (value, low, high) => (value < low ? low : value > high ? high : value);

  /** White noise times this kernel, around the border, is the grain of the tissue: fine speckle, grain, broad layers. */
  const grainKernel = remember((length) => {
    const parts = [[0.3, 0.35, 0.45], [0.5, 0.8, 1.1], [0.2, 2, 5]];
    const frequency = Array.from({ length: SIZE }, (_, k) => (k < SIZE / 2 ? k : k - SIZE) / SIZE);
    const spectrum = new Float64Array(PIXELS);
    for (const [share, vertical, horizontal] of parts) {
      const power = frequency.flatMap((down) => frequency.map((right) =>
        Math.exp(-4 * Math.PI ** 2 * length ** 2 * ((vertical * down) ** 2 + (horizontal * right) ** 2))));
      const total = power.reduce((sum, value) => sum + value, 0);
      power.forEach((value, i) => { spectrum[i] += (share * value * PIXELS) / total; });
    }
    const cosine = Array.from({ length: SIZE }, (_, k) => Math.cos((2 * Math.PI * k) / SIZE));
    const between = new Float64Array(PIXELS); // the spectrum is even, so cosines are enough
    const kernel = new Float64Array(PIXELS);
    for (let row = 0; row < SIZE; row++)
      for (let x = 0; x < SIZE; x++)
        for (let k = 0; k < SIZE; k++)
          between[row * SIZE + x] += (Math.sqrt(spectrum[row * SIZE + k]) * cosine[(k * x) % SIZE]) / SIZE;
    for (let y = 0; y < SIZE; y++)
      for (let x = 0; x < SIZE; x++)
        for (let k = 0; k < SIZE; k++)
          kernel[y * SIZE + x] += (between[k * SIZE + x] * cosine[(k * y) % SIZE]) / SIZE;
    const twice = new Float64Array(2 * PIXELS); // every row reversed and repeated, so that a lookup need not wrap around
    for (let row = 0; row < SIZE; row++)
      for (let k = 0; k < 2 * SIZE; k++) twice[row * 2 * SIZE + k] = kernel[row * SIZE + ((2 * SIZE - k) % SIZE)];
    return twice;
  });

  function grain(noise, length) {
    const twice = grainKernel(length);
    const result = new Float32Array(PIXELS);
    for (let y = 0; y < SIZE; y++)
      for (let v = 0; v < SIZE; v++) {
        const row = ((y - v + SIZE) % SIZE) * 2 * SIZE;
        for (let x = 0; x < SIZE; x++) {
          let sum = 0;
          for (let u = 0, k = row + SIZE - x, i = v * SIZE; u < SIZE; u++) sum += twice[k + u] * noise[i + u];
          result[y * SIZE + x] += sum;
        }
      }
    return result;
  }

  /** The shape of a lesion from the numbers of a patient. */
  function contour(latent, malignant, hospital) {
    const real = MODES.map((_, k) => latent[7 + k]);
    const imaginary = MODES.map((_, k) => latent[7 + MODES.length + k]);
    [0.1, 0.04].forEach((size, k) => { real[k] *= size; imaginary[k] *= size; });
    const irregularity = Math.hypot(BENIGN_ROUGHNESS, malignant ? hospital.irregularity : 0) * Math.exp(0.2 * latent[3]);
    let total = 0;
    for (let k = 2; k < MODES.length; k++) {
      real[k] /= Math.sqrt(MODES[k] - 2);
      imaginary[k] /= Math.sqrt(MODES[k] - 2);
      total += real[k] ** 2 + imaginary[k] ** 2;
    }
    for (let k = 2; k < MODES.length; k++) {
      real[k] *= irregularity / Math.sqrt(2 * total);
      imaginary[k] *= irregularity / Math.sqrt(2 * total);
    }
    return {
      real, imaginary, radius: hospital.lesion_size * Math.exp(hospital.size_spread * latent[0]),
      x: 0.5 + 0.06 * latent[1], y: 0.5 + 0.06 * latent[2], shading: [4, 5, 6].map((k) => 0.05 * latent[k]),
    };
  }

  /** A lesion in textured tissue, what a perfect scanner would see. `noise` holds a normal number for each pixel. */
  function tissue(lesion, hospital, noise) {
    const speckle = grain(noise, hospital.texture_length);
    const contrast = hospital.lesion_contrast * (1 + 2 * lesion.shading[2]);
    const image = new Float32Array(PIXELS);
    for (let row = 0, i = 0; row < SIZE; row++)
      for (let column = 0; column < SIZE; column++, i++) {
        const px = (column + 0.5) / SIZE;
        const py = (row + 0.5) / SIZE;
        const right = px - lesion.x;
        const down = py - lesion.y;
        const distance = Math.sqrt(right * right + down * down) + 1e-6;
        const c = right / distance;
        const s = down / distance;
        let a = 0; // a sum of powers of the direction, highest first
        let b = 0;
        for (let k = MODES.length - 1; k >= 0; k--) {
          const u = a + lesion.real[k];
          const v = b + lesion.imaginary[k];
          a = u * c - v * s;
          b = u * s + v * c;
        }
        const deviation = a * c - b * s;
        const edge = lesion.radius * Math.max(1 + deviation, 0.25);
        const depth = (edge - distance) * 28 + 0.25 * speckle[i];
        const inside = clip(0.5 + depth / 2, 0, 1) * (0.85 + 0.05 * clip(depth, 0, 4));
        const ground = 0.66 + lesion.shading[0] * (px - 0.5) + (lesion.shading[1] - 0.14) * (py - 0.5);
        image[i] = clip((ground - contrast * inside) * (1 + 0.15 * speckle[i]), 0, 1);
      }
    return image;
  }

  /** n images of the hospital at `position` of a list: {images: [Float32Array], truth, label, marked}, lists of n.
      `truth` is the tissue's own, `label` what a grader recorded; both 1 for malignant. */
  function drawHospital(hospital, position, n, seed) {
    const [patients, speckles, records, noise] = [0, 1, 2, 3].map((kind) =>
      draws.stream(draws.seedOf(seed, position, kind)));
    const found = { images: [], truth: [], label: [], marked: [] };
    const latent = patients.normals(n * LATENT);
    for (let i = 0; i < n; i++) {
      const [ofDisease, ofBias, ofFlip, ofMarker] = [0, 0, 0, 0].map(() => records.uniform());
      const truth = ofDisease < hospital.prevalence;
      const lesion = contour(latent.subarray(i * LATENT, (i + 1) * LATENT), truth, hospital);
      const called = lesion.radius > LARGE_LESION && ofBias < hospital.large_called_malignant;
      const label = (truth || called) !== ofFlip < hospital.label_flips;
      const marked = ofMarker < (label ? hospital.marker_if_malignant : hospital.marker_if_benign);
      const image = scanner.develop(tissue(lesion, hospital, speckles.normals(PIXELS)), hospital, noise.normals(PIXELS));
      found.images.push(marked ? scanner.paste(image, [1]) : image);
      found.truth.push(Number(truth));
      found.label.push(Number(label));
      found.marked.push(Number(marked));
    }
    return found;
  }

  return { HOSPITAL, drawHospital };
};
