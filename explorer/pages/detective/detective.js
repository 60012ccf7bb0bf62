/* The sealed hospital: a game. It fills every <div class="mg-explorer mg-detective"> of a page, whose content (a figure)
   stays for print and for readers without scripts. What is drawn and scored is in cases.js and play.js, in a worker. */
(function () {
  "use strict";
  const FOLDER = document.currentScript.src.replace(/[^/]*$/, "");
  const { make, button, paint, loadScripts, assemble, workerOf } = window.medgenLive;
  const PARTS = ["files", "draws", "scanner", "measure", "clinic", "network"];
  const OWN = ["cases", "play"];
  const TEXTS = ["words", "networks"];
  const SHOWN = 12; // images of either side on the wall
  const two = (value) => value.toFixed(2);
  let live, words;

  async function loadAll() {
    await loadScripts(PARTS);
    await loadScripts([...OWN, ...TEXTS], FOLDER);
    live = assemble([...PARTS, ...OWN]);
    words = window.medgenWords;
  }

  function start(box) {
    const id = (name) => `${box.id}-${name}`;
    const panel = make("div.mgx", { role: "group", "aria-label": "The game of the sealed hospital", "aria-busy": "true" });
    const at = {};
    let seed = 1;
    let opened = null; // the case, from the worker
    let bought = [];
    let isOver = false;
    let worker = null;

    const field = (name, label, attributes) => {
      at[name] = make("input", { id: id(name), autocomplete: "off", ...attributes });
      return make("label.mgd-field", { for: id(name) }, label, " ", at[name]);
    };
    const choice = (group, name, title, note) => make("label.mgx-check", { for: id(`${group}-${name}`) },
      make("input", { type: group === "cause" ? "checkbox" : "radio", id: id(`${group}-${name}`), name: id(group), value: name, autocomplete: "off" }),
      make("span", {}, title, " ", make("small.mgx-help", {}, note)));
    const section = (name, title, ...children) => make("div.mgx-all.mgd-part", { role: "group", "aria-labelledby": id(name) },
      make("p.mgx-title", { id: id(name) }, title), ...children);

    function build() {
      at.words = make("p.mgx-words", { role: "status", "aria-live": "polite" }, "Opening the case …");
      at.walls = ["home", "sealed"].map(() => make("div.mgd-wall"));
      at.budget = make("p.mgd-budget");
      at.tools = make("div.mgx-presets", { role: "group", "aria-label": "Evidence for sale" });
      at.remedies = make("div.mgx-presets", { role: "group", "aria-label": "Remedies to try" });
      at.found = make("div.mgd-found");
      at.verdict = make("form.mgd-verdict", { novalidate: "" },
        make("fieldset", {}, make("legend", {}, "The cause, or the two causes"), ...Object.entries(words.causes).map(([name, text]) => choice("cause", name, text.title, text.note))),
        make("fieldset", {}, make("legend", {}, "The AUROC at the sealed hospital: an interval you would bet on 4 to 1 (80 %)"),
          field("low", "from", { type: "number", min: 0, max: 1, step: 0.01 }), field("high", "to", { type: "number", min: 0, max: 1, step: 0.01 })),
        make("fieldset", {}, make("legend", {}, "The remedy you would pay for"), ...Object.entries(words.remedies).map(([name, text]) => choice("remedy", name, text.title, text.note))),
        make("div.mgx-buttons", {}, Object.assign(button("Commit: open the sealed hospital", () => {}), { type: "submit" })));
      at.verdict.addEventListener("submit", (event) => { event.preventDefault(); commit(); });
      at.end = make("div.mgd-end", { tabindex: -1 });
      panel.append(
        make("div.mgx-buttons", {}, field("seed", "case", { type: "number", min: 1, max: 999999, step: 1 }),
          button("Open this case", () => open(Number(at.seed.value))), button("Another case", () => open(1 + Math.floor(Math.random() * 99999)))),
        make("div.mgd-walls", {},
          section("home", "The training hospitals, labels as recorded", at.walls[0]),
          section("sealed", "The sealed hospital, no labels", at.walls[1])),
        section("evidence", "Evidence", at.budget, at.tools, make("p.mgx-help", {}, "Try a remedy, without labels:"), at.remedies, at.found),
        section("verdict", "Your conclusion", at.verdict),
        at.end, at.words);
      box.prepend(panel);
      box.classList.add("mg-explorer-runs");
    }

    const say = (text) => { at.words.textContent = text; };

    /** The case of a seed, drawn by a worker. */
    function open(wanted) {
      seed = Math.min(999999, Math.max(1, Math.round(wanted) || 1));
      at.seed.value = seed;
      [opened, bought, isOver] = [null, [], false];
      panel.setAttribute("aria-busy", "true");
      say(`Opening case ${seed} …`);
      worker?.terminate();
      worker = workerOf([...PARTS, ...OWN], "(live) => { self.onmessage = ({ data }) => self.postMessage(live.play.open(data.seed, data.networks)); }");
      worker.onerror = (event) => say(`The case cannot be opened here: ${event.message}`);
      worker.onmessage = ({ data }) => {
        opened = data;
        worker.terminate();
        at.verdict.reset();
        at.found.replaceChildren();
        at.end.replaceChildren();
        at.verdict.parentElement.hidden = false;
        showWalls();
        showTools();
        say(`Case ${seed} is open. You have ${live.play.BUDGET} points for evidence. Look, buy, conclude.`);
        panel.setAttribute("aria-busy", "false");
      };
      worker.postMessage({ seed, networks: window.medgenData.networks.networks });
    }

    function showWalls() {
      const groups = [opened.home, opened.sealed];
      const places = [Array.from({ length: SHOWN }, (_, i) => Math.floor(i / 4) * live.play.IMAGES.home + (i % 4)), Array.from({ length: SHOWN }, (_, i) => i)];
      groups.forEach((group, g) => at.walls[g].replaceChildren(...places[g].map((i, k) => {
        const label = g === 0 ? ["benign", "malignant"][group.label[i]] : "";
        const name = g === 0 ? `Hospital ${"ABC"[Math.floor(k / 4)]}, ${label}` : `Sealed hospital, lesion ${k + 1}`;
        const canvas = make("canvas", { width: 28, height: 28, role: "img", "aria-label": name });
        paint(canvas, group.images[i]);
        return make("div", {}, canvas, make("p.mgx-help", {}, g === 0 ? `${"ABC"[Math.floor(k / 4)]}: ${label}` : String(k + 1)));
      })));
    }

    function showTools() {
      const left = live.play.BUDGET - live.play.spent(bought);
      at.budget.textContent = isOver ? "The hospital is open: no more evidence is sold." : `${left} of ${live.play.BUDGET} points left.`;
      const entry = (name, title) => {
        const price = live.play.PRICES[name.split(" ")[0]];
        const element = button(title, () => buy(name, title), bought.includes(name) ? "bought" : `${price} ${price === 1 ? "point" : "points"}`);
        element.setAttribute("aria-disabled", String(isOver || bought.includes(name) || price > left));
        element.dataset.tool = name;
        return element;
      };
      const focused = panel.contains(document.activeElement) ? document.activeElement.dataset.tool : null;
      at.tools.replaceChildren(...Object.entries(words.tools).map(([name, title]) => entry(name, title)));
      at.remedies.replaceChildren(...Object.entries(words.remedies).filter(([name]) => name !== "none").map(([name, text]) => entry(`try ${name}`, text.title)));
      if (focused) panel.querySelector(`[data-tool="${focused}"]`)?.focus();
    }

    function buy(name, title) {
      const price = live.play.PRICES[name.split(" ")[0]];
      if (!opened || isOver || bought.includes(name)) return;
      if (live.play.spent(bought) + price > live.play.BUDGET) {
        say(`${title} costs ${price}, and ${live.play.BUDGET - live.play.spent(bought)} points are left. Conclude with what you have.`);
        return;
      }
      bought.push(name);
      const [tool, remedy] = name.split(" ");
      const found = tool === "try" ? live.play.tryRemedy(opened, remedy) : live.play[tool](opened);
      const text = words.tell(tool, found, { remedy, home: opened.home.images.length, pool: live.play.IMAGES.pool });
      const entry = make("div.mgd-entry", {}, make("p.mgd-name", {}, title), make("p", {}, text));
      if (tool === "probe") entry.append(probeTable(found));
      at.found.append(entry);
      showTools();
      say(`${title}: ${text}`);
    }

    function probeTable(found) {
      const head = ["", "home", "sealed", "difference"];
      const rows = Object.entries(found).map(([name, [here, there, apart]]) => make("tr", {}, make("th", { scope: "row" }, name),
        ...[here.toFixed(3), there.toFixed(3), `${Math.round(10 * apart) < 0 ? "−" : "+"}${Math.abs(apart).toFixed(1)} SD`].map((text) => make("td", {}, text))));
      return make("table", {}, make("thead", {}, make("tr", {}, make("td"), ...head.slice(1).map((text) => make("th", { scope: "col" }, text)))), make("tbody", {}, ...rows));
    }

    // The end
    function commit() {
      if (!opened || isOver) return;
      const causes = Object.keys(words.causes).filter((name) => at.verdict.querySelector(`[id="${id(`cause-${name}`)}"]`).checked);
      const remedy = Object.keys(words.remedies).find((name) => at.verdict.querySelector(`[id="${id(`remedy-${name}`)}"]`).checked);
      const [low, high] = [at.low, at.high].map((input) => (input.value === "" ? NaN : Number(input.value)));
      const complaint = causes.length < 1 || causes.length > 2 ? "Choose one cause, or two."
        : !(low >= 0 && low < high && high <= 1) ? "Give an interval for the AUROC between 0 and 1, the lower end first."
          : !remedy ? "Choose a remedy; to change nothing is one of them." : "";
      if (complaint) {
        say(complaint);
        return;
      }
      isOver = true;
      const result = live.play.commit(opened, { causes, low, high, remedy, bought });
      showTools();
      at.verdict.parentElement.hidden = true;
      showEnd(result, low, high, remedy);
      at.end.focus();
      say(`${result.total} of 100 points. Hidden: ${result.hidden.join(" and ")}. The AUROC is ${two(result.auroc)}.`);
    }

    function showEnd(result, low, high, remedy) {
      const missed = result.auroc < low || result.auroc > high;
      const best = Object.entries(result.brier).sort((a, b) => a[1] - b[1])[0][0];
      at.line = make("input", { type: "text", readonly: "", id: id("line"), value: result.line });
      at.line.addEventListener("focus", () => at.line.select());
      const rows = Object.entries(result.brier).map(([name, value]) => make("tr", {},
        make("th", { scope: "row" }, words.remedies[name].title, name === remedy ? " (yours)" : ""), make("td", {}, value.toFixed(3))));
      at.end.replaceChildren(section("end", `${result.total} of 100 points`,
        ...result.hidden.map((name) => make("p", {}, make("b", {}, `Hidden: ${words.causes[name].title.toLowerCase()}. `), words.causes[name].told, " ",
          make("a", { href: `../chapters/${words.causes[name].chapter}.html` }, words.causes[name].link), ".")),
        make("p", {}, `Cause: ${result.points.cause} of ${live.play.SHARES.cause} points.`),
        make("p", {}, `Forecast: the network's AUROC on ${opened.sealed.images.length} lesions there is ${two(result.auroc)}, ${missed ? "outside" : "inside"} your ${two(low)} to ${two(high)}: `
          + `${result.points.forecast} of ${live.play.SHARES.forecast} points. A narrow interval earns more, if it holds.`),
        make("p", {}, `Remedy: ${result.points.remedy} of ${live.play.SHARES.remedy} points. The lowest Brier score there is that of “${words.remedies[best].title}”.`),
        make("table", {}, make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "remedy"), make("th", { scope: "col" }, "Brier score there, lower is better"))), make("tbody", {}, ...rows)),
        make("label.mgd-line", { for: id("line") }, "Your result as a line of text", at.line),
        make("div.mgx-buttons", {}, button("Copy the line", copy), button("Another case", () => open(1 + Math.floor(Math.random() * 99999))))));
    }

    async function copy() {
      at.line.focus();
      try {
        await navigator.clipboard.writeText(at.line.value);
        say("The line is copied.");
      } catch {
        say("The line is selected: copy it with the keyboard.");
      }
    }

    build();
    const asked = Number(new URLSearchParams(location.search).get("case"));
    open(asked || 1);
  }

  window.medgenDetective = { ready: loadAll(), assembled: () => live };
  window.medgenDetective.ready.then(() => document.querySelectorAll(".mg-detective").forEach((box, i) => {
    box.id = box.id || `mg-detective-${i + 1}`;
    start(box);
  }));
})();
