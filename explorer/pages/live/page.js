/* What every live page starts from: elements, pauses, and parts that run in the page and in a worker alike.
   A part is a function of the parts before it: medgenLive.parts.name = function (live) { ...; return {...}; }. It uses
   nothing else, so that its own text can be sent to a worker: a page opened from the disk may not load one from a file. */
window.medgenLive = (function () {
  "use strict";
  const FOLDER = document.currentScript.src.replace(/[^/]*$/, "");
  const parts = {};

  /** An element: make("p.quiet", {id: "a"}, "text", child). */
  function make(kind, attributes = {}, ...children) {
    const [tag, ...classes] = kind.split(".");
    const element = document.createElement(tag);
    if (classes.length) element.className = classes.join(" ");
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  /** An element of SVG. */
  function drawing(kind, attributes, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", kind);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text) element.textContent = text;
    return element;
  }

  /** A button with a second line in small letters. */
  function button(text, action, note) {
    const element = make("button", { type: "button" }, text);
    if (note) element.append(" ", make("small", {}, note));
    element.addEventListener("click", action);
    return element;
  }

  /** An image (values in [0, 1]; one or three for each pixel) on a canvas of its size. */
  function paint(canvas, image) {
    const pixels = canvas.getContext("2d").createImageData(canvas.width, canvas.height);
    const channels = image.length / (canvas.width * canvas.height);
    for (let p = 0; p < canvas.width * canvas.height; p++) {
      for (let c = 0; c < 3; c++) pixels.data[4 * p + c] = Math.round(255 * image[channels * p + (c % channels)]);
      pixels.data[4 * p + 3] = 255;
    }
    canvas.getContext("2d").putImageData(pixels, 0, 0);
  }

  /** Gives the browser time for the reader's input and for painting. */
  const pause = () => new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => resolve(channel.port1.close());
    channel.port2.postMessage(0);
  });

  /** Run scripts in this order; an address is taken from the folder `from`. */
  const loadScripts = (names, from = FOLDER) => Promise.all(names.map((name) => new Promise((resolve, reject) => {
    document.head.append(Object.assign(document.createElement("script"), {
      src: `${from}${name}.js`, async: false, onload: resolve, onerror: () => reject(new Error(`${name}.js`)),
    }));
  })));

  /** The parts of these names, each made from those before it. */
  function assemble(names) {
    const live = {};
    for (const name of names) live[name] = parts[name](live);
    return live;
  }

  /** The text of a worker that has these parts and then runs main(live). */
  function workerOf(names, main) {
    const made = names.map((name) => `live.${name} = (${parts[name]})(live);`);
    const text = `"use strict";\nconst live = { pause: ${pause} };\n${made.join("\n")}\n(${main})(live);\n`;
    return new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
  }

  return { parts, make, drawing, button, paint, pause, loadScripts, assemble, workerOf };
})();
