/* The literature map: four graphs, filters and a count over the table that the page holds. Nothing is stored here. */
(() => {
  "use strict";
  const { make: node, button } = window.medgenLive;
  const VIEWS = { "Covariate shift": "2,2,186,216", "Prior shift": "202,2,186,216", "Concept shift": "2,236,186,216", "Shortcut": "202,236,186,216" };
  const LISTS = { Kind: "Kind", Family: "Family of remedy", Images: "Images" };
  const YES = { Sites: "says how many sites", "Executed here": "runs in this book", "In this book": "source of a claim" };

  function start() {
    const host = document.querySelector(".mg-atlas"), table = document.querySelector("table.mg-atlas-works");
    if (!host || !table) return;
    const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
    const rows = [...table.tBodies[0].rows], first = [...rows];
    const text = (row, name) => row.cells[heads.indexOf(name)].textContent.trim();
    const parts = (row, name) => text(row, name).split("; ").filter(Boolean);
    const roles = { "": "table", thead: "rowgroup", tbody: "rowgroup", tr: "row", th: "columnheader", td: "cell" }; // which the style would take
    for (const [tag, role] of Object.entries(roles))
      for (const one of tag ? table.querySelectorAll(tag) : [table]) one.setAttribute("role", role);

    // ------------------------------------------------------------------------------------------------ the graphs
    const picture = host.querySelector("img").getAttribute("src");
    let shift = "";
    const opened = node("div", { class: "mga-opened mgx-look", hidden: "" });
    const graphs = Object.entries(VIEWS).map(([name, view]) => {
      const works = rows.filter((row) => parts(row, "Shift").includes(name)).length;
      const [, , width, height] = view.split(",");
      const graph = node("button", { type: "button", class: "mga-graph", "aria-pressed": "false", "aria-label": `${name}: ${works} works` },
        node("img", { src: `${picture}#svgView(viewBox(${view}))`, alt: "", width, height }), node("span", {}, `${works} works`));
      graph.addEventListener("click", () => { shift = shift === name ? "" : name; show(); });
      return [name, graph];
    });
    function open() {
      for (const [name, graph] of graphs) graph.setAttribute("aria-pressed", String(name === shift));
      opened.hidden = !shift;
      const section = shift && document.getElementById(shift.toLowerCase().replace(" ", "-"));
      const copies = section ? [...section.children].filter((one) => one.matches("p")).map((one) => one.cloneNode(true)) : [];
      opened.replaceChildren(node("p", { class: "mgx-title" }, shift), ...copies);
    }

    // ------------------------------------------------------------------------------------------------ the filters
    const field = (label, input) => node("label", { class: "mga-field" }, node("span", {}, label), input);
    const picks = {}, ticks = {};
    const years = rows.map((row) => Number(text(row, "Year")));
    const year = (value) => node("input", { type: "number", min: Math.min(...years), max: Math.max(...years), value, autocomplete: "off" });
    const from = year(Math.min(...years)), to = year(Math.max(...years));
    const search = node("input", { type: "search", autocomplete: "off" });
    const order = node("select", { autocomplete: "off" }, ...["name", "newest first", "oldest first"].map((one) => node("option", {}, one)));
    const controls = node("div", { class: "mgx-controls mga-controls" }, field("Search", search));
    for (const [name, label] of Object.entries(LISTS)) {
      const values = [...new Set(rows.flatMap((row) => parts(row, name)))].sort((a, b) => a.localeCompare(b));
      picks[name] = node("select", { autocomplete: "off" }, node("option", { value: "" }, "all"), ...values.map((one) => node("option", {}, one)));
      controls.append(field(label, picks[name]));
    }
    controls.append(field("From", from), field("to", to), field("Order", order));
    for (const [name, label] of Object.entries(YES)) {
      ticks[name] = node("input", { type: "checkbox", autocomplete: "off" });
      controls.append(node("label", { class: "mgx-check" }, ticks[name], label));
    }
    const meets = {
      Sites: (row) => text(row, "Sites") !== "", "Executed here": (row) => text(row, "Executed here") !== "",
      "In this book": (row) => parts(row, "In this book").some((one) => one.startsWith("claim: ")),
    };
    const reset = button("Show all works", () => {
      shift = search.value = "";
      for (const pick of Object.values(picks)) pick.value = "";
      for (const tick of Object.values(ticks)) tick.checked = false;
      [from.value, to.value, order.value] = [from.min, to.max, "name"];
      show();
    });
    controls.addEventListener("input", show);

    // ------------------------------------------------------------------------------------------------ what is shown
    const words = node("p", { class: "mgx-words", "aria-live": "polite" });
    const bench = node("div", { class: "mgx mga", "aria-busy": "false" },
      node("div", { class: "mga-graphs", role: "group", "aria-label": "Graphs of shifts" }, ...graphs.map(([, graph]) => graph)),
      opened, controls, words, node("p", { class: "mgx-buttons" }, node("a", { href: "#all-works" }, "To these works"), reset));
    function wanted(row) {
      const at = Number(text(row, "Year")), word = search.value.trim().toLowerCase();
      return (!shift || parts(row, "Shift").includes(shift)) && at >= Number(from.value || from.min) && at <= Number(to.value || to.max) &&
        Object.entries(picks).every(([name, pick]) => !pick.value || parts(row, name).includes(pick.value)) &&
        Object.entries(ticks).every(([name, tick]) => !tick.checked || meets[name](row)) && row.textContent.toLowerCase().includes(word);
    }
    function show() {
      const sign = { "newest first": -1, "oldest first": 1 }[order.value] || 0;
      const sorted = sign ? [...first].sort((a, b) => sign * (text(a, "Year") - text(b, "Year"))) : first;
      table.tBodies[0].append(...sorted);
      for (const row of rows) row.hidden = !wanted(row);
      const left = rows.filter((row) => !row.hidden), here = left.filter(meets["Executed here"]).length;
      const which = [shift && `name ${shift.toLowerCase()}`, ...Object.values(picks).map((pick) => pick.value)].filter(Boolean).join(", ");
      words.textContent = `${left.length} of ${rows.length} works${which ? ` (${which})` : ""}; of ${here} something runs in this book.` +
        (left.length ? "" : " Nothing fits: show all works and start anew.");
      open();
    }
    host.append(bench);
    host.classList.add("mg-explorer-runs");
    show();
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
