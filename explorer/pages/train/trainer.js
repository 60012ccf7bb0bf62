/* What a worker of the page does: it draws the hospitals and trains its share of the methods, one step of each in turn,
   and looks for a message after every step. It is asked with {kind: "start", methods, seed, causes}, "run" {until},
   "stop", "causes" {causes}; it answers {kind: "score", ...} for every method at every tenth step, and "rest". */
medgenLive.parts.trainer = function ({ causes, clinic, methods, measure, pause }) {
  const IMAGES = { train: 200, home: 40, away: 120 }; // of each training hospital, of each for the test, of the new one
  const EVERY = 10; // steps between two measurements
  const NEW = 3; // place of the new hospital
  const drawn = new Map();

  /** Images of a hospital, drawn once. */
  function images(hospital, place, n, seed) {
    const key = JSON.stringify([hospital, place, n, seed]);
    if (!drawn.has(key)) drawn.set(key, clinic.drawHospital(hospital, place, n, seed));
    return drawn.get(key);
  }

  /** What is trained on and what is measured with; training and test patients are never the same. */
  function draw(names, seed) {
    const hospitals = causes.hospitals(names);
    const sources = hospitals.slice(0, NEW);
    return {
      train: sources.map((hospital, i) => images(hospital, i, IMAGES.train, 2 * seed)),
      home: sources.map((hospital, i) => images(hospital, i, IMAGES.home, 2 * seed + 1)),
      away: [images(hospitals[NEW], NEW, IMAGES.away, 2 * seed + 1)],
    };
  }

  /** AUROC against the truth, and the share called malignant. */
  function measureAt(trainer, groups) {
    const scores = trainer.scores(groups.flatMap((group) => group.images));
    const truth = groups.flatMap((group) => group.truth);
    return { ...measure.auroc(scores, truth), called: scores.filter((score) => score > 0).length / scores.length };
  }

  function work(scope) {
    let [trainers, data, seed, until, busy, names] = [{}, null, 0, 0, false, []];
    const say = (kind, more) => scope.postMessage({ kind, ...more });
    const score = (method, loss) => {
      const [home, away] = [data.home, data.away].map((groups) => measureAt(trainers[method], groups));
      say("score", { method, step: trainers[method].steps(), loss, home, away, causes: names });
    };

    async function run() {
      if (busy) return;
      busy = true;
      for (let any = true; any; ) {
        any = false;
        for (const [method, trainer] of Object.entries(trainers)) {
          if (trainer.steps() >= until) continue;
          any = true;
          const loss = trainer.step(data.train);
          if (trainer.steps() % EVERY === 0) score(method, loss);
          await pause();
        }
      }
      busy = false;
      say("rest");
    }

    scope.onmessage = ({ data: asked }) => {
      if (asked.kind === "start") {
        ({ seed, causes: names } = asked);
        drawn.clear();
        trainers = Object.fromEntries(asked.methods.map((method) => [method, methods.makeTrainer(method, seed)]));
        until = 0;
        data = draw(names, seed);
        Object.keys(trainers).forEach((method) => score(method, null));
      } else if (asked.kind === "causes") {
        names = asked.causes;
        data = draw(names, seed);
        Object.keys(trainers).forEach((method) => score(method, null));
      } else {
        until = asked.kind === "run" ? asked.until : 0;
        run();
      }
    };
  }

  return { IMAGES, EVERY, NEW, draw, measureAt, work };
};
