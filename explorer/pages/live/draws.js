/* Random numbers, the same as those of medgen_utils.draws. */
medgenLive.parts.draws = function () {
  /** One 32-bit seed from several numbers of 0 or more. */
  function seedOf(...numbers) {
    let state = 0x9e3779b9;
    for (const number of numbers) {
      state = Math.imul(state ^ number, 0x85ebca6b) >>> 0;
      state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35) >>> 0;
      state = (state ^ (state >>> 16)) >>> 0;
    }
    return state;
  }

  /** A stream from one seed: uniform() in (0, 1) by mulberry32, normals(n) by the transform of Box and Muller. */
  function stream(seed) {
    let state = seed >>> 0;
    function uniform() {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
    }
    function normals(n) {
      const values = new Float32Array(n);
      for (let i = 0; i < n; i += 2) {
        const radius = Math.sqrt(-2 * Math.log(uniform()));
        const angle = 2 * Math.PI * uniform();
        values[i] = radius * Math.cos(angle);
        if (i + 1 < n) values[i + 1] = radius * Math.sin(angle);
      }
      return values;
    }
    return { uniform, normals };
  }

  return { seedOf, stream };
};
