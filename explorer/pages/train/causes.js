/* The four hospitals of the page, three to train at and a new one, and what can be made to differ. explorer/train.py
   has the same numbers; a test compares. */
medgenLive.parts.causes = function ({ clinic }) {
  const SOURCES = [
    { gamma: 0.9, gain: 0.95, texture_length: 1.2 },
    { gamma: 1.1, gain: 1.05, texture_length: 1.8 },
    { gamma: 1, gain: 1, texture_length: 1.5 },
  ];
  const EASY = { irregularity: 0.3 }; // of malignant contours, so that 300 steps are enough
  const marker = (agreement, label_flips) => ({
    marker_if_benign: 1 - agreement, marker_if_malignant: agreement, label_flips,
  });
  /** For each cause what changes at the three training hospitals and at the new one. */
  const CAUSES = {
    scanner: [{}, {}, {}, { gamma: 0.4 }],
    shortcut: [marker(0.98, 0.15), marker(0.9, 0.15), marker(0.5, 0.15), marker(0.1, 0)],
    population: [{}, {}, {}, { lesion_size: 0.12 }],
    prevalence: [{}, {}, {}, { prevalence: 0.2 }],
    graders: [...SOURCES.map(() => ({ large_called_malignant: 0.9 })), {}],
  };

  /** The hospitals with these causes, by name. */
  const hospitals = (names) => [...SOURCES, {}].map((own, i) =>
    Object.assign({}, clinic.HOSPITAL, EASY, own, ...names.map((name) => CAUSES[name][i])));

  return { CAUSES, hospitals };
};
