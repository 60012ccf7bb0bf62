// Two small helps for the reader, without a library and without another host; they work from the disk too.
// 1. Previews: a link to a glossary term or a reference shows its text on hover and on keyboard focus; Escape hides it.
// 2. Print: folded hints and solutions are opened, and closed again afterwards; late figures are loaded.
(() => {
  "use strict";
  const folder = document.currentScript.src.replace(/book\.js.*$/, "");
  let card, shownFor, timer, wanted;

  const keyOf = (link) => {
    const match = /(glossary|references)\.html#((?:term|ref)-.+)$/.exec(link.href);
    const own = link.closest("dt, li[id^='ref-']"); // a term's own permalink needs no preview
    return match && !own ? `${match[1]}.html#${decodeURIComponent(match[2]).toLowerCase()}` : null;
  };

  const withDefinitions = (then) => {
    if (window.bookDefinitions) return then();
    wanted = then;
    if (document.getElementById("book-definitions")) return;
    const script = document.createElement("script"); // a script, not fetch: it works from the disk
    script.id = "book-definitions";
    script.src = `${folder}definitions.js`;
    script.onload = () => wanted();
    document.head.append(script);
  };

  const hide = () => {
    clearTimeout(timer);
    wanted = () => {};
    if (!shownFor) return;
    shownFor.removeAttribute("aria-describedby");
    card.hidden = true;
    shownFor = null;
  };

  const show = (link) => withDefinitions(() => {
    const text = window.bookDefinitions[keyOf(link)];
    if (!text) return;
    hide();
    if (!card) {
      card = document.createElement("div");
      card.id = card.className = "mg-preview";
      card.setAttribute("role", "tooltip");
      card.addEventListener("pointerenter", () => clearTimeout(timer)); // one may move onto the card
      card.addEventListener("pointerleave", () => (timer = setTimeout(hide, 200)));
      (document.querySelector("main") || document.body).append(card);
    }
    card.innerHTML = text;
    card.hidden = false;
    const at = link.getClientRects()[0];
    const above = at.bottom + card.offsetHeight + 8 > innerHeight && at.top > card.offsetHeight + 8;
    card.style.top = `${above ? at.top - card.offsetHeight - 4 : at.bottom + 4}px`;
    card.style.left = `${Math.max(8, Math.min(at.left, document.documentElement.clientWidth - card.offsetWidth - 8))}px`;
    link.setAttribute("aria-describedby", card.id);
    shownFor = link;
    if (text.includes("class=\"math")) typeset(card);
  });

  const typeset = (box) => {
    if (window.MathJax?.typesetPromise) return MathJax.typesetPromise([box]);
    if (document.querySelector("script[src*=mathjax]")) return; // on its way: it sets the whole page
    const script = document.createElement("script"); // a page without formulas, a term with one
    script.src = `${folder}../mathjax/tex-chtml.js`;
    document.head.append(script);
  };

  const linkOf = (event) => {
    const link = event.target.closest?.("article a[href]");
    return link && keyOf(link) ? link : null;
  };
  document.addEventListener("pointerover", (event) => {
    const link = linkOf(event);
    if (!link || event.pointerType === "touch" || link === shownFor) return; // a tap follows the link
    clearTimeout(timer);
    timer = setTimeout(() => show(link), 150);
  });
  document.addEventListener("pointerout", (event) => {
    if (!linkOf(event)) return;
    clearTimeout(timer);
    timer = setTimeout(hide, 200);
  });
  document.addEventListener("focusin", (event) => {
    const link = linkOf(event);
    if (link && link.matches(":focus-visible")) show(link);
  });
  document.addEventListener("focusout", (event) => linkOf(event) && hide());
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  document.addEventListener("scroll", hide, { passive: true });

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("article details:not([open]):not(.hide)")];
    opened.forEach((details) => (details.open = true));
    document.querySelectorAll("img[loading=lazy]").forEach((image) => (image.loading = "eager"));
  });
  addEventListener("afterprint", () => opened.forEach((details) => (details.open = false)));
})();
