/* The power of a study, as medgen_utils.evaluation.power computes it; a test holds the two together to 1e-6. */
window.medgenPower = (() => {
  "use strict";
  const MOST_HOSPITALS = 200;

  /** Normal distribution function (Marsaglia 2004): a series that ends when it stops changing. */
  function phi(x) {
    if (x < -8) return 0;
    if (x > 8) return 1;
    let sum = x, term = x, before = 0;
    for (let k = 3; sum !== before; k += 2) {
      before = sum;
      term *= (x * x) / k;
      sum += term;
    }
    return 0.5 + sum * Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  }

  /** log Gamma (Lanczos, nine terms). */
  function logGamma(z) {
    const g = [0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
      12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7];
    if (z < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * z)) - logGamma(1 - z);
    z -= 1;
    let sum = g[0];
    for (let i = 1; i < 9; i++) sum += g[i] / (z + i);
    return 0.5 * Math.log(2 * Math.PI) + (z + 0.5) * Math.log(z + 7.5) - z - 7.5 + Math.log(sum);
  }

  /** P(T > bound) of a noncentral t: the mean over s = sqrt(chi2 / df) of P(Z > bound s - shift), by Simpson's rule. */
  function above(bound, df, shift) {
    const last = 1 + 9 / Math.sqrt(df), n = 1000, step = last / n;
    const constant = Math.log(2) + (df / 2) * Math.log(df / 2) - logGamma(df / 2);
    let total = 0;
    for (let i = 0; i <= n; i++) {
      const s = i * step;
      const density = s === 0 ? (df === 1 ? Math.exp(constant) : 0)
        : Math.exp(constant + (df - 1) * Math.log(s) - df * s * s / 2);
      total += density * phi(shift - bound * s) * (i === 0 || i === n ? 1 : i % 2 ? 4 : 2);
    }
    return total * step / 3;
  }

  /** The bound that a t of `df` degrees exceeds with probability `tail`: halved until it is found. */
  function tQuantile(tail, df) {
    let [low, high] = [0, 1e4];
    for (let i = 0; i < 200 && high - low > 1e-12 * high; i++) {
      const middle = (low + high) / 2;
      if (above(middle, df, 0) > tail) low = middle; else high = middle;
    }
    return (low + high) / 2;
  }
  const bounds = new Map();
  function bound(level, df) {
    const key = `${level} ${df}`;
    if (!bounds.has(key)) bounds.set(key, tQuantile((1 - level) / 2, df));
    return bounds.get(key);
  }

  /** Hanley & McNeil 1982. */
  function aurocVariance(auroc, cases, controls) {
    if (!(auroc > 0 && auroc < 1)) throw new RangeError(`a score of ${auroc.toFixed(2)} cannot be: it lies between 0 and 1`);
    if (cases < 1 || controls < 1) throw new RangeError("each hospital needs at least one case and one control");
    const q1 = auroc / (2 - auroc), q2 = 2 * auroc ** 2 / (1 + auroc);
    return (auroc * (1 - auroc) + (cases - 1) * (q1 - auroc ** 2) + (controls - 1) * (q2 - auroc ** 2)) / (cases * controls);
  }

  /** The parts of the variance at one hospital. study: {question, effect, patients, seeds, auroc, prevalence}. */
  function parts(study, spread) {
    const cases = study.patients * study.prevalence;
    const [low, high] = [study.auroc, study.auroc + study.effect].map((a) => aurocVariance(a, cases, study.patients - cases));
    const rho = study.question === "method" ? spread.correlation : 0;
    return { site: spread.site ** 2, seed: spread.seed ** 2 / study.seeds, patients: low + high - 2 * rho * Math.sqrt(low * high) };
  }

  function power(study, spread, hospitals, level = 0.95) {
    if (hospitals < 2) throw new RangeError("one hospital says nothing about others");
    const { site, seed, patients } = parts(study, spread);
    const shift = study.effect / Math.sqrt((site + seed + patients) / hospitals);
    const at = bound(level, hospitals - 1);
    return above(at, hospitals - 1, shift) + above(at, hospitals - 1, -shift);
  }

  /** The fewest hospitals that reach `chance`, or null: power grows with them, so the range is halved. */
  function needed(study, spread, chance = 0.8) {
    if (power(study, spread, MOST_HOSPITALS) < chance) return null;
    let [low, high] = [1, MOST_HOSPITALS];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (power(study, spread, middle) >= chance) high = middle; else low = middle;
    }
    return high;
  }

  return { aurocVariance, parts, power, needed, MOST_HOSPITALS };
})();
