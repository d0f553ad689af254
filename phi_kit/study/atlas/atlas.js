"use strict";
// The atlas of a sweep. Its data lie in the page, gzipped; nothing is fetched.

const byId = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.map((child) => child ?? ""));
  return made;
}

function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

async function read() {
  const text = atob(byId("data").textContent.trim());
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const open = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(open).json();
}

// --- numbers as the report writes them ---

const minus = (text) => text.replace("-", "−");
const percent = (x) => `${(100 * x).toFixed(1)}\u00a0%`;
const signed = (x) => {
  const text = (100 * x).toFixed(1);
  return Number(text) === 0 ? "0.0" : minus(x > 0 ? `+${text}` : text);
};
const span = (gain) => `${signed(gain[0])} [${signed(gain[1])} to ${signed(gain[2])}]`;
const duration = (s) =>
  s < 60 ? `${Math.round(s)} s` : s < 3600 ? `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`
    : `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
const count = (n) => n.toLocaleString("en-US");
const costWords = { seconds: duration, tokens: (n) => `${count(n)} tokens` };

// --- state ---

let data, measure;
const chosen = { a: -1, b: -1 };
const sorting = { column: 0, down: false };

const scoreOf = (place) => measure?.scores[place];
// What is plotted: the gain over base where base was asked, else the accuracy.
const hasGain = () => Object.values(measure.scores).some((score) => score.length > 3);
const outcome = (place) => {
  const score = scoreOf(place);
  return score && (hasGain() ? score[3] : score[0]);
};

// --- tables ---

function fill(table, caption, head, rows) {
  table.replaceChildren(
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...rows),
  );
}

const headings = (...names) => names.map((name) => element("th", { scope: "col" }, name));
const row = (first, ...cells) =>
  element("tr", {}, element("th", { scope: "row" }, first), ...cells.map((c) => element("td", {}, c)));

function verdict(said) {
  return element("span", { class: `verdict ${said.replace(" ", "-")}` }, said);
}

function columns() {
  const own = (name, value, shown = value) => ({ name, value, shown });
  const list = [
    own("variant", (v) => v.name, (v) => (v.opens ? element("a", { href: v.opens }, v.name) : v.name)),
    own("state", (v) => v.kind),
  ];
  data.params.forEach((param, place) => list.push(own(param.label, (v) => v.sets[place])));
  if (measure) {
    list.push(own("accuracy [95 %]", (v) => scoreOf(v.place)?.[0], (v) => {
      const s = scoreOf(v.place);
      return s ? `${percent(s[0])} [${(100 * s[1]).toFixed(1)} to ${percent(s[2])}]` : "–";
    }));
    if (hasGain()) {
      list.push(own("gain over base, points [95 %]", (v) => scoreOf(v.place)?.[3], (v) => {
        const s = scoreOf(v.place);
        return s?.length > 3 ? span(s.slice(3)) : "–";
      }));
    }
  }
  list.push(own("time", (v) => v.seconds, (v) => duration(v.seconds)));
  list.push(own("tokens", (v) => v.tokens, (v) => count(v.tokens)));
  return list;
}

const missing = (value) => value === undefined || value === null;

function compared(one, other) {
  if (missing(one) || missing(other)) return missing(one) - missing(other) || 0;
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), "en", { numeric: true });
}

function filtered() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const picks = [...document.querySelectorAll("#choices select")].map((pick) => pick.value);
  return data.variants.filter((variant) =>
    words.every((word) => variant.text.includes(word)) &&
    picks.every((pick, place) => pick === "" || String(variant.sets[place]) === pick));
}

function showVariants() {
  const list = columns();
  sorting.column = Math.min(sorting.column, list.length - 1);
  const { value } = list[sorting.column];
  const found = filtered();
  found.sort((one, other) => {
    const [x, y] = [value(one), value(other)];
    // What has no value stands last, whichever way it is sorted.
    return missing(x) || missing(y) ? compared(x, y) : compared(x, y) * (sorting.down ? -1 : 1);
  });
  const head = list.map((column, place) => {
    const button = element("button", { type: "button" }, column.name);
    button.addEventListener("click", () => {
      // Numbers begin with the largest, words with A.
      const numbers = data.variants.some((variant) => typeof column.value(variant) === "number");
      sorting.down = sorting.column === place ? !sorting.down : numbers;
      sorting.column = place;
      showVariants();
      byId("table").querySelectorAll("thead button")[place].focus();
    });
    const way = sorting.column === place ? (sorting.down ? "descending" : "ascending") : "none";
    return element("th", { scope: "col", "aria-sort": way }, button);
  });
  if (measure) head.push(...headings("compare"));
  const rows = found.map((variant) => {
    const cells = list.slice(1).map((column) => {
      const shown = column.shown(variant);
      return missing(shown) ? "–" : shown instanceof Node ? shown : String(shown);
    });
    if (measure) cells.push(scoreOf(variant.place) ? pickers(variant) : "–");
    return row(list[0].shown(variant), ...cells);
  });
  fill(byId("table"), "Variants; a heading sorts, a name opens its report, or else its last notebook", head, rows);
  byId("shown").textContent = `${count(found.length)} of ${count(data.variants.length)} variants shown.`;
}

function pickers(variant) {
  const both = element("span", {});
  for (const side of ["a", "b"]) {
    const words = { type: "button", "aria-pressed": chosen[side] === variant.place, "data-side": side };
    const button = element("button", words, side.toUpperCase());
    button.setAttribute("aria-label", `${variant.name} as ${side.toUpperCase()}`);
    button.addEventListener("click", () => choose(side, variant.place));
    both.append(button, " ");
  }
  return both;
}

// --- effects ---

function whisker(gain, most) {
  const at = (x) => 80 + (x / most) * 74;
  return drawn("svg", { width: 160, height: 16, viewBox: "0 0 160 16", "aria-hidden": "true" },
    drawn("line", { class: "zero", x1: 80, x2: 80, y1: 0, y2: 16 }),
    drawn("line", { class: "whisker", x1: at(gain[1]), x2: at(gain[2]), y1: 8, y2: 8 }),
    drawn("circle", { class: "mark", cx: at(gain[0]), cy: 8, r: 4 }));
}

function showEffects() {
  const most = Math.max(0.02, ...measure.effects.flatMap((e) => e.gain.slice(1).map(Math.abs)));
  const rows = measure.effects.map((effect) => row(
    effect.label, `${effect.value} against ${effect.reference}`, span(effect.gain), whisker(effect.gain, most),
    effect.pairs ? count(effect.pairs) : "not paired", verdict(effect.verdict)));
  const head = headings("parameter", "value", "difference, points [95 %]", "from worse to better", "pairs of variants", "verdict");
  fill(byId("effects"), `Effects on ${measure.label}, n = ${measure.ids.length} items`, head, rows);
}

function showSummary() {
  const places = Object.keys(measure.scores).map(Number);
  const best = places.reduce((one, other) => (scoreOf(other)[0] > scoreOf(one)[0] ? other : one));
  const score = scoreOf(best), told = measure.effects.filter((e) => e.verdict !== "cannot tell").length;
  const effects = measure.effects.length ? `${told} of ${measure.effects.length} effects can be told from none. ` : "";
  byId("summary").textContent = `${effects}The highest of ${count(places.length)} variants is ${data.variants[best].name}: ` +
    `${percent(score[0])} [${(100 * score[1]).toFixed(1)} to ${percent(score[2])}], n = ${measure.ids.length}. ` +
    "The best of many looks better than it is: measure it again on fresh items.";
}

// --- gain against cost ---

const TIMES = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];

function nice(low, high, steps = []) {
  const rough = (high - low || 1) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = steps.find((s) => s >= rough) ?? [1, 2, 5, 10].map((f) => f * power).find((s) => s >= rough);
  const ticks = [];
  for (let x = Math.ceil(low / step) * step; x <= high + step / 1e6; x += step) ticks.push(Math.abs(x) < step / 1e6 ? 0 : x);
  return ticks;
}

function front(points) {
  let most = -Infinity;
  const ordered = [...points].sort((p, q) => p.cost - q.cost || q.out - p.out);
  return ordered.filter((point) => point.out > most && ((most = point.out), true));
}

function showPareto() {
  const name = byId("cost").value, words = costWords[name];
  const points = data.variants.filter((v) => !missing(outcome(v.place)))
    .map((v) => ({ place: v.place, name: v.name, cost: v[name], out: outcome(v.place) }));
  const best = front(points), onFront = new Set(best.map((p) => p.place));
  const [w, h, left, right, top, bottom] = [900, 380, 64, 20, 14, 46];
  const ends = (list) => { const [l, u] = [Math.min(...list), Math.max(...list)], room = (u - l || 0.02 * Math.abs(u) || 1) * 0.05; return [l - room, u + room]; };
  const [x0, x1] = ends(points.map((p) => p.cost)), [y0, y1] = ends(points.map((p) => p.out));
  const x = (v) => left + ((v - x0) / (x1 - x0)) * (w - left - right);
  const y = (v) => h - bottom - ((v - y0) / (y1 - y0)) * (h - top - bottom);
  const what = hasGain() ? "gain over base, points" : "accuracy, %";
  const svg = drawn("svg", { viewBox: `0 0 ${w} ${h}`, role: "img", "aria-labelledby": "pareto-words" });
  for (const tick of nice(y0, y1)) {
    const text = hasGain() ? signed(tick) : (100 * tick).toFixed(1);
    svg.append(drawn("line", { class: tick === 0 ? "zero" : "axis", x1: left, x2: w - right, y1: y(tick), y2: y(tick) }),
      drawn("text", { x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, text));
  }
  for (const tick of nice(x0, x1, name === "seconds" ? TIMES : [])) {
    if (tick >= 0) svg.append(drawn("text", { x: x(tick), y: h - bottom + 18, "text-anchor": "middle" }, words(tick)));
  }
  svg.append(drawn("text", { x: left, y: h - 6 }, name === "seconds" ? "time of its steps →" : "tokens drawn →"),
    drawn("text", { x: 4, y: 12 }, what));
  svg.append(drawn("polyline", { class: "edge", points: best.map((p) => `${x(p.cost)},${y(p.out)}`).join(" ") }));
  for (const point of points) {
    const pick = point.place === chosen.a || point.place === chosen.b ? " chosen" : "";
    const score = scoreOf(point.place), interval = score.length > 3 ? span(score.slice(3)) : percent(score[0]);
    const dot = drawn("circle", { class: `dot${onFront.has(point.place) ? " front" : ""}${pick}`, cx: x(point.cost), cy: y(point.out), r: pick || onFront.has(point.place) ? 6 : 4 },
      drawn("title", {}, `${point.name}: ${interval}, ${words(point.cost)}`));
    dot.addEventListener("click", () => choose(chosen.a < 0 || chosen.b >= 0 ? "a" : "b", point.place));
    svg.append(dot);
  }
  byId("pareto").replaceChildren(svg);
  const said = best.slice(0, 8).map((p) => `${p.name} (${words(p.cost)}, ${hasGain() ? `${signed(p.out)} points` : percent(p.out)})`);
  byId("pareto-words").textContent = `No other variant is both cheaper and better than: ${said.join("; ")}` +
    `${best.length > 8 ? `; and ${best.length - 8} more` : ""}. Intervals stand in the table and at each dot; what all variants share counts in the cost of each. n = ${measure.ids.length} items.`;
}

// --- two variants ---

const items = (place) => [...measure.items[place]].map((letter) => data.letters.indexOf(letter) / measure.parts);

function random(state) { // mulberry32: the same interval whenever the page is opened
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function pairedGain(differences) {
  const n = differences.length, draw = random(7), means = [];
  const mean = differences.reduce((sum, d) => sum + d, 0) / n;
  if (differences.every((d) => d === differences[0])) {
    const room = 3.8415 / (n + 3.8415); // Wilson's interval of 0 of n
    return [mean, mean - room, mean + room];
  }
  for (let i = 0; i < 2000; i++) {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += differences[Math.floor(draw() * n)];
    means.push(sum / n);
  }
  means.sort((p, q) => p - q);
  return [mean, means[49], means[1950]];
}

function showPair() {
  const place = byId("pair");
  if (!scoreOf(chosen.a) || !scoreOf(chosen.b) || chosen.a === chosen.b) {
    place.replaceChildren(element("p", { class: "missing" }, "Choose two variants, here or in the table."));
    return;
  }
  const [a, b] = [items(chosen.a), items(chosen.b)];
  const gain = pairedGain(b.map((value, i) => value - a[i]));
  const told = a.length < 10 || (gain[1] <= 0 && gain[2] >= 0) ? "cannot tell" : gain[1] > 0 ? "better" : "worse";
  const better = a.filter((value, i) => b[i] > value).length, worse = a.filter((value, i) => b[i] < value).length;
  const [nameA, nameB] = [chosen.a, chosen.b].map((one) => data.variants[one].name);
  const said = element("p", {}, element("strong", {}, `B over A: ${span(gain)} points`), `, n = ${a.length} items. `, verdict(told),
    ` B does better on ${better}, worse on ${worse}, alike on ${a.length - better - worse}. Not corrected for how many pairs you look at.`);
  const sets = data.params.map((param, i) => [param.label, data.variants[chosen.a].sets[i], data.variants[chosen.b].sets[i]]).filter((s) => s[1] !== s[2]);
  const settings = element("table"), differing = element("table");
  fill(settings, "What they set differently", headings("parameter", `A: ${nameA}`, `B: ${nameB}`), sets.map((s) => row(s[0], String(s[1] ?? "–"), String(s[2] ?? "–"))));
  const rows = a.map((value, i) => [i, value, b[i]]).filter((one) => one[1] !== one[2])
    .sort((p, q) => (p[2] - p[1]) - (q[2] - q[1]))
    .map(([i, x, y]) => row(element("code", {}, measure.ids[i]), measure.families[i] || "–", percent(x), percent(y)));
  fill(differing, `Items on which they differ, ${rows.length} of ${a.length}`, headings("item", "family", "A right", "B right"), rows);
  const box = (label, table) => element("div", { class: "scroll tall", role: "group", "aria-label": label, tabindex: 0 }, table);
  place.replaceChildren(said, box("Settings of both", settings), box("Items on which they differ", differing));
}

function choose(side, place) {
  chosen[side] = place;
  byId(side).value = String(place);
  for (const button of document.querySelectorAll(`#table button[data-side="${side}"]`)) {
    const own = button.getAttribute("aria-label") === `${data.variants[place]?.name} as ${side.toUpperCase()}`;
    button.setAttribute("aria-pressed", own);
  }
  showPareto();
  showPair();
}

// --- seeds and failures ---

function showSpreads() {
  const table = byId("spreads");
  table.parentElement.hidden = !measure.spreads.length;
  byId("spread-words").textContent = measure.spreads.length
    ? `From one random seed to another a result moves by ${(100 * measure.deviation).toFixed(1)} points (standard deviation, ${measure.spreads.length} groups of variants that differ in seeds alone; the noise of sampled answers is in it).`
    : "No two variants differ in random seeds alone, so nothing here says how far another training run would come out otherwise.";
  const rows = measure.spreads.map((one) => row(one.sets || "all", count(one.accuracies.length),
    percent(one.accuracies.reduce((sum, x) => sum + x, 0) / one.accuracies.length),
    `${percent(Math.min(...one.accuracies))} to ${percent(Math.max(...one.accuracies))}`, (100 * one.deviation).toFixed(1)));
  fill(table, "Variants that differ in random seeds alone", headings("what they set", "seeds", "mean", "from, to", "deviation, points"), rows);
}

function showFailures() {
  const place = byId("failures");
  if (!data.failures.length) return place.replaceChildren(element("p", { class: "quiet" }, "No variant failed."));
  const table = element("table");
  const rows = data.failures.map((one) => {
    const names = one.variants.map((v) => data.variants[v].name);
    const list = element("details", {}, element("summary", {}, names[0] + (names.length > 1 ? ` and ${names.length - 1} more` : "")), names.join(", "));
    return row(one.why, one.at, count(names.length), names.length > 1 ? list : names[0]);
  });
  fill(table, "Failed variants by where and why", headings("why", "where", "variants", "which"), rows);
  return place.replaceChildren(element("div", { class: "scroll", role: "group", "aria-label": "Failures", tabindex: 0 }, table));
}

// --- start ---

function showMeasure() {
  measure = data.measures[Number(byId("measure").value)];
  for (const side of ["a", "b"]) {
    const list = data.variants.filter((v) => scoreOf(v.place)).map((v) => element("option", { value: v.place }, v.name));
    byId(side).replaceChildren(element("option", { value: -1 }, "choose one"), ...list);
    if (!scoreOf(chosen[side])) chosen[side] = -1;
    byId(side).value = String(chosen[side]);
  }
  showSummary(); showEffects(); showPareto(); showVariants(); showPair(); showSpreads();
}

read().then((found) => {
  data = found;
  data.variants.forEach((variant, place) => {
    variant.place = place;
    const sets = data.params.map((param, i) => `${param.label}=${variant.sets[i]}`).join(" ");
    variant.text = `${variant.name} ${variant.kind} ${sets}`.toLowerCase();
  });
  data.params.forEach((param, place) => {
    const values = [...new Set(data.variants.map((v) => v.sets[place]))].sort(compared);
    const pick = element("select", {}, element("option", { value: "" }, "any"), ...values.map((v) => element("option", { value: String(v) }, String(v ?? "not set"))));
    pick.addEventListener("change", showVariants);
    byId("choices").append(element("label", {}, param.label, pick));
  });
  byId("filter").addEventListener("input", showVariants);
  if (data.measures.length) {
    data.measures.forEach((one, place) => byId("measure").append(element("option", { value: place }, one.label)));
    byId("measure").addEventListener("change", showMeasure);
    byId("cost").addEventListener("change", showPareto);
    for (const side of ["a", "b"]) byId(side).addEventListener("change", (event) => choose(side, Number(event.target.value)));
    showMeasure();
  } else {
    showVariants();
  }
  showFailures();
  document.body.dataset.ready = "yes";
});
