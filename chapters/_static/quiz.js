// A quiz asks for a commitment: choose, then see the comment on your answer, then those on the others.
// A quiz is what the pages hold anyway: consecutive <details> whose summaries begin with A., B., C. Without this script
// they stay that. The answer is remembered in this browser only, for as long as the quiz keeps its words.
(() => {
  "use strict";
  const memory = {}; // where the browser stores nothing, an answer lasts as long as the page
  const remember = (key, letter) => {
    memory[key] = letter;
    try {
      letter ? localStorage.setItem(key, letter) : localStorage.removeItem(key);
    } catch { /* private windows and pages from the disk may refuse */ }
  };
  const recall = (key) => {
    try {
      return localStorage.getItem(key) || memory[key];
    } catch {
      return memory[key];
    }
  };

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const letterOf = (details) => /^\s*([A-H])\.\s/.exec(details.querySelector("summary").textContent)?.[1];
  const isOption = (element) => element?.tagName === "DETAILS" && element.querySelector("summary") && letterOf(element);

  const groups = () => {
    const found = [];
    for (const details of document.querySelectorAll("article details")) {
      if (!isOption(details)) continue;
      const last = found[found.length - 1];
      const goesOn = last && details.previousElementSibling === last[last.length - 1] && letterOf(details) !== "A";
      goesOn ? last.push(details) : found.push([details]);
    }
    return found.filter((options) => options.length > 1);
  };

  const keyOf = (options) => {
    const parts = [options[0].previousElementSibling, ...options.map((option) => option.querySelector("summary"))];
    const words = parts.map((part) => part?.textContent ?? "").join("").replace(/\s+/g, " ");
    let sum = 5381;
    for (const letter of words) sum = (sum * 33 + letter.codePointAt(0)) >>> 0;
    return `medgen quiz ${location.pathname.split("/").pop()} ${sum.toString(36)}`;
  };

  const quiz = (options, number) => {
    const key = keyOf(options);
    const summaries = options.map((option) => option.querySelector("summary"));
    const name = `quiz-${number}`;
    const rows = options.map((option) => {
      const input = make("input", { type: "radio", name, value: letterOf(option), required: true });
      return { input, words: make("span"), mark: make("span", { className: "mg-quiz-mark", textContent: "Your answer" }) };
    });
    const legend = make("legend", { textContent: "Choose and commit, then read" });
    const commit = make("button", { type: "submit", textContent: "Commit" });
    const missing = make("p", { className: "mg-quiz-missing" });
    missing.setAttribute("role", "status");
    const field = make("fieldset", {}, legend, ...rows.map(({ input, words }) => make("label", {}, input, words)));
    const form = make("form", { className: "mg-quiz-form", noValidate: true }, field, commit, missing);
    const others = make("button", { type: "button", textContent: "Comments on the other answers" });
    const again = make("button", { type: "button", textContent: "Forget my answer" });
    const bar = make("p", { className: "mg-quiz-bar" }, others, again);
    const answers = make("div", { className: "mg-quiz-answers" });
    const box = make("div", { className: "mg-quiz" });

    const question = options[0].previousElementSibling;
    if (question?.tagName === "P") {
      question.id ||= `${name}-question`;
      field.setAttribute("aria-describedby", question.id);
    }
    options[0].before(box);
    answers.append(...options, bar);
    box.append(form, answers);

    // The words of an option stand where it is shown: they are moved, since a copy of a formula would not be set.
    const ask = () => {
      rows.forEach(({ words, mark }, i) => {
        mark.remove();
        words.append(...summaries[i].childNodes);
        options[i].open = false;
      });
      form.hidden = false;
      answers.hidden = true;
    };
    const tell = (letter) => {
      rows.forEach(({ input, words, mark }, i) => {
        if (form.hidden === false) summaries[i].append(...words.childNodes);
        if (input.value !== letter) return;
        summaries[i].prepend(mark, " ");
        options[i].open = true;
      });
      others.hidden = options.every((option) => option.open);
      form.hidden = true;
      answers.hidden = false;
    };

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const chosen = rows.findIndex(({ input }) => input.checked);
      missing.textContent = chosen < 0 ? "Choose an answer first; a guess is fine." : "";
      if (chosen < 0) return rows[0].input.focus();
      remember(key, rows[chosen].input.value);
      tell(rows[chosen].input.value);
      summaries[chosen].focus();
    });
    others.addEventListener("click", () => {
      const next = summaries[options.findIndex((option) => !option.open)];
      options.forEach((option) => (option.open = true));
      others.hidden = true;
      next?.focus();
    });
    again.addEventListener("click", () => {
      remember(key, null);
      form.reset();
      ask();
      rows[0].input.focus();
    });

    // On paper a quiz is its options with all comments (book.js opens them); afterwards it is what it was.
    let asking;
    addEventListener("beforeprint", () => {
      asking = !form.hidden;
      if (asking) tell(null);
    });
    addEventListener("afterprint", () => asking && ask());

    const before = recall(key);
    ask();
    if (rows.some(({ input }) => input.value === before)) tell(before);
  };

  groups().forEach(quiz);
})();
