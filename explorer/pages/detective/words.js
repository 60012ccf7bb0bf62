/* What the game of the sealed hospital says. */
window.medgenWords = (function () {
  "use strict";
  const two = (value) => value.toFixed(2);
  const percent = (value) => `${Math.round(100 * value)} %`;

  const causes = {
    scanner: { title: "Scanner", note: "images are made differently there", chapter: "data_augmentation", link: "Data augmentation",
      told: "Another gain, display curve, focus or noise. Intensities and sharpness move, the shares of malignant lesions and markers do not." },
    shortcut: { title: "Shortcut", note: "a marker that agreed with the label", chapter: "domain_shift", link: "Domain shift",
      told: "At the training hospitals a bright square sat on nearly all malignant and hardly any benign images. At home this looks like skill." },
    population: { title: "Population", note: "other lesions: smaller", chapter: "domain_shift", link: "Domain shift",
      told: "A screening hospital finds lesions small: less dark area and less contrast, with the same grain and the same display." },
    prevalence: { title: "Prevalence", note: "fewer lesions are malignant", chapter: "evaluation_reports", link: "Evaluation reports",
      told: "The lesions are of the same kinds in other shares. The AUROC hardly moves, the probabilities are too high." },
    graders: { title: "Graders", note: "the training labels are biased", chapter: "concept_shift", link: "Concept shift",
      told: "At the training hospitals large lesions were recorded as malignant, whatever they are. No image tells; a panel that reads again does." },
  };
  const remedies = {
    none: { title: "Change nothing", note: "deploy the network as it is" },
    augmentation: { title: "Augmentation", note: "train again with varied intensities, blur and noise" },
    cover: { title: "Cover the corner", note: "train again with the marker's place hidden" },
    sizes: { title: "More sizes", note: "train again with lesions of more sizes" },
    prior: { title: "Adjust to the prevalence", note: "estimated from the answers there, without labels" },
    consensus: { title: "Labels by a panel", note: "train again with labels read by several experts" },
  };
  const tools = {
    test: "Shift test on the answers", probe: "Measure the images", audit: "Have 20 training labels read again", labels: "Buy 20 labels there",
  };

  /** What a piece of evidence says, in one or two sentences. */
  function tell(tool, found, { home, pool }) {
    if (tool === "test")
      return `The answers on ${home} images at home and ${pool} there differ by ${two(found.distance)} (Kolmogorov-Smirnov), `
        + `${found.p_value < 0.001 ? "p below 0.001" : `p = ${found.p_value.toFixed(3)}`}. Called malignant: ${percent(found["called at home"])} at home, ${percent(found["called there"])} there.`;
    if (tool === "probe") return "Means of the images at home and there; differences in standard deviations of the images at home.";
    if (tool === "audit")
      return `Of ${found["read again"]} labels ${found["called malignant, benign in truth"]} were recorded as malignant and are benign, `
        + `${found["called benign, malignant in truth"]} the other way round.`;
    if (tool === "labels")
      return `Of 20 lesions ${found.malignant} are malignant; the network calls ${found["wrong calls"]} of the 20 wrongly. `
        + (found.auroc === undefined ? "Too few of one kind for an AUROC." : `AUROC ${two(found.auroc)} (95 % interval ${two(found.low)} to ${two(found.high)}).`);
    return `At home its AUROC, on recorded labels, is ${two(found["auroc at home"])}; without it ${two(found["without it"])}. `
      + `There it turns ${percent(found["turned there"])} of the answers, and then calls ${percent(found["called there"])} malignant.`;
  }

  return { causes, remedies, tools, tell };
})();
