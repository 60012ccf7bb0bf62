/* The curve of the explorer: AUROC of each network at every setting of one slider that was visited. */
(function () {
  "use strict";

  /** Draws into the element `svg`. `trace`: value of the slider -> for each network AUROC, low and high; `now`: the value
      that is set; `drawing` makes an SVG element, `twice` writes a number. */
  window.medgenCurve = function (svg, { slider, trace, now, networks, drawing, twice }) {
    const width = Math.max(240, svg.getBoundingClientRect().width);
    const isWide = width > 480;
    const [left, right, top, bottom] = [40, width - (isWide ? 124 : 62), 12, 200];
    const x = (value) => left + ((value - slider.min) / (slider.max - slider.min)) * (right - left);
    const y = (value) => bottom - value * (bottom - top);
    const shapes = [];
    const add = (kind, attributes, text) => shapes.push(drawing(kind, attributes, text));
    for (const value of [0, 0.25, 0.5, 0.75, 1]) {
      add("line", { x1: left, x2: right, y1: y(value), y2: y(value), class: value === 0.5 ? "chance" : "grid" });
      add("text", { x: left - 6, y: y(value) + 4, class: "end" }, value === 0 || value === 1 ? String(value) : twice(value));
    }
    add("text", { x: right + 8, y: y(0.5) + 4 }, "chance");
    add("line", { x1: x(slider.home), x2: x(slider.home), y1: top, y2: bottom, class: "home" });
    for (const value of [slider.min, slider.max])
      add("text", { x: x(value), y: bottom + 18, class: "middle" }, slider.show(value));
    if ([slider.min, slider.max].every((value) => Math.abs(x(value) - x(slider.home)) > 70))
      add("text", { x: x(slider.home), y: bottom + 18, class: "middle" }, `training: ${slider.show(slider.home)}`);
    const values = [...trace.keys()].sort((a, b) => a - b);
    networks.forEach((network, n) => {
      const points = values.map((value) => `${x(value)},${y(trace.get(value)[n].value)}`);
      add("polyline", { points: points.join(" "), class: `curve mgx-${network.name}` });
      for (const value of values) {
        const [px, py] = [x(value), y(trace.get(value)[n].value)];
        const size = value === now ? 6 : 3;
        if (n === 0) add("circle", { cx: px, cy: py, r: size, class: `mgx-${network.name}` });
        else add("rect", { x: px - size, y: py - size, width: 2 * size, height: 2 * size, class: `mgx-${network.name}` });
      }
    });
    if (trace.has(now)) {
      const found = trace.get(now);
      const places = found.map((one) => y(one.value));
      const overlap = 15 - Math.abs(places[0] - places[1]);
      if (overlap > 0) {
        const upper = places[0] <= places[1] ? 0 : 1;
        places[upper] -= overlap / 2;
        places[1 - upper] += overlap / 2;
      }
      networks.forEach((network, n) => {
        add("line", { x1: x(now), x2: x(now), y1: y(found[n].low), y2: y(found[n].high), class: `interval mgx-${network.name}` });
        if (Math.abs(places[n] - y(0.5)) > 12)
          add("text", { x: right + 8, y: places[n] + 4, class: `label mgx-${network.name}` }, `${isWide ? network.title : network.sign} ${twice(found[n].value)}`);
      });
    }
    add("text", { x: (left + right) / 2, y: bottom + 36, class: "middle" }, slider.title);
    svg.setAttribute("viewBox", `0 0 ${width} 240`);
    svg.setAttribute("aria-label", `AUROC of ${networks.map((network) => network.title).join(" and ")} at ${values.length} settings of ${slider.title.toLowerCase()}: `
      + values.map((value) => `${slider.show(value)}: ${trace.get(value).map((one) => twice(one.value)).join(" and ")}`).join("; "));
    svg.replaceChildren(...shapes);
  };
})();
