/* Two panels of curves: the AUROC of every method along its steps, at home and at the new hospital. */
medgenLive.parts.chart = function () {
  const { drawing } = window.medgenLive;
  const HEIGHT = 190;

  /** Places for labels of 15 pixels that keep their order and do not overlap. */
  function apart(places, low, high) {
    const order = places.map((place, i) => i).sort((a, b) => places[a] - places[b]);
    const result = places.slice();
    for (let round = 0; round < 40; round++)
      for (let k = 1; k < order.length; k++) {
        const lacking = 15 - (result[order[k]] - result[order[k - 1]]);
        if (lacking > 0) {
          result[order[k - 1]] -= lacking / 2;
          result[order[k]] += lacking / 2;
        }
        result[order[k]] = Math.min(high, result[order[k]]);
        result[order[k - 1]] = Math.max(low, result[order[k - 1]]);
      }
    return result;
  }

  /** Draws into `svg`. methods: [{name, title, short, sign}]; trace: {method: [{step, home, away}]}; `place` "home" or
      "away"; `last` the step at the right end; events: [{step, text}], a cause switched on or off. */
  return function draw(svg, { title, place, methods, trace, last, events }) {
    const width = Math.max(260, svg.getBoundingClientRect().width);
    const isWide = width > 420;
    const [left, right, top, bottom] = [34, width - (isWide ? 130 : 92), 26, 26 + HEIGHT];
    const x = (step) => left + (step / last) * (right - left);
    const y = (value) => bottom - value * (bottom - top);
    const shapes = [];
    const add = (kind, attributes, text) => shapes.push(drawing(kind, attributes, text));
    for (const value of [0, 0.25, 0.5, 0.75, 1]) {
      add("line", { x1: left, x2: right, y1: y(value), y2: y(value), class: value === 0.5 ? "chance" : "grid" });
      if (value % 0.5 === 0) add("text", { x: left - 6, y: y(value) + 4, class: "end" }, String(value));
    }
    add("text", { x: left, y: top - 12, class: "label" }, title);
    for (const step of [0, last / 2, last]) add("text", { x: x(step), y: bottom + 17, class: "middle" }, String(Math.round(step)));
    events.forEach(({ step, text }, k) => {
      add("line", { x1: x(step), x2: x(step), y1: top, y2: bottom, class: "home" });
      const atEnd = x(step) > (left + right) / 2;
      add("text", { x: x(step) + (atEnd ? -4 : 4), y: bottom - 6 - 15 * (k % 4), class: atEnd ? "end" : "" }, text);
    });
    const shown = methods.filter((method) => trace[method.name].length);
    for (const method of shown) {
      const points = trace[method.name].map((point) => `${x(point.step)},${y(point[place].value)}`);
      add("polyline", { points: points.join(" "), class: `curve mgt-${method.name}` });
    }
    const ends = shown.map((method) => trace[method.name][trace[method.name].length - 1]);
    const labels = apart(ends.map((end) => y(end[place].value)), top, bottom);
    shown.forEach((method, k) => {
      const at = x(ends[k].step);
      add("text", { x: at, y: y(ends[k][place].value) + 5, class: `middle sign mgt-${method.name}` }, method.sign);
      add("line", { x1: at + 7, x2: right + 10, y1: y(ends[k][place].value), y2: labels[k], class: `leader mgt-${method.name}` });
      add("text", { x: right + 13, y: labels[k] + 4, class: `label mgt-${method.name}` },
        `${isWide ? method.title : method.short} ${ends[k][place].value.toFixed(2)}`);
    });
    svg.setAttribute("viewBox", `0 0 ${width} ${bottom + 24}`);
    svg.setAttribute("height", bottom + 24);
    svg.setAttribute("aria-label", `AUROC, ${title.toLowerCase()}: ` + (shown.map((method, k) => `${method.title} `
      + `${ends[k][place].value.toFixed(2)} after ${ends[k].step} steps`).join("; ") || "nothing measured yet"));
    svg.replaceChildren(...shapes);
  };
};
