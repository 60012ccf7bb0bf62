// What is wider than the page says so: a table, code or a formula that scrolls sideways gets a shaded edge on the side
// where more of it is. The shade lies above the content, so it is seen on striped rows and in the dark as well.
(() => {
  "use strict";
  const WIDE = "article .pst-scrollable-table-container, article .cell_output .text_html, article pre, article div.math, article .medgen-sortable > div[role=region]";
  const frames = new WeakMap();

  // The element that holds the shades and stays in place: the block around code is one already, others get one.
  const frameOf = (scroller) => {
    if (!frames.has(scroller)) {
      let frame = scroller.tagName === "PRE" && scroller.closest(".highlight");
      if (!frame) {
        frame = document.createElement("div");
        scroller.before(frame);
        frame.append(scroller);
      }
      frame.classList.add("mg-wide");
      frames.set(scroller, frame);
      scroller.addEventListener("scroll", () => look(scroller), { passive: true });
    }
    return frames.get(scroller);
  };

  const look = (scroller) => {
    const hidden = scroller.scrollWidth - scroller.clientWidth;
    if (hidden < 2 && !frames.has(scroller)) return; // most need no frame
    const frame = frameOf(scroller);
    frame.classList.toggle("mg-more-left", hidden > 1 && scroller.scrollLeft > 1);
    frame.classList.toggle("mg-more-right", hidden > 1 && scroller.scrollLeft < hidden - 1);
    scroller.tabIndex = hidden > 1 ? 0 : -1; // the arrow keys scroll what has the focus
    if (scroller.querySelector("table") && !scroller.closest(".medgen-sortable")) { // that one names itself
      scroller.setAttribute("role", "group");
      scroller.setAttribute("aria-label", hidden > 1 ? "Table, scrolls sideways" : "Table");
    }
  };

  const watch = new ResizeObserver((entries) => entries.forEach((entry) => look(entry.target)));
  document.querySelectorAll(WIDE).forEach((scroller) => watch.observe(scroller));
})();
