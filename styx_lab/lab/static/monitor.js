// The live monitor's view. It draws once; afterwards it only sets text, classes and one curve.
// One file, no imports: nothing is fetched from anywhere.

const HEAD = [
  ["rate", "events/s"],
  ["watermark", "watermark"],
  ["delay", "watermark delay"],
  ["late", "late"],
  ["dead", "dead letters"],
  ["matches", "matches"],
  ["notifications", "notifications"],
];
const SVG = "http://www.w3.org/2000/svg";
const CURVE = { width: 132, height: 30 };

function make(tag, className, parent) {
  const made = document.createElement(tag);
  made.className = className;
  parent.append(made);
  return made;
}

function makeSvg(tag, className, parent) {
  const made = document.createElementNS(SVG, tag);
  made.setAttribute("class", className);
  parent.append(made);
  return made;
}

function setText(where, text) {
  if (where.textContent !== text) where.textContent = text;
}

function mark(where, name, label, text) {
  where.classList.toggle("styx-monitor-" + name, label === name && text !== "0");
}

// Parsed as XML: a drawing that is none is shown as words, and nothing in it can run.
function drawInto(parent, source) {
  const parsed = new DOMParser().parseFromString(source, "image/svg+xml");
  const svg = parsed.documentElement;
  if (svg.nodeName !== "svg" || parsed.querySelector("parsererror")) {
    parent.textContent = "The drawing of this flow cannot be shown.";
    return new Map();
  }
  parent.append(document.importNode(svg, true));
  const steps = new Map();
  for (const group of parent.querySelectorAll("[data-step]")) {
    const line = group.querySelector("[data-figures]");
    if (line) steps.set(group.getAttribute("data-step"), { line, given: line.textContent, labels: null, values: [] });
  }
  return steps;
}

function setFigures(step, figures) {
  const labels = figures.map(([label]) => label).join(" ");
  if (step.labels !== labels) {
    step.labels = labels;
    step.line.replaceChildren();
    step.values = figures.map(([label], number) => {
      const before = makeSvg("tspan", "", step.line);
      before.textContent = label;
      if (number) before.setAttribute("dx", "9");
      const value = makeSvg("tspan", "name", step.line);
      value.setAttribute("dx", "3");
      return value;
    });
  }
  figures.forEach(([label, text], number) => {
    const value = step.values[number];
    setText(value, text);
    mark(value, "late", label, text);
    mark(value, "dead", label, text);
  });
}

function setCurve(curve, points) {
  const { width, height } = CURVE;
  const most = Math.max(1, ...points);
  const places = points.map((point, number) => {
    const x = points.length > 1 ? (number * width) / (points.length - 1) : width;
    return x.toFixed(1) + "," + (height - 2 - (point / most) * (height - 4)).toFixed(1);
  });
  curve.line.setAttribute("points", places.join(" "));
  curve.area.setAttribute("points", places.length ? ["0," + height, ...places, width + "," + height].join(" ") : "");
}

function render({ model, el }) {
  const root = make("div", "styx-monitor", el);
  const head = make("div", "styx-monitor-head", root);
  const status = make("div", "styx-monitor-status", head);
  status.setAttribute("role", "status");
  make("span", "styx-monitor-dot", status);
  const word = make("span", "styx-monitor-word", status);
  const figures = make("dl", "styx-monitor-figures", head);
  const values = new Map();
  for (const [name, label] of HEAD) {
    const tile = make("div", "styx-monitor-figure", figures);
    make("dt", "", tile).textContent = label;
    values.set(name, make("dd", "", tile));
  }
  const chart = makeSvg("svg", "styx-monitor-curve", head);
  chart.setAttribute("viewBox", `0 0 ${CURVE.width} ${CURVE.height}`);
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", "events per second, lately");
  const curve = {
    area: makeSvg("polygon", "styx-monitor-area", chart),
    line: makeSvg("polyline", "styx-monitor-line", chart),
  };
  const message = make("pre", "styx-monitor-message", root);
  const steps = drawInto(make("div", "styx-monitor-drawing", root), model.get("drawing"));

  const update = () => {
    const state = model.get("state") ?? {};
    root.dataset.status = state.status ?? "ready";
    setText(word, state.status ?? "ready");
    setText(message, state.message ?? "");
    message.hidden = !state.message;
    for (const [name, value] of values) {
      const text = state[name] ?? "–";
      setText(value, text);
      mark(value, "late", name, text);
      mark(value, "dead", name, text);
    }
    setCurve(curve, state.points ?? []);
    for (const [name, step] of steps) {
      const told = state.steps?.[name];
      if (told) {
        setFigures(step, told);
      } else if (step.labels !== null) {
        // A new run has begun: back to what the step gives.
        step.labels = null;
        step.line.textContent = step.given;
      }
    }
  };
  update();
  model.on("change:state", update);
  return () => model.off("change:state", update);
}

export default { render };
