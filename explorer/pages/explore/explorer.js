/* The explorer: the reader is the scanner, two networks answer. It fills every <div class="mg-explorer"> of a page,
   whose content (a figure) stays for print and for readers without scripts. What is computed is in engine.js and
   in the parts of live/, the curve in curve.js; the networks and the images come as scripts too, because a page opened from the disk may not fetch
   files. */
(function () {
  "use strict";
  const FOLDER = document.currentScript.src.replace(/[^/]*$/, "");
  const { make, drawing, button, paint, pause, loadScripts } = window.medgenLive;
  const PARTS = ["files", "draws", "scanner", "measure", "network"];
  const FILES = ["engine", "curve", "lesions", "erm", "augmented"];
  const NETWORKS = [
    { name: "erm", title: "ERM", sign: "●" },
    { name: "augmented", title: "Augmented", sign: "■" },
  ];
  const percent = (value) => `${Math.round(100 * value)} %`;
  const twice = (value) => value.toFixed(2);
  /* The ranges and the values at home are those of explorer/export.py; a test compares them. */
  const SLIDERS = {
    gain: { title: "Gain", min: 0.1, max: 1.6, step: 0.05, home: 1, show: twice,
      help: "Overall brightness: the amplifier of an ultrasound scanner, the lamp of a camera." },
    contrast: { title: "Contrast", min: 0.1, max: 1.8, step: 0.05, home: 1, show: twice,
      help: "How far dark and bright lie apart: the dynamic range someone chose." },
    gamma: { title: "Gamma", min: 0.3, max: 3, step: 0.1, home: 1, show: twice,
      help: "The curve from signal to display: the look of another manufacturer." },
    blur: { title: "Blur", min: 0, max: 2, step: 0.1, home: 0, show: (value) => `${value.toFixed(1)} px`,
      help: "Out of focus, a lower frequency, a moving patient." },
    noise: { title: "Noise", min: 0, max: 0.24, step: 0.012, home: 0.012, show: (value) => value.toFixed(3),
      help: "Grain: a short exposure, a low dose, a weak signal amplified." },
    stain: { title: "Stain", min: 0, max: 1, step: 0.05, home: 0, show: twice,
      help: "Which colours the pigment absorbs: 0 as at home, 1 another laboratory or light." },
    marker: { title: "Marker", min: 0, max: 1, step: 0.05, home: 0.8, show: percent,
      help: "How often the blue square that the staff paste on agrees with the disease: "
        + "100 % on all malignant and no benign lesions, 50 % at random, 0 % the wrong way round." },
  };
  const HOME = Object.fromEntries(Object.entries(SLIDERS).map(([name, slider]) => [name, slider.home]));
  const SCANNERS = [
    { title: "Dark", change: { gain: 0.3 }, note: "gain 0.3" },
    { title: "Flat", change: { contrast: 0.3 }, note: "contrast 0.3" },
    { title: "Other curve", change: { gamma: 2.5 }, note: "gamma 2.5" },
    { title: "Out of focus", change: { blur: 1 }, note: "blur 1 pixel" },
    { title: "Noisy", change: { noise: 0.12 }, note: "noise 0.12" },
    { title: "Other stain", change: { stain: 1 }, note: "stain 1" },
    { title: "False marker", change: { marker: 0 }, note: "marker 0 %" },
    { title: "A little of all", note: "six small changes",
      change: { gain: 0.85, contrast: 0.85, gamma: 1.2, blur: 0.4, noise: 0.036, stain: 0.2 } },
  ];
  const SLICE = 20; // milliseconds of work between two looks at what the reader does
  const CURVE_POINTS = 13;
  let engine, lesions, isMalignant;

  async function loadAll() {
    if (!engine) {
      await loadScripts(PARTS);
      await loadScripts(FILES, FOLDER);
      engine = window.medgenEngine;
      const file = window.medgenData.lesions;
      const bytes = engine.bytesOf(file.tissue);
      lesions = file.rank.map((rank, i) => ({
        rank, malignant: file.malignant[i] === "1",
        tissue: bytes.subarray(i * engine.PIXELS, (i + 1) * engine.PIXELS),
        noise: null,
      }));
      isMalignant = lesions.map((lesion) => lesion.malignant);
      for (const network of NETWORKS) network.model = engine.readNetwork(window.medgenData[network.name]);
    }
  }

  /** Image i at these settings; `marker` true or false overrides what the marker slider says. */
  function scan(i, settings, marker = null) {
    const lesion = lesions[i];
    lesion.noise = lesion.noise || engine.normals(i, engine.PIXELS * engine.COLORS);
    const image = engine.acquire(lesion.tissue, settings, lesion.noise);
    const isMarked = marker === null ? engine.isMarked(lesion.malignant, lesion.rank, settings.marker) : marker;
    return isMarked ? engine.paste(image) : image;
  }

  // ---- one explorer -----------------------------------------------------------------------------------------

  function start(box) {
    const id = (name) => `${box.id}-${name}`;
    const settings = { ...HOME };
    let current = 0; // which image is shown; at first the first malignant one
    let override = null; // the reader's own marker on it: true, false or null
    let moved = "gain"; // the slider of the curve
    let trace = new Map(); // its values -> what `measure` found there
    let busy = false;
    let again = false;
    let curveRuns = false;
    let result = null; // of the present settings

    // The parts of the page
    const live = make("div.mgx", { role: "group", "aria-label": "Explorer: you are the scanner" });
    const parts = { sliders: {} };

    function sliderRow([name, slider]) {
      const input = make("input", {
        type: "range", id: id(name), min: slider.min, max: slider.max, step: slider.step, value: slider.home,
        autocomplete: "off", "aria-describedby": id(`${name}-help`),
      });
      const value = make("span", { "aria-hidden": "true" }); // a screen reader hears aria-valuetext
      input.addEventListener("input", () => move(name, Number(input.value)));
      parts.sliders[name] = { input, value };
      return make("div.mgx-slider", {},
        make("label", { for: id(name) }, slider.title), value, input,
        make("p.mgx-help", { id: id(`${name}-help`) }, slider.help));
    }

    function canvas(name, label) {
      parts[name] = make("canvas", { width: 28, height: 28, role: "img", "aria-label": label });
      return parts[name];
    }

    function networkRow(network) {
      const part = (parts[network.name] = {
        bar: make("span.mgx-bar"), says: make("span.mgx-says"), auroc: make("span.mgx-auroc"),
      });
      return make(`div.mgx-network.mgx-${network.name}`, {},
        make("p.mgx-name", {}, make("span.mgx-sign", { "aria-hidden": "true" }, network.sign), ` ${network.title} `, part.auroc),
        make("div.mgx-track", { "aria-hidden": "true" }, part.bar),
        part.says,
        canvas(`map-${network.name}`, `Map for ${network.title}, not drawn yet`));
    }

    function build() {
      parts.words = make("p.mgx-words", { role: "status", "aria-live": "polite" }, "Loading two networks …");
      parts.which = make("span", {}, "One lesion");
      parts.paste = make("input", { type: "checkbox", id: id("paste"), autocomplete: "off" });
      parts.paste.addEventListener("change", () => { override = parts.paste.checked; refresh(); });
      parts.plot = drawing("svg", { class: "mgx-plot", role: "img", height: 240, width: "100%", "aria-label": "AUROC, not measured yet" });
      parts.plotTitle = make("p.mgx-title");
      parts.curve = button("Draw the whole curve", drawCurve);
      parts.scores = make("div.mgx-scores");
      const presets = make("div.mgx-presets", { role: "group", "aria-label": "Ready-made scanners" },
        ...SCANNERS.map((scanner) => button(scanner.title, () => choose(scanner), scanner.note)),
        button("Reset", () => choose({ change: {} }), "back home"));
      const controls = make("div.mgx-controls", { role: "group", "aria-labelledby": id("controls") },
        make("p.mgx-title", { id: id("controls") }, "Your scanner"), ...Object.entries(SLIDERS).map(sliderRow));
      const pictures = make("div.mgx-pictures", {},
        make("div", {}, canvas("yours", "This lesion through your scanner"), make("p.mgx-help", {}, "your scanner")),
        make("div", {}, canvas("home", "The same lesion as the training hospitals show it"),
          make("p.mgx-help", {}, "at home")));
      const look = make("div.mgx-look", { role: "group", "aria-labelledby": id("look") },
        make("p.mgx-title", { id: id("look") }, parts.which), pictures, ...NETWORKS.map(networkRow));
      const hands = make("div.mgx-hands", {},
        make("div.mgx-buttons", {}, button("Previous", () => step(-1)), button("Next", () => step(1)),
          make("label.mgx-check", { for: id("paste") }, parts.paste, " marker on this lesion")),
        make("p.mgx-help", {}, "A network says malignant above a probability of 0.5, the line in the bar. The small maps: each square is blurred away in turn. ",
          make("b.mgx-up", {}, "Magenta"), " squares speak for malignant, ",
          make("b.mgx-down", {}, "green"), " ones for benign; the stronger the colour, the larger the change."));
      const all = make("div.mgx-all", { role: "group", "aria-labelledby": id("all") },
        make("p.mgx-title", { id: id("all") }, "All lesions through your scanner"), parts.scores);
      const curve = make("div.mgx-curve", { role: "group", "aria-label": "AUROC along the slider" },
        parts.plotTitle, parts.plot, make("div.mgx-buttons", {}, parts.curve, make("span.mgx-help", {}, "or move a slider step by step")));
      live.append(presets, make("div.mgx-bench", {}, look, hands, controls, curve, all), parts.words);
      box.prepend(live);
      box.classList.add("mg-explorer-runs");
      for (const name of Object.keys(SLIDERS)) showValue(name);
    }

    // What the reader does
    function move(name, value) {
      if (name !== moved) trace = new Map();
      moved = name;
      settings[name] = value;
      override = name === "marker" ? null : override;
      curveRuns = false;
      showValue(name);
      refresh();
    }

    function choose(scanner) {
      const names = Object.keys(scanner.change);
      Object.assign(settings, HOME, scanner.change);
      moved = names.length === 1 ? names[0] : moved;
      override = null;
      trace = new Map();
      curveRuns = false;
      for (const name of Object.keys(SLIDERS)) showValue(name);
      refresh();
    }

    function step(by) {
      current = (current + by + lesions.length) % lesions.length;
      override = null;
      refresh();
    }

    function showValue(name) {
      const slider = SLIDERS[name];
      const text = slider.show(settings[name]);
      const { input, value } = parts.sliders[name];
      input.value = settings[name];
      input.setAttribute("aria-valuetext",
        settings[name] === slider.home ? `${text}, as at the training hospitals`
          : `${text}, training hospitals ${slider.show(slider.home)}`);
      value.textContent = text;
      value.classList.toggle("mgx-away", settings[name] !== slider.home);
    }

    // What is shown at once: one lesion
    function showOne() {
      const lesion = lesions[current];
      const image = scan(current, settings, override);
      const isMarked = override === null
        ? engine.isMarked(lesion.malignant, lesion.rank, settings.marker) : override;
      parts.paste.checked = isMarked;
      paint(parts.yours, image);
      paint(parts.home, scan(current, HOME));
      const truth = lesion.malignant ? "malignant" : "benign";
      parts.which.textContent = `Lesion ${current + 1} of ${lesions.length}: ${truth}`;
      parts.answers = NETWORKS.map((network) => {
        const p = engine.probability(network.model.score(image));
        const says = p > 0.5 ? "malignant" : "benign";
        const part = parts[network.name];
        part.bar.style.transform = `scaleX(${p})`;
        part.says.replaceChildren(`P(malignant) ${twice(p)}`, make("br"), "says ", make("b", {}, says),
          says === truth ? " ✓ right" : " ✗ wrong");
        return `${network.title} says ${says}, probability of malignant ${twice(p)}, ${says === truth ? "right" : "wrong"}.`;
      });
      parts.truth = `Lesion ${current + 1}, ${truth}, ${isMarked ? "with" : "without"} marker.`;
      return image;
    }

    function showMaps(image) {
      const maps = NETWORKS.map((network) => engine.blurMap(network.model, image));
      const strongest = Math.max(1, ...maps.flatMap((map) => [...map].map(Math.abs)));
      NETWORKS.forEach((network, n) => {
        const most = maps[n].reduce((best, value, square) => (Math.abs(value) > Math.abs(maps[n][best]) ? square : best), 0);
        const target = parts[`map-${network.name}`];
        paint(target, engine.colored(image, maps[n], strongest));
        const where = `row ${Math.floor(most / engine.SQUARES) + 1}, column ${(most % engine.SQUARES) + 1}`;
        target.setAttribute("aria-label", `Map for ${network.title}: the square that matters most is in ${where} of 8, `
          + `${most === engine.SQUARES + 1 ? "the marker's place, " : ""}`
          + `and speaks for ${maps[n][most] > 0 ? "malignant" : "benign"}.`);
      });
    }

    // What takes a moment: all lesions
    /** AUROC, interval and share called malignant of each network; in slices, so that the page stays responsive. */
    async function measure(chosen) {
      const scores = NETWORKS.map(() => []);
      let until = performance.now() + SLICE;
      for (let i = 0; i < lesions.length; i++) {
        const image = scan(i, chosen);
        NETWORKS.forEach((network, n) => scores[n].push(network.model.score(image)));
        if (performance.now() > until) {
          await pause();
          until = performance.now() + SLICE;
        }
      }
      return scores.map((list) => ({
        ...engine.auroc(list, isMalignant),
        called: list.filter((score) => score > 0).length / list.length,
      }));
    }

    function showAll() {
      if (!result) return;
      const rows = NETWORKS.map((network, n) => {
        const { value, low, high, called } = result[n];
        parts[network.name].auroc.textContent = `AUROC ${twice(value)}`;
        return make("tr", {}, make("th", { scope: "row" },
          make(`span.mgx-sign.mgx-${network.name}`, { "aria-hidden": "true" }, network.sign), ` ${network.title}`),
          make("td", {}, make("b", {}, twice(value)), ` (${twice(low)} to ${twice(high)})`), make("td", {}, percent(called)));
      });
      const share = percent(isMalignant.filter(Boolean).length / isMalignant.length);
      parts.scores.replaceChildren(make("table", {},
        make("thead", {}, make("tr", {}, ...["Network", "AUROC (95 % interval)", "calls malignant"].map(
          (text) => make("th", { scope: "col" }, text)))),
        make("tbody", {}, ...rows)),
      make("p.mgx-help", {}, `${lesions.length} lesions that neither network was trained on; ${share} are malignant.`));
      showPlot();
    }

    function showPlot() {
      const slider = SLIDERS[moved];
      window.medgenCurve(parts.plot, { slider, trace, now: settings[moved], networks: NETWORKS, drawing, twice });
      parts.plotTitle.textContent = `AUROC as you move: ${slider.title.toLowerCase()}`;
    }

    /** Show the lesion at once, then score all lesions and colour the maps; what was moved meanwhile comes after. */
    async function refresh() {
      if (!engine) return;
      const image = showOne();
      again = busy;
      if (busy) return;
      busy = true;
      live.setAttribute("aria-busy", "true");
      let last = image;
      do {
        again = false;
        const chosen = { ...settings };
        const [slider, points] = [moved, trace];
        const found = await measure(chosen);
        points.set(chosen[slider], found);
        if (points === trace) result = found;
        showAll();
        last = showOne();
        await pause();
        if (!again) showMaps(last);
      } while (again);
      busy = false;
      live.setAttribute("aria-busy", "false");
      tell();
    }

    async function drawCurve() {
      if (curveRuns || !engine) return;
      curveRuns = true;
      const slider = SLIDERS[moved];
      const [chosen, points] = [{ ...settings }, trace];
      for (let k = 0; k < CURVE_POINTS && curveRuns; k++) {
        const steps = Math.round(((slider.max - slider.min) / slider.step) * (k / (CURVE_POINTS - 1)));
        const value = Number((slider.min + steps * slider.step).toFixed(4));
        if (!points.has(value)) points.set(value, await measure({ ...chosen, [moved]: value }));
        if (points === trace) showPlot();
      }
      if (curveRuns) {
        const found = NETWORKS.map((network, n) => {
          const ordered = [...points].sort((a, b) => a[1][n].value - b[1][n].value);
          const [[worstAt, worst], [bestAt, best]] = [ordered[0], ordered[ordered.length - 1]];
          return `of ${network.title} from ${twice(worst[n].value)} (at ${slider.show(worstAt)}) `
            + `to ${twice(best[n].value)} (at ${slider.show(bestAt)})`;
        });
        parts.words.textContent = `The curve is drawn. Along ${slider.title.toLowerCase()} the AUROC goes ${found.join("; ")}.`;
      }
      curveRuns = false;
    }

    /** The state in words, for the eye and for a screen reader. */
    function tell() {
      const away = Object.entries(SLIDERS).filter(([name, slider]) => settings[name] !== slider.home)
        .map(([name, slider]) => `${slider.title.toLowerCase()} ${slider.show(settings[name])}`);
      const scores = NETWORKS.map((network, n) =>
        `${twice(result[n].value)} for ${network.title}, which calls ${percent(result[n].called)} malignant`);
      parts.words.textContent = `Your scanner: ${away.length ? `${away.join(", ")}; all else as at home` : "as at home"}. `
        + `${parts.truth} ${parts.answers.join(" ")} AUROC over ${lesions.length} lesions: ${scores.join("; ")}.`;
    }

    build();
    new ResizeObserver(() => result && showPlot()).observe(parts.plot);
    loadAll().then(() => { current = isMalignant.indexOf(true); }).then(refresh).catch((error) => {
      parts.words.textContent = `A file of the explorer is missing: ${error.message}`;
    });
  }

  window.medgenExplorer = { SLIDERS, SCANNERS, HOME, NETWORKS, scan, ready: loadAll };
  document.querySelectorAll(".mg-explorer").forEach((box, i) => {
    box.id = box.id || `mg-explorer-${i + 1}`;
    start(box);
  });
})();
