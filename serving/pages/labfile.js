"use strict";
// A laboratory's file, chosen or pasted: the service reads it, and the chosen sample fills the field of taxa.
let samples = [];

// A pasted list of one taxon and one number per line needs no reading; profiles, reports and wider tables do.
const isLabFile = (text) => /^#|\|[a-z]__|^[^\t\n]*\t[^\t\n]*\t|^[^,\n]*,[^,\n]*,/m.test(text);

async function readLabFile(text) {
  const found = await ask("POST", "/lab-file", { text });
  samples = found.samples;
  $("sample").replaceChildren(...samples.map((one, i) => element("option", { value: i }, one.id)));
  $("sample-line").hidden = samples.length < 2;
  if ([...$("unit").options].some((own) => own.value === found.unit)) $("unit").value = found.unit;
  $("lab-read").textContent = say("lab.read", { format: found.format, samples: whole(samples.length), unit: found.unit });
  fillSample();
}

function fillSample() {
  const one = samples[Number($("sample").value || 0)];
  $("taxa").value = Object.entries(one.taxa).map(([taxon, amount]) => `${taxon}\t${amount}`).join("\n");
}

function forgetLabFile() {
  samples = [];
  $("sample").replaceChildren();
  $("sample-line").hidden = true;
  $("lab-read").textContent = "";
}

$("file").addEventListener("change", act(async () => { if ($("file").files[0]) await readLabFile(await $("file").files[0].text()); }));
$("sample").addEventListener("change", fillSample);
$("taxa").addEventListener("paste", (event) => {
  const text = event.clipboardData.getData("text");
  if (isLabFile(text)) act(() => readLabFile(text))(event);
});
$("patient").addEventListener("reset", forgetLabFile);
