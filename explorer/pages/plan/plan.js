/* Plan a study: sliders, the chance to see a difference, a curve over hospitals, a sentence for a protocol. */
(() => {
  "use strict";
  const { spreads } = window.medgenPlan, engine = window.medgenPower, { make: node, drawing } = window.medgenLive;
  const host = document.querySelector(".mg-plan");
  if (!host) return;
  const estimated = Object.values(spreads).map(({ site }) => site); // stops of their own: the page starts from them
  const SITES = [...new Set([0, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, ...estimated])].sort((a, b) => a - b);
  const rounded = (value) => Number(value.toFixed(3));
  const SLIDERS = [
    { name: "hospitals", label: "Hospitals", values: [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 60], start: 5,
      help: "the units: two scanners of one hospital are one" },
    { name: "patients", label: "Patients at each", values: [20, 30, 50, 75, 100, 150, 200, 300, 400, 600, 1000, 2000, 5000],
      start: 200, help: "who took no part in training" },
    { name: "prevalence", label: "Share of cases", values: [5, 10, 20, 30, 40, 50], start: 30, unit: " %", help: "of these patients" },
    { name: "seeds", label: "Seeds", values: [1, 2, 3, 5, 10, 20], start: 3, help: "trainings of each model" },
    { name: "effect", label: "Difference to see", values: [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15], start: 0.05,
      help: "in AUROC, the mean over all hospitals" },
    { name: "auroc", label: "AUROC", values: [0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9], start: 0.8, help: "of the lower score" },
    { name: "site", label: "Hospitals differ by", values: SITES, start: null,
      help: "standard deviation of the difference between hospitals" },
  ];
  const QUESTIONS = {
    gap: { title: "a generalization gap", words: "a gap", sees: "a mean gap" },
    method: { title: "a gain of one method over another", words: "a gain", sees: "a mean gain" },
  };
  const percent = (p) => (p > 0.995 ? "more than 99 %" : `${Math.round(100 * p)} %`);

  // ------------------------------------------------------------------------------------------------ the controls
  const question = node("select", { id: "mgp-question" },
    ...Object.entries(QUESTIONS).map(([value, { title }]) => node("option", { value }, title)));
  const controls = node("div", { class: "mgx-controls" },
    node("p", { class: "mgp-pick" }, node("label", { for: "mgp-question" }, "We want to see "), question));
  const inputs = {}, outputs = {};
  for (const { name, label, values, unit = "", help } of SLIDERS) {
    const id = `mgp-${name}`;
    inputs[name] = node("input", { id, type: "range", min: 0, max: values.length - 1, step: 1, autocomplete: "off" });
    outputs[name] = node("output", { for: id });
    controls.append(node("div", { class: "mgx-slider" }, node("label", { for: id }, label), outputs[name], inputs[name],
      node("span", { class: "mgx-help" }, help)));
    inputs[name].addEventListener("input", show);
    inputs[name].dataset.unit = unit;
  }
  const words = node("p", { class: "mgx-words", "aria-live": "polite" });
  const plot = drawing("svg", { class: "mgx-plot mgp-plot", role: "img" });
  const shares = node("div", { class: "mgp-shares" });
  const copy = node("button", { type: "button" }, "Copy the sentence");
  const copied = node("span", { class: "mgx-help", role: "status" });
  const basis = node("p", { class: "mgx-help" });
  const bench = node("div", { class: "mgx mgp", "aria-busy": "false" }, node("div", { class: "mgp-bench" }, controls,
    node("div", { class: "mgx-look" }, node("p", { class: "mgx-title" }, "Chance to see it, by number of hospitals"), plot),
    node("div", { class: "mgp-rest" }, words, node("p", { class: "mgx-buttons" }, copy, copied),
      node("p", { class: "mgx-title" }, "What the difference at one hospital varies by"), shares)), basis);

  const valueOf = (name) => {
    const slider = SLIDERS.find((one) => one.name === name);
    return slider.values[Number(inputs[name].value)];
  };
  const nearest = (values, wanted) => values.reduce((best, v, i) => (Math.abs(v - wanted) < Math.abs(values[best] - wanted) ? i : best), 0);
  function reset() {
    for (const { name, values, start } of SLIDERS)
      inputs[name].value = nearest(values, start ?? spreads[question.value].site);
  }

  // ------------------------------------------------------------------------------------------------ what is shown
  function study() {
    return { question: question.value, effect: valueOf("effect"), patients: valueOf("patients"), seeds: valueOf("seeds"),
      auroc: valueOf("auroc"), prevalence: valueOf("prevalence") / 100 };
  }
  function show() {
    const mine = study(), spread = { ...spreads[mine.question], site: valueOf("site") }, hospitals = valueOf("hospitals");
    for (const { name } of SLIDERS) {
      const text = `${rounded(valueOf(name))}${inputs[name].dataset.unit}`;
      outputs[name].textContent = text;
      inputs[name].setAttribute("aria-valuetext", text);
    }
    try {
      words.textContent = sentence(mine, spread, hospitals);
      draw(mine, spread, hospitals);
      part(mine, spread);
    } catch (error) {
      words.textContent = `No such study: ${error.message}.`;
      plot.replaceChildren();
      shares.replaceChildren();
    }
    copied.textContent = "";
    const at = spreads[mine.question];
    basis.textContent = `From the evidence store (${at.source}): standard deviation between sites ${at.site.toFixed(3)}, ` +
      `of which ${at.sites} sites know no more than that what they show lies between ${at.low.toFixed(3)} and ${at.high.toFixed(3)}; ` +
      `between seeds ${at.seed.toFixed(3)}` + (mine.question === "method" ? `; correlation of two models on the same patients ${at.correlation.toFixed(2)}.` : ".");
  }
  function sentence(mine, spread, hospitals) {
    const { words: what, sees } = QUESTIONS[mine.question];
    const who = `${hospitals} hospital${hospitals > 1 ? "s" : ""} of ${mine.patients} patients, ${Math.round(100 * mine.prevalence)} % of them cases, and ${mine.seeds} seed${mine.seeds > 1 ? "s" : ""}`;
    const assumed = `if hospitals differ by ${rounded(spread.site)} (standard deviation)`;
    const enough = engine.needed(mine, spread);
    const fewest = enough === null ? `No number of hospitals up to ${engine.MOST_HOSPITALS} gives 80 %.`
      : `For 80 % it takes ${enough} hospitals.`;
    if (hospitals < 2)
      return `One hospital, however many its patients, says nothing about others: it tells whether there is ${what} there. ${fewest}`;
    const chance = engine.power(mine, spread, hospitals);
    const most = engine.power({ ...mine, patients: 1e6, seeds: 1e6 }, spread, hospitals);
    return `With ${who}, ${sees} of ${mine.effect} in AUROC is seen (p < .05, t test over hospitals) with a chance of ${percent(chance)}, ${assumed}. ${fewest} ` +
      `Without end to patients and seeds, these ${hospitals} hospitals would reach ${percent(most)}.`;
  }
  function draw(mine, spread, hospitals) {
    const width = Math.max(270, plot.getBoundingClientRect().width || 480), height = 230;
    const [left, right, top, bottom] = [42, width - 14, 14, height - 34];
    const last = 30, x = (h) => left + ((h - 2) / (last - 2)) * (right - left), y = (p) => bottom - p * (bottom - top);
    const shapes = [];
    for (const p of [0, 0.2, 0.4, 0.6, 0.8, 1]) {
      shapes.push(drawing("line", { x1: left, x2: right, y1: y(p), y2: y(p), class: p === 0.8 ? "chance" : "grid" }));
      shapes.push(drawing("text", { x: left - 6, y: y(p) + 4, class: "end" }, `${Math.round(100 * p)} %`));
    }
    for (const h of [2, 5, 10, 15, 20, 25, 30]) shapes.push(drawing("text", { x: x(h), y: bottom + 16, class: "middle" }, String(h)));
    shapes.push(drawing("text", { x: (left + right) / 2, y: height - 4, class: "middle" }, "hospitals"));
    const line = (one, kind) => {
      const points = [];
      for (let h = 2; h <= last; h++) points.push(`${x(h)},${y(engine.power(one, spread, h))}`);
      shapes.push(drawing("polyline", { points: points.join(" "), class: `curve ${kind}` }));
    };
    line({ ...mine, patients: 1e6, seeds: 1e6 }, "mgp-limit");
    line(mine, "mgp-mine");
    shapes.push(drawing("text", { x: right, y: y(0.06), class: "end mgp-mine" }, "this study"));
    shapes.push(drawing("text", { x: right, y: y(0.14), class: "end mgp-limit" }, "patients and seeds without end"));
    if (hospitals >= 2 && hospitals <= last)
      shapes.push(drawing("circle", { cx: x(hospitals), cy: y(engine.power(mine, spread, hospitals)), r: 6, class: "mgp-mine" }));
    plot.replaceChildren(...shapes);
    plot.setAttribute("viewBox", `0 0 ${width} ${height}`);
    plot.setAttribute("height", height);
    const some = [2, 5, 10, 20].map((h) => `${h} hospitals ${percent(engine.power(mine, spread, h))}`);
    plot.setAttribute("aria-label", `Chance by number of hospitals: ${some.join(", ")}.`);
  }
  function part(mine, spread) {
    const parts = engine.parts(mine, spread), total = parts.site + parts.seed + parts.patients;
    const names = { site: "hospitals", patients: "patients", seed: "seeds" };
    shares.replaceChildren(...Object.entries(names).map(([key, name]) => {
      const share = parts[key] / total;
      const bar = node("span", { class: "mgp-bar" });
      bar.style.width = `${100 * share}%`;
      return node("div", { class: "mgp-share" }, node("span", {}, `${name} ${percent(share)}`), node("span", { class: "mgp-track" }, bar));
    }));
  }

  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(words.textContent);
      copied.textContent = "Copied.";
    } catch {
      getSelection().selectAllChildren(words);
      copied.textContent = "Selected: copy it with your keyboard.";
    }
  });
  question.addEventListener("change", () => { inputs.site.value = nearest(SLIDERS.at(-1).values, spreads[question.value].site); show(); });
  addEventListener("resize", show);
  reset();
  host.append(bench);
  host.classList.add("mg-explorer-runs");
  show();
})();
