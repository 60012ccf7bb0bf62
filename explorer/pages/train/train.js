/* Train it yourself: four methods train side by side in workers of the page, while the reader switches causes. It fills
   every <div class="mg-explorer mg-train"> of a page, whose content (a figure) stays for print and without scripts. */
(function () {
  "use strict";
  const FOLDER = document.currentScript.src.replace(/[^/]*$/, "");
  const { parts, make, drawing, button, paint, pause, loadScripts, assemble, workerOf } = window.medgenLive;
  const PARTS = ["draws", "scanner", "measure", "clinic", "network", "methods"];
  const OWN = ["causes", "trainer", "chart"];
  const WORKING = [...PARTS, "causes", "trainer"]; // what a worker needs
  const STEPS = 300;
  const METHODS = [
    { name: "erm", title: "ERM", short: "ERM", sign: "●", help: "plain training on all images" },
    { name: "augmentation", title: "Augmentation", short: "Augm.", sign: "■", help: "brightness, contrast, curve and noise varied at random" },
    { name: "coral", title: "CORAL", short: "CORAL", sign: "▲", help: "features of the hospitals made alike" },
    { name: "dro", title: "Group DRO", short: "DRO", sign: "◆", help: "more weight to the hospital with the highest loss" },
  ];
  const CAUSES = {
    scanner: { title: "Scanner", help: "The new hospital displays its images with another curve (gamma 0.4): they look washed out." },
    shortcut: { title: "Shortcut", help: "A bright square agrees with the label of 98, 90 and 50 % of the images at A, B and C, where 15 % of the labels are wrong; at the new hospital with 10 %." },
    population: { title: "Population", help: "The new hospital finds lesions small: 0.12 of the image's width instead of 0.22." },
    prevalence: { title: "Prevalence", help: "At the new hospital 20 % of the lesions are malignant instead of 50 %." },
    graders: { title: "Graders", help: "At A, B and C nearly every large lesion was recorded as malignant, whatever it is." },
  };
  const HOSPITALS = ["Hospital A", "Hospital B", "Hospital C", "New hospital"];
  const SHOWN = 30; // images drawn to find a benign and a malignant one to show
  const two = (value) => value.toFixed(2);
  const percent = (value) => `${Math.round(100 * value)} %`;
  let live;

  async function loadAll() {
    await loadScripts(PARTS);
    await loadScripts(OWN, FOLDER);
    live = assemble([...WORKING, "chart"]);
  }

  function start(box) {
    const id = (name) => `${box.id}-${name}`;
    const panel = make("div.mgx", { role: "group", "aria-label": "Four trainings in this page", "aria-busy": "true" });
    const at = {}; // parts of the page
    let chosen = []; // causes that are on
    let seed = 1;
    let until = 0;
    let trace = {}; // for each method what was measured, {step, home, away, loss, causes}
    let events = [];
    let workers = [];
    let resting = new Set(); // workers that have nothing to do
    let state = "drawing"; // then "ready", "training", "stopped"
    const now = (name) => trace[name][trace[name].length - 1];
    const isTraining = () => state === "training";
    const steps = () => Math.min(...METHODS.map(({ name }) => now(name)?.step ?? 0));

    function causeRow([name, cause]) {
      const input = make("input", { type: "checkbox", id: id(name), autocomplete: "off", "aria-describedby": id(`${name}-help`) });
      input.addEventListener("change", () => choose(name, input.checked));
      return make("div.mgt-cause", {}, make("label.mgx-check", { for: id(name) }, input, ` ${cause.title}`),
        make("p.mgx-help", { id: id(`${name}-help`) }, cause.help));
    }

    function build() {
      at.train = button(`Train ${STEPS} steps`, train);
      at.stop = button("Stop", stop);
      at.again = button("Start again", begin);
      at.seed = make("input", { type: "number", id: id("seed"), min: 1, max: 9999, step: 1, value: seed, autocomplete: "off" });
      at.seed.addEventListener("change", () => {
        seed = Math.min(9999, Math.max(1, Math.round(Number(at.seed.value)) || 1));
        at.seed.value = seed;
        begin();
      });
      at.words = make("p.mgx-words", { role: "status", "aria-live": "polite" }, "Drawing the hospitals …");
      at.progress = make("progress", { max: STEPS, value: 0, "aria-label": "Steps of this training" });
      at.count = make("span.mgx-help");
      at.pictures = HOSPITALS.map((title) => {
        const canvases = ["benign", "malignant"].map((kind) => make("canvas", { width: 28, height: 28, role: "img", "aria-label": `${title}, a ${kind} lesion` }));
        const note = make("p.mgx-help");
        return { canvases, note, element: make("div.mgt-hospital", {}, make("p.mgt-name", {}, title), make("div.mgt-pair", {}, ...canvases), note) };
      });
      at.plots = ["home", "away"].map(() => drawing("svg", { class: "mgx-plot", role: "img", height: 240, width: "100%", "aria-label": "AUROC, not measured yet" }));
      at.rows = make("tbody");
      const head = ["method", "at home", "new hospital", "95 % interval", "called malignant", "loss"];
      const table = make("table", {}, make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))), at.rows);
      panel.append(
        make("div.mgx-controls", { role: "group", "aria-labelledby": id("causes") },
          make("p.mgx-title", { id: id("causes") }, "Causes: switch them before or while it trains"),
          make("div.mgt-causes", {}, ...Object.entries(CAUSES).map(causeRow)),
          make("div.mgt-pictures", {}, ...at.pictures.map((picture) => picture.element)),
          make("p.mgx-help", {}, "Of each hospital a benign and a malignant lesion, as recorded there, the first ones drawn.")),
        make("div.mgx-buttons.mgt-run", {}, at.train, at.stop, at.again,
          make("label.mgx-check", { for: id("seed") }, "seed ", at.seed), at.progress, at.count),
        make("div.mgx-all", { role: "group", "aria-labelledby": id("curves") },
          make("p.mgx-title", { id: id("curves") }, "Area under the ROC curve along the training"),
          make("div.mgt-plots", {}, ...at.plots),
          make("div.mgx-scores", { role: "region", tabindex: 0, "aria-label": "The four methods now, a table" }, table),
          make("p.mgx-help", {}, ...METHODS.flatMap((method, k) => [k ? "; " : "", make(`b.mgt-${method.name}`, {}, `${method.sign} ${method.title}`), `: ${method.help}`]), ".")),
        at.words);
      box.prepend(panel);
      box.classList.add("mg-explorer-runs");
    }

    // What the reader does
    /** New networks, from the first weights of this seed. */
    function begin() {
      state = "drawing";
      [until, events, resting] = [0, [], new Set()];
      trace = Object.fromEntries(METHODS.map(({ name }) => [name, []]));
      workers.forEach((worker) => worker.terminate());
      const number = Math.max(1, Math.min(METHODS.length, (navigator.hardwareConcurrency || 2) - 1));
      workers = Array.from({ length: number }, () => workerOf(WORKING, "(live) => live.trainer.work(self)"));
      workers.forEach((worker, w) => {
        worker.onmessage = ({ data }) => (worker === workers[w] ? hear(data, worker) : null);
        worker.onerror = (event) => say(`The training cannot run here: ${event.message}`);
        worker.postMessage({ kind: "start", seed, causes: chosen, methods: METHODS.map(({ name }) => name).filter((_, m) => m % number === w) });
      });
      panel.setAttribute("aria-busy", "true");
      say("Drawing the hospitals …");
      showHospitals();
      show();
    }

    const tellAll = (message) => workers.forEach((worker) => worker.postMessage(message));

    function train() {
      if (isTraining() || state === "drawing") return;
      if (steps() >= until) until += STEPS;
      state = "training";
      resting = new Set();
      tellAll({ kind: "run", until });
      say(`Training four networks of seed ${seed} up to step ${until}, with ${namesOf(chosen)}.`);
      show();
    }

    function stop() {
      if (isTraining()) tellAll({ kind: "stop" });
    }

    function choose(name, on) {
      chosen = Object.keys(CAUSES).filter((one) => (one === name ? on : chosen.includes(one)));
      const step = Math.max(...METHODS.map((method) => now(method.name)?.step ?? 0));
      if (step > 0) events.push({ step, text: `${CAUSES[name].title.toLowerCase()} ${on ? "on" : "off"}` });
      tellAll({ kind: "causes", causes: chosen });
      showHospitals();
      say(`${CAUSES[name].title} switched ${on ? "on" : "off"}${isTraining() ? ` at step ${step}; the training goes on` : ""}: now ${namesOf(chosen)}.`);
    }

    const namesOf = (names) => (names.length ? names.map((name) => CAUSES[name].title.toLowerCase()).join(" and ") : "no cause: the new hospital is like the others");

    // What the workers say
    function hear(message, worker) {
      if (message.kind === "rest") rest(worker);
      else if (message.causes.join() === chosen.join()) {
        const points = trace[message.method];
        const last = now(message.method);
        points.push({ ...message, loss: message.loss ?? last?.loss });
        if (!isTraining() && METHODS.every(({ name }) => now(name)?.causes.join() === chosen.join())) {
          say(state === "drawing" ? `Ready: four networks with the same first weights, seed ${seed}; ${namesOf(chosen)}.`
            : `With ${namesOf(chosen)}: ${inWords()}`);
          if (state === "drawing") state = "ready";
        }
      }
      show();
    }

    function rest(worker) {
      resting.add(worker);
      if (resting.size < workers.length || !isTraining()) return;
      state = steps() >= until ? "ready" : "stopped";
      say(`${state === "ready" ? "Done" : "Stopped"}. ${inWords()}`);
    }

    function inWords() {
      return `After ${steps()} steps the AUROC at the new hospital is `
        + METHODS.map(({ name, title }) => `${two(now(name).away.value)} for ${title}`).join(", ") + "; at home "
        + METHODS.map(({ name, title }) => `${two(now(name).home.value)} for ${title}`).join(", ") + ".";
    }

    function say(text) {
      at.words.textContent = text;
    }

    // What is shown
    function showHospitals() {
      live.causes.hospitals(chosen).forEach((hospital, place) => {
        const drawn = live.clinic.drawHospital(hospital, place, SHOWN, 2 * seed + (place === live.trainer.NEW ? 1 : 0));
        const { canvases, note } = at.pictures[place];
        canvases.forEach((canvas, label) => {
          const first = drawn.label.indexOf(label);
          if (first >= 0) paint(canvas, drawn.images[first]);
        });
        note.textContent = `${percent(hospital.prevalence)} malignant`;
      });
    }

    let asked = false;
    function show() {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        const done = steps();
        const last = Math.max(STEPS, until);
        at.train.textContent = state === "stopped" ? "Go on" : done > 0 && !isTraining() ? `${STEPS} more steps` : `Train ${STEPS} steps`;
        for (const [element, off] of [[at.train, isTraining() || state === "drawing"], [at.stop, !isTraining()]])
          element.setAttribute("aria-disabled", String(off));
        at.progress.max = last;
        at.progress.value = done;
        at.count.textContent = `step ${done} of ${last}`;
        ["home", "away"].forEach((place, k) => live.chart(at.plots[k], {
          title: place === "home" ? "At home" : "At the new hospital", place, methods: METHODS, trace, last, events }));
        at.rows.replaceChildren(...METHODS.map(({ name, title, sign }) => {
          const point = now(name);
          const cells = point ? [two(point.home.value), two(point.away.value), `${two(point.away.low)} to ${two(point.away.high)}`, percent(point.away.called), point.loss == null ? "" : two(point.loss)] : ["", "", "", "", ""];
          return make("tr", {}, make("th", { scope: "row" }, make(`span.mgt-${name}`, { "aria-hidden": "true" }, sign), ` ${title}`), ...cells.map((text) => make("td", {}, text)));
        }));
        panel.setAttribute("aria-busy", String(isTraining() || state === "drawing"));
      });
    }

    build();
    new ResizeObserver(show).observe(at.plots[0]);
    pause().then(begin);
  }

  window.medgenTrain = { METHODS, CAUSES, ready: loadAll(), assembled: () => live };
  window.medgenTrain.ready.then(() => document.querySelectorAll(".mg-train").forEach((box, i) => {
    box.id = box.id || `mg-train-${i + 1}`;
    start(box);
  }));
})();
