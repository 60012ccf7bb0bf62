// The order of search results (Sphinx writes this into its search script): what a chapter teaches comes before where
// claims, plans for teachers and the bibliography mention it; a term of the glossary stays on top.
var Scorer = {
  score: ([page, title, anchor, description, score, file]) => {
    const words = new URLSearchParams(location.search).get("q")?.trim().toLowerCase();
    const named = words && title.toLowerCase().includes(words);
    const chapter = file.endsWith(".ipynb");
    return score + (chapter ? 12 : 0) + (chapter && named ? 12 : 0) - (page.startsWith("chapters/teaching/") ? 8 : 0);
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
