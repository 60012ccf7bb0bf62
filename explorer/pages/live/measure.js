/* How well scores rank the diseased above the healthy. */
medgenLive.parts.measure = function () {
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

  return { auroc };
};
