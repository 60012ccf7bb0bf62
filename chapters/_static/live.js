// Where a chapter leads to a live page, the page opens in place: a button below the paragraph puts it into the chapter.
// Nothing is loaded before; without this script, in Colab and on paper the link remains.
(() => {
  "use strict";
  const PAGES = ["explore", "train", "detective", "plan"]; // chapters/NAME.html shows what NAME/index.html holds alone
  const LIVE = new RegExp(`/chapters/(${PAGES.join("|")})\\.html$`);
  const root = new URL("../", document.currentScript.src); // of the site

  // The page alone follows the reader's system; here it follows the book's switch, and its links lead out of the frame.
  const fitIn = (frame) => {
    try {
      const inside = frame.contentDocument;
      const follow = () => (inside.documentElement.dataset.theme = document.documentElement.dataset.theme);
      follow();
      new MutationObserver(follow).observe(document.documentElement, { attributeFilter: ["data-theme"] });
      inside.querySelectorAll("a[href]").forEach((link) => (link.target = "_top"));
    } catch { /* a page from the disk may not look into another */ }
  };

  const offer = (link, name) => {
    const title = link.textContent.trim();
    const button = document.createElement("button");
    const box = document.createElement("div");
    let frame;
    const tell = () => {
      button.textContent = frame ? `Close ${title}` : `Open ${title} here`;
      button.setAttribute("aria-expanded", String(Boolean(frame)));
    };
    button.type = "button";
    box.className = "mg-live";
    button.addEventListener("click", () => {
      if (frame) {
        frame.remove();
        frame = null;
      } else {
        frame = document.createElement("iframe");
        frame.title = title;
        frame.src = new URL(`${name}/index.html`, root);
        frame.addEventListener("load", () => fitIn(frame));
        box.append(frame);
      }
      tell();
    });
    tell();
    box.append(button);
    link.closest("p").after(box);
  };

  const offered = new Set();
  for (const link of document.querySelectorAll("article p > a[href]")) {
    const name = LIVE.exec(link.href)?.[1];
    if (!name || offered.has(name) || LIVE.exec(location.href)?.[1] === name || link.closest("table, footer, details, li")) continue;
    offered.add(name);
    offer(link, name);
  }
})();
