"use strict";
// The page of a clinic: it asks the same routes as any client. The key stays in this tab's memory, nothing is stored.
const $ = (id) => document.getElementById(id);
let key = "", card = null, texts = {};

const say = (name, values = {}) =>
  (texts[name] ?? name).replace(/\{(\w+)\}/g, (_, part) => values[part] ?? "");
const number = (value, signDisplay = "exceptZero") =>
  new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: 1, maximumFractionDigits: 1, signDisplay })
    .format(value);
const share = (value) => new Intl.NumberFormat(document.documentElement.lang, { style: "percent" }).format(value);

function element(name, attributes = {}, ...children) {
  const space = ["svg", "line", "circle", "text", "title", "g"].includes(name) ? "http://www.w3.org/2000/svg" : null;
  const made = space ? document.createElementNS(space, name) : document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

// A table that may be wider than the page: its own region, which the keyboard can scroll.
function wide(label, ...rows) {
  return element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": label }, element("table", {}, ...rows));
}

async function speak(language) {
  texts = await (await fetch(`/ui/texts/${language}`)).json();
  document.documentElement.lang = language;
  $("language").value = language;
  for (const place of document.querySelectorAll("[data-text]")) place.textContent = say(place.dataset.text);
  for (const place of document.querySelectorAll("[data-label]")) place.setAttribute("aria-label", say(place.dataset.label));
  if (card) fill();
}

// A receipt is signed to the last byte, and reading a number of it here could rewrite it: it is cut out as it came.
const receiptOf = (text) => valueAt(text, text.indexOf('"receipt":') + '"receipt":'.length);

async function ask(method, path, body) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  if (body) headers["Content-Type"] = "application/json";
  $("problem").textContent = "";
  const reply = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const text = await reply.text();
  const told = JSON.parse(text);
  if (reply.ok) return { ...told, text };
  const { code, message, field, hint } = told.error;
  const own = texts[`error.${code}`];
  $("problem").textContent = [field, ...(own ? [own] : [message, hint])].filter(Boolean).join(". ");
  throw new Error("refused");
}

function option(name) { return element("option", { value: name }, name); }

function fill() {
  const chosen = $("model").value;
  $("model").replaceChildren(...card.models.map((model) => option(model.instrument)));
  if (chosen) $("model").value = chosen;
  const model = current();
  $("intervention").replaceChildren(...model.arms.map(option));
  $("compare").hidden = !model.compare.answered;
  $("flags").replaceChildren(...card.intended_use.flags.map((flag) => {
    const box = element("input", { type: "checkbox", id: `flag-${flag}`, value: flag });
    return element("p", {}, element("label", { for: box.id }, box, " ", say(`flag.${flag}`)));
  }));
  $("lifestyle").replaceChildren(...Object.entries(model.covariates).map(([name, kind]) => {
    const id = `life-${name}`;
    const field = kind.kind === "numeric" ? element("input", { id, type: "number", step: "any" })
      : element("select", { id }, option(""), ...kind.levels.map(option));
    return element("p", {}, element("label", { for: id }, say(`life.${name}`) === `life.${name}` ? name : say(`life.${name}`)), field);
  }));
}

const current = () => card.models.find((model) => model.instrument === $("model").value) ?? card.models[0];
const given = (id) => ($(id).value === "" ? null : Number($(id).value));

// One taxon and one number per line, separated by tab, comma or semicolon; lines without a number are headings.
function taxa() {
  const found = {};
  for (const line of $("taxa").value.split(/\r?\n/)) {
    const cells = line.split(/\t|;(?!\s*[dkpcofgs]__)|,/).map((cell) => cell.trim());
    const amount = Number(cells.at(-1));
    if (cells.length > 1 && cells.at(-1) !== "" && Number.isFinite(amount)) {
      found[cells[0]] = (found[cells[0]] ?? 0) + amount;
    }
  }
  return found;
}

function person() {
  const model = current();
  const lifestyle = {};
  for (const [name, kind] of Object.entries(model.covariates)) {
    const value = $(`life-${name}`).value;
    if (value !== "") lifestyle[name] = kind.kind === "numeric" ? Number(value) : value;
  }
  const baseline = { instrument: model.instrument, days_ago: given("days") };
  if ($("items").value.trim()) baseline.items = $("items").value.trim().split(/[\s,;]+/).map(Number);
  if (given("score") !== null) baseline.score = given("score");
  const amounts = taxa();
  const microbiome = Object.keys(amounts).length
    ? { unit: $("unit").value, taxa: amounts, sample_age_days: given("sample-age") } : null;
  const flags = [...$("flags").querySelectorAll("input:checked")].map((box) => box.value);
  return { id: $("id").value, weeks: given("weeks"), baseline, microbiome, lifestyle, flags,
    antibiotics_days_ago: given("antibiotics") };
}

// The interval on a line of points: zero, the predicted change, and what baseline severity alone predicts.
function picture(told) {
  const { lower, upper } = told.interval;
  const ends = [lower, upper, 0, told.floor_change ?? 0];
  const low = Math.min(...ends) - 1, high = Math.max(...ends) + 1;
  const x = (points) => 20 + (560 * (points - low)) / (high - low);
  const words = say("picture", { lower: number(lower), upper: number(upper), change: number(told.change), floor: number(told.floor_change ?? 0) });
  const drawing = element("svg", { viewBox: "0 0 600 90", class: "figure", role: "img", "aria-label": words },
    element("line", { x1: 20, x2: 580, y1: 45, y2: 45, class: "axis" }),
    element("line", { x1: x(0), x2: x(0), y1: 20, y2: 65, class: "axis" }),
    element("text", { x: x(0), y: 82, "text-anchor": "middle" }, "0"),
    element("line", { x1: x(lower), x2: x(upper), y1: 45, y2: 45, class: "range" }),
    element("circle", { cx: x(told.change), cy: 45, r: 7, class: "point" }),
    element("text", { x: x(told.change), y: 22, "text-anchor": "middle" }, number(told.change)));
  if (told.floor_change !== null) {
    drawing.append(element("line", { x1: x(told.floor_change), x2: x(told.floor_change), y1: 30, y2: 60, class: "floor" }));
  }
  return drawing;
}

function safety(told) {
  const status = told.safety.find((line) => line.code === "self_harm_item").status;
  return element("p", { class: status === "positive" ? "safety" : "safety calm", role: status === "positive" ? "alert" : "note" },
    say(`safety.${status}`));
}

function parts(told) {
  const rows = Object.entries(told.contributions ?? {}).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  const head = element("tr", {}, element("th", { scope: "col" }, say("part")), element("th", { scope: "col" }, say("points")));
  return wide(say("parts"), element("caption", {}, say("parts")), head,
    ...rows.map(([name, points]) => element("tr", {}, element("td", {}, say(`part.${name}`) === `part.${name}` ? name : say(`part.${name}`)),
      element("td", {}, number(points)))));
}

function sentences(told) {
  const lines = [say("change", { change: number(told.change), follow_up: number(told.follow_up, "auto") })];
  if (told.interval) lines.push(say("interval", { level: share(told.interval.level), lower: number(told.interval.lower), upper: number(told.interval.upper) }));
  if (told.floor_change !== null) lines.push(say("floor", { floor: number(told.floor_change) }));
  if (told.response_probability !== null) lines.push(say("response", { share: share(told.response_probability) }));
  if (told.remission_probability !== null) lines.push(say("remission", { share: share(told.remission_probability) }));
  return lines.map((line) => element("p", {}, line));
}

function reasons(codes) {
  return codes.length ? [element("ul", {}, ...codes.map((code) => element("li", {}, say(`reason.${code}`) === `reason.${code}` ? code : say(`reason.${code}`))))] : [];
}

function show(...children) {
  const place = $("answer");
  place.hidden = false;
  const print = element("button", { type: "button" }, say("print"));
  print.addEventListener("click", () => window.print());
  place.replaceChildren(element("h2", {}, say("answer")), ...children, element("p", {}, say("closing")), element("p", { class: "acts" }, print));
  place.focus();
}

function receipt(told, text) {
  if (!told.receipt) return [];
  const file = new Blob([receiptOf(text)], { type: "application/json" });
  return [element("p", {}, element("a", { href: URL.createObjectURL(file), download: `receipt-${told.prediction_id}.json` }, say("receipt")))];
}

function signature(model) {
  return element("p", { class: "hint" }, `${model.name}, ${say("version")} ${model.version}, `, element("code", {}, model.digest));
}

async function predict() {
  const reply = await ask("POST", "/predict", { patients: [{ ...person(), intervention: $("intervention").value }] });
  const told = reply.predictions[0];
  const numbers = told.answered
    ? [...sentences(told), ...(told.interval ? [picture(told)] : []), parts(told)] : [element("p", {}, element("strong", {}, say("not_answered")))];
  show(safety(told), ...numbers, ...reasons(told.reasons), ...receipt(told, reply.text), signature(reply.model));
}

async function compare() {
  const reply = await ask("POST", "/compare", { patient: person(), interventions: current().arms });
  const rows = reply.comparisons.filter((row) => row.answered).map((row) => element("tr", {}, element("td", {}, row.intervention),
    element("td", {}, number(row.change)), element("td", {}, row.interval ? `${number(row.interval.lower)} … ${number(row.interval.upper)}` : "")));
  const head = element("tr", {}, ...["intervention", "points", "range"].map((name) => element("th", { scope: "col" }, say(name))));
  const codes = [...new Set([...reply.reasons, ...reply.comparisons.flatMap((row) => row.reasons)])];
  show(safety(reply), element("p", {}, say("unranked")), wide(say("answer"), head, ...rows),
    ...reasons(codes), signature(reply.model));
}

async function signIn() {
  key = $("key").value.trim();
  card = await ask("GET", "/card");
  $("key").value = "";
  fill();
  view("patient");
  $("id").focus();
}

function leave() {
  key = "";
  card = null;
  $("patient").reset();
  $("answer").hidden = true;
  $("answer").replaceChildren();
  $("monitor-found").replaceChildren();
  $("cohort-form").reset();
  $("cohort-found").replaceChildren();
  view("patient");
  $("key").focus();
}

const act = (work) => (event) => { event.preventDefault(); work().catch(() => $("main").focus()); };
$("sign-in").addEventListener("submit", act(signIn));
$("patient").addEventListener("submit", act(predict));
$("compare").addEventListener("click", act(compare));
$("leave").addEventListener("click", leave);
$("model").addEventListener("change", fill);
$("language").addEventListener("change", () => speak($("language").value));
const spoken = navigator.languages.map((language) => language.slice(0, 2)).find((language) => ["en", "es", "de"].includes(language));
speak(spoken ?? "en");
