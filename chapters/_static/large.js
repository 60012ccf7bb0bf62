// Every figure opens large: by a click on it, or by its button, which a key or a finger reaches too.
// In the dialog it fills the window, can be made larger step by step and is then scrolled; Escape closes, and the focus
// returns to the button. Words of the figure (alt text, caption) come along.
(() => {
  "use strict";
  const STEP = 1.5;
  const MOST = 4; // times the width that fits
  const SMALLEST = 120; // pixels: below that it is an icon
  let dialog, shown, fitting, size;

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  const build = () => {
    const pane = make("div", { className: "mg-large-pane", tabIndex: 0 });
    pane.setAttribute("role", "group");
    pane.setAttribute("aria-label", "The figure, to scroll");
    const button = (text, label, act) => {
      const one = make("button", { type: "button", textContent: text });
      one.setAttribute("aria-label", label);
      one.addEventListener("click", act);
      return one;
    };
    const smaller = button("−", "Smaller", () => resize(size / STEP));
    const larger = button("+", "Larger", () => resize(size * STEP));
    const close = button("×", "Close", () => dialog.close());
    const caption = make("p", { className: "mg-large-caption" });
    dialog = make("dialog", { className: "mg-large" }, make("div", { className: "mg-large-bar" }, smaller, larger, close), pane, caption);
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "+" || event.key === "=") resize(size * STEP);
      if (event.key === "-") resize(size / STEP);
      if (event.key === "Escape") event.preventDefault(), dialog.close();
    });
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside the figure
    addEventListener("resize", () => dialog.open && fit());
    document.body.append(dialog);
  };

  const resize = (wanted) => {
    const pane = dialog.querySelector(".mg-large-pane");
    const middle = (pane.scrollLeft + pane.clientWidth / 2) / pane.scrollWidth;
    size = Math.min(MOST, Math.max(1, wanted));
    shown.style.width = `${Math.round(fitting * size)}px`;
    pane.scrollLeft = middle * pane.scrollWidth - pane.clientWidth / 2;
    dialog.querySelector("[aria-label=Smaller]").disabled = size === 1;
    dialog.querySelector("[aria-label=Larger]").disabled = size === MOST;
  };

  // The width at which the whole figure is seen. Where that is hardly more than on the page (a phone held upright, a
  // tall figure) it starts larger: as it was drawn, at most as high as the window, at least 1.6 times as on the page.
  const fit = () => {
    const pane = dialog.querySelector(".mg-large-pane");
    const [width, height, seen] = ["width", "height", "seen"].map((name) => Number(shown.dataset[name]));
    const high = (pane.clientHeight * width) / height;
    fitting = Math.min(pane.clientWidth, high);
    size = 1;
    resize(fitting > 1.3 * seen ? 1 : Math.max(1.6 * seen, Math.min(width, high)) / fitting);
  };

  const open = (figure) => {
    if (!dialog) build();
    const seen = figure.getBoundingClientRect();
    shown = figure.cloneNode(true);
    shown.removeAttribute("loading");
    shown.removeAttribute("style");
    for (const name of ["id", "class", "width", "height"]) shown.removeAttribute(name);
    Object.assign(shown.dataset, {
      width: figure.naturalWidth || seen.width * 2,
      height: figure.naturalHeight || seen.height * 2,
      seen: seen.width,
    });
    const caption = figure.closest("figure")?.querySelector("figcaption")?.cloneNode(true);
    caption?.querySelectorAll(".headerlink").forEach((link) => link.remove());
    dialog.querySelector(".mg-large-pane").replaceChildren(shown);
    dialog.querySelector(".mg-large-caption").textContent = caption?.textContent.trim() ?? "";
    dialog.setAttribute("aria-label", nameOf(figure));
    dialog.showModal();
    fit();
    dialog.querySelector(".mg-large-pane").focus(); // the arrow keys scroll it
  };

  const nameOf = (figure) => {
    const number = figure.closest("figure")?.querySelector(".caption-number")?.textContent.trim();
    return number || figure.alt?.split(/[.:]\s/)[0] || figure.getAttribute("aria-label") || "Figure";
  };

  const prepare = (figure) => {
    const given = Number(figure.getAttribute("width")) || figure.naturalWidth || figure.getBoundingClientRect().width;
    if (given < SMALLEST || figure.closest("a, button, .mg-explorer")) return; // the explorer draws its own
    const button = make("button", { type: "button", className: "mg-enlarge" });
    button.setAttribute("aria-label", `Enlarge: ${nameOf(figure)}`);
    const frame = make("span", { className: "mg-figure" });
    figure.before(frame);
    frame.append(figure, button);
    button.addEventListener("click", () => open(figure));
    figure.addEventListener("click", () => {
      button.focus({ preventScroll: true }); // to which the dialog gives the focus back
      open(figure);
    });
  };

  document
    .querySelectorAll("article figure img, article .cell_output img, article .cell_output svg[role=img], article p > img")
    .forEach(prepare);
})();
