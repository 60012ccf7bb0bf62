/* The scanner of medgen_utils.clinic.acquire on one image of any number of channels, row by row, channels innermost. */
medgenLive.parts.scanner = function () {
  const SIZE = 28;
  const PIXELS = SIZE * SIZE;
  const MARKER = { first: 2, last: 4 }; // rows and columns of clinic.marker_box

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

  /** Blur rows, then columns; the image wraps around at its border, as in clinic. Changes the image. */
  function blur(image, sigma) {
    const kernel = blurKernel(sigma);
    const channels = image.length / PIXELS;
    const between = new Float32Array(image.length);
    for (const [from, to, step, line] of [
      [image, between, channels, SIZE * channels],
      [between, image, SIZE * channels, channels],
    ]) {
      for (let a = 0; a < SIZE; a++)
        for (let b = 0; b < SIZE; b++)
          for (let c = 0; c < channels; c++) {
            let sum = 0;
            for (let d = 0, i = a * line + c; d < SIZE; d++, i += step) sum += kernel[b - d + SIZE] * from[i];
            to[a * line + b * step + c] = sum;
          }
    }
  }

  /** What follows the stain, in order: blur, contrast, gamma, gain, noise, clipping. `noise` holds as many standard
      normal numbers as the image has values. Changes and returns the image. */
  function develop(image, settings, noise) {
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

  /** Paste the marker; it comes after the scanner, as in clinic.make_clinic. Changes and returns the image. */
  function paste(image, color) {
    for (let row = MARKER.first; row <= MARKER.last; row++)
      for (let column = MARKER.first; column <= MARKER.last; column++)
        for (let c = 0; c < color.length; c++) image[(row * SIZE + column) * color.length + c] = color[c];
    return image;
  }

  return { SIZE, PIXELS, MARKER, remember, blur, develop, paste };
};
