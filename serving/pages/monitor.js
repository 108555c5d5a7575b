"use strict";
// The monitoring tab: what the service told this clinic, and how it fared against the outcomes that came back.
const row = (kind, cells) => element("tr", {}, ...cells.map((cell) => element(kind, kind === "th" ? { scope: "col" } : {}, cell)));
const whole = (value) => new Intl.NumberFormat(document.documentElement.lang).format(value);
const shown = (value, signs = "auto") => (value === null ? say("monitor.few") : number(value, signs));

// Bars of answered (filled) and refused (outlined) per week, oldest first; the table beside it has the figures.
function bars(weeks) {
  const most = Math.max(...weeks.map((week) => week.answered + week.refused), 1), width = 560 / Math.max(weeks.length, 8);
  const drawing = element("svg", { viewBox: "0 0 600 120", class: "figure", role: "img", "aria-label": say("monitor.picture") });
  [...weeks].reverse().forEach((week, i) => {
    const tall = (100 * week.answered) / most, over = (100 * week.refused) / most, x = 20 + i * width + width / 2;
    drawing.append(element("line", { x1: x, x2: x, y1: 110, y2: 110 - tall, class: "bar", "stroke-width": width * 0.7 }),
      element("line", { x1: x, x2: x, y1: 110 - tall, y2: 110 - tall - over, class: "bar refused", "stroke-width": width * 0.7 }));
  });
  return drawing;
}

function calibration(found) {
  const told = [element("p", {}, say("monitor.outcomes", { outcomes: whole(found.outcomes), steered: whole(found.steered) }))];
  told.push(element("p", {}, found.coverage === null ? say("monitor.no_calibration")
    : say("monitor.calibration", { coverage: share(found.coverage), error: number(found.mean_error) })));
  return told;
}

const DUEL = ["people", "difference", "came_back", "champion_mae", "challenger_mae"];

async function monitor() {
  const found = await ask("GET", "/monitor");
  const reasons = Object.entries(found.reasons).sort((a, b) => b[1] - a[1]);
  const named = (code) => (say(`reason.${code}`) === `reason.${code}` ? code : say(`reason.${code}`));
  const drift = found.drift.map((line) => element("p", {}, line.baseline_shift === null ? say("monitor.no_drift", { instrument: line.instrument })
    : say("monitor.drift", { instrument: line.instrument, people: whole(line.people), shift: number(line.baseline_shift) })));
  const weeks = found.weeks.map((week) => row("td", [week.week, whole(week.answered), whole(week.refused), shown(week.baseline), shown(week.change, "exceptZero")]));
  $("monitor-found").replaceChildren(
    element("p", {}, say("monitor.volume", { answered: whole(found.answered), refused: whole(found.refused) })),
    ...(found.weeks.length ? [bars(found.weeks), wide(say("monitor.weeks"), ...[row("th", ["week", "answered", "refused", "baseline", "change"].map((name) => say(`monitor.${name}`))), ...weeks])] : []),
    ...(reasons.length ? [element("h3", {}, say("monitor.reasons")), wide(say("monitor.reasons"), ...reasons.map(([code, count]) => row("td", [named(code), whole(count)])))] : []),
    element("h3", {}, say("monitor.calibrated")), ...calibration(found.calibration),
    element("h3", {}, say("monitor.drifted")), ...drift,
    ...(found.shadow.length ? [element("h3", {}, say("monitor.shadow")), wide(say("monitor.shadow"), ...[row("th", ["", ...DUEL.map((name) => say(`monitor.${name}`))]),
      ...found.shadow.map((line) => row("td", [line.model.slice(7, 19), whole(line.people), shown(line.mean_difference, "exceptZero"), whole(line.outcomes),
        shown(line.champion_mae), shown(line.challenger_mae)]))])] : []));
}

function view(name) {
  for (const button of document.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === name));
  $("sign-in").hidden = card !== null || name === "check";
  $("patient").hidden = card === null || name !== "patient";
  $("cohort").hidden = card === null || name !== "cohort";
  $("monitor").hidden = card === null || name !== "monitor";
  $("check").hidden = name !== "check";
  if (name !== "patient") $("answer").hidden = true;
  if (name === "monitor" && card !== null) act(monitor)(new Event("view"));
}
for (const button of document.querySelectorAll("[data-view]")) button.addEventListener("click", () => view(button.dataset.view));
$("monitor-again").addEventListener("click", act(monitor));
