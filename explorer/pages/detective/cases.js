/* What a seed hides: medgen_utils.sealed.cases, number by number. */
medgenLive.parts.cases = function ({ draws, clinic }) {
  const CAUSES = ["scanner", "shortcut", "population", "prevalence", "graders"];
  const REMEDIES = ["none", "augmentation", "cover", "sizes", "prior", "consensus"];
  const SCANNERS = [["gamma", 0.35, 0.6], ["gain", 0.15, 0.35], ["blur", 0.7, 1.4], ["noise", 0.05, 0.12]];
  const SOURCES = [
    { gamma: 0.9, gain: 0.95, texture_length: 1.2 },
    { gamma: 1.1, gain: 1.05, texture_length: 1.8 },
    { gamma: 1, gain: 1, texture_length: 1.5 },
  ];
  const AGREEMENTS = [0.99, 0.97, 0.95];
  const AT_RANDOM = 0.3;
  const BIASED = 0.9;
  const DRAWN = 77;

  const marker = (benign, malignant) => ({ marker_if_benign: benign, marker_if_malignant: malignant });
  const conditionOf = (causes) => causes.find((cause) => cause === "shortcut" || cause === "graders") ?? "plain";

  /** {seed, causes, condition, hospitals}; the last hospital is the sealed one. */
  function hide(seed) {
    const { uniform } = draws.stream(draws.seedOf(seed, DRAWN));
    const [number, first, second, kind, strength, agreement, size, share] = Array.from({ length: 8 }, uniform);
    const chosen = [CAUSES[Math.floor(5 * first)]];
    const other = CAUSES.filter((cause) => cause !== chosen[0])[Math.floor(4 * second)];
    const both = [chosen[0], other];
    if (number >= 0.6 && !(both.includes("shortcut") && both.includes("graders"))) chosen.push(other);
    const causes = CAUSES.filter((cause) => chosen.includes(cause));
    const changes = marker(AT_RANDOM, AT_RANDOM);
    if (causes.includes("scanner")) {
      const [name, low, high] = SCANNERS[Math.floor(4 * kind)];
      changes[name] = low + (high - low) * strength;
    }
    if (causes.includes("shortcut")) {
      const agrees = 0.05 + 0.45 * agreement;
      Object.assign(changes, marker(1 - agrees, agrees));
    }
    if (causes.includes("population")) changes.lesion_size = 0.1 + 0.05 * size;
    if (causes.includes("prevalence")) changes.prevalence = 0.08 + 0.17 * share;
    const condition = conditionOf(causes);
    const hospitals = SOURCES.map((own, i) => ({
      ...clinic.HOSPITAL, ...own,
      ...(condition === "shortcut" ? marker(1 - AGREEMENTS[i], AGREEMENTS[i]) : marker(AT_RANDOM, AT_RANDOM)),
      large_called_malignant: condition === "graders" ? BIASED : 0,
    }));
    return { seed, causes, condition, hospitals: [...hospitals, { ...clinic.HOSPITAL, ...changes }] };
  }

  return { CAUSES, REMEDIES, hide };
};
