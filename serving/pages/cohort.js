"use strict";
// Many people at once: a table whose columns bear the names of the columnar body of POST /predict.
const AT_ONCE = 1000;
const WORDS = new Set(["id", "intervention", "baseline.instrument", "baseline.scale", "microbiome.unit", "microbiome.protocol"]);
let answers = "";

// Cells of a text table; a quoted cell may hold the delimiter, a line end, or a doubled quote.
function cells(text) {
  const first = text.slice(0, text.search(/[\r\n]|$/)), mark = first.includes("\t") ? "\t" : first.includes(",") ? "," : ";";
  const rows = [[""]];
  let quoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const row = rows.at(-1), sign = text[i];
    if (quoted && sign === '"' && text[i + 1] === '"') { row[row.length - 1] += sign; i += 1; }
    else if (sign === '"' && (quoted || row.at(-1) === "")) quoted = !quoted;
    else if (!quoted && sign === mark) row.push("");
    else if (!quoted && (sign === "\n" || sign === "\r")) { if (row.length > 1 || row[0] !== "") rows.push([""]); }
    else row[row.length - 1] += sign;
  }
  if (rows.at(-1).length === 1 && rows.at(-1)[0] === "") rows.pop();
  return rows;
}

function cellOf(name, text) {
  if (text === "") return null;
  if (name === "flags") return text.split(/[\s,;]+/);
  if (name === "baseline.items") return text.split(/[\s,;]+/).map(Number);
  const kinds = Object.values(current().covariates), kind = current().covariates[name.replace("lifestyle.", "")];
  if (WORDS.has(name) || (kinds.length && kind && kind.kind !== "numeric")) return text;
  return Number.isFinite(Number(text)) ? Number(text) : text;
}

const COLUMNS = ["id", "answered", "change", "lower", "upper", "follow_up", "response_probability", "remission_probability", "floor_change",
  "reasons", "self_harm_item", "prediction_id"];
const line = (told) => [told.id, told.answered, told.change, told.interval?.lower, told.interval?.upper, told.follow_up, told.response_probability,
  told.remission_probability, told.floor_change, told.reasons.join(","), told.safety[0].status, told.prediction_id].map((cell) => cell ?? "");

async function predictCohort() {
  $("cohort-found").replaceChildren();
  const [head, ...body] = cells((await $("cohort-file").files[0].text()).replace(/^\uFEFF/, ""));
  const columns = head.map((name) => name.trim());
  const rows = body.map((row) => row.map((text, i) => cellOf(columns[i], text.trim())));
  const told = [];
  for (let i = 0; i < rows.length || i === 0; i += AT_ONCE) {
    const reply = await ask("POST", "/predict", { columns, rows: rows.slice(i, i + AT_ONCE) });
    told.push(...reply.predictions);
  }
  showCohort(told);
}

function showCohort(told) {
  URL.revokeObjectURL(answers);
  const tsv = [COLUMNS, ...told.map(line)].map((row) => row.map((cell) => String(cell).replace(/[\t\r\n]/g, " ")).join("\t")).join("\n") + "\n";
  answers = URL.createObjectURL(new Blob([tsv], { type: "text/tab-separated-values" }));
  const positive = told.filter((one) => one.safety[0].status === "positive");
  const banner = positive.length ? [element("p", { class: "safety", role: "alert" }, say("safety.positive"), " ", positive.map((one) => one.id).join(", "))] : [];
  const shown = (value, signs) => (value === null || value === undefined ? "" : number(value, signs));
  const rows = told.map((one) => row("td", [one.id, shown(one.change), one.interval ? `${number(one.interval.lower)} … ${number(one.interval.upper)}` : "",
    shown(one.follow_up, "auto"), one.response_probability === null ? "" : share(one.response_probability),
    one.reasons.map((code) => (say(`reason.${code}`) === `reason.${code}` ? code : say(`reason.${code}`))).join("; ")]));
  $("cohort-found").replaceChildren(...banner,
    element("p", {}, say("cohort.answered", { answered: whole(told.filter((one) => one.answered).length), people: whole(told.length) })),
    element("p", {}, element("a", { href: answers, download: "predictions.tsv" }, say("cohort.save"))),
    wide(say("cohort.table"), row("th", ["id", "cohort.change", "range", "cohort.follow_up", "cohort.response", "cohort.reasons"].map((name) => say(name))), ...rows),
    element("p", {}, say("closing")));
  $("cohort-found").focus();
}

$("cohort-form").addEventListener("submit", act(predictCohort));
