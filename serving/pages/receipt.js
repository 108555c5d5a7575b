"use strict";
// Check a receipt in the browser, offline: the same steps as verify_receipt.py, on the bytes as they were saved.
const KEYS = ["answer", "checkpoint", "entry", "format_version", "index", "private", "proof", "public_key", "salt"];
const bytes = (text) => new TextEncoder().encode(text);
const hex = (data) => [...new Uint8Array(data)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (text) => {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new Error("form");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
};
const unbase64 = (text) => {
  const raw = atob(text);
  if (btoa(raw) !== text) throw new Error("form");
  return Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
};
const joined = (...pieces) => Uint8Array.from(pieces.flatMap((piece) => [...piece]));
const sha256 = async (...pieces) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...pieces)));
const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);
function must(holds, part) { if (!holds) throw new Error(part); }

// The text of one JSON value from `start` on. What was hashed are these bytes, so no number is read and written again.
function valueAt(text, start) {
  let depth = 0, quoted = false;
  for (let i = start; i < text.length; i += 1) {
    if (quoted) {
      if (text[i] === "\\") i += 1;
      else if (text[i] === '"') quoted = false;
    } else if (text[i] === '"') quoted = true;
    else if ("{[".includes(text[i])) depth += 1;
    else if (depth === 0 && ",}]".includes(text[i])) return text.slice(start, i);
    else if ("}]".includes(text[i])) depth -= 1;
  }
  throw new Error("form");
}

// A receipt in canonical form: its nine keys in order, nothing between them.
function partsOf(text) {
  const parts = {};
  let at = 0;
  KEYS.forEach((name, i) => {
    const head = `${i ? "," : "{"}"${name}":`;
    must(text.startsWith(head, at), "form");
    parts[name] = valueAt(text, at + head.length);
    at += head.length + parts[name].length;
  });
  must(text.slice(at) === "}", "form");
  return parts;
}

async function opened(parts, entry) {
  const own = JSON.parse(parts.private);
  if (own === null) return must(parts.answer === "null" && parts.salt === '""' && entry.private === null, "answer");
  must(entry.private === `sha256:${hex(await sha256(bytes(parts.private)))}`, "answer");
  const key = await crypto.subtle.importKey("raw", unhex(JSON.parse(parts.salt)), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const digest = await crypto.subtle.sign("HMAC", key, bytes(`answer\0${parts.answer}`));
  must(own.answer === `hmac-sha256:${hex(digest)}`, "answer");
}

// Size and root of the signed note, its signature (Ed25519, C2SP signed note) checked.
async function signedTree(note, publicKey) {
  const [body, signature, more] = note.split("\n\n");
  const lines = body.split("\n"), prefix = `— ${lines[0]} `;
  must(more === undefined && lines.length === 4 && lines[3].startsWith("time ") && signature?.startsWith(prefix) && signature.endsWith("\n"), "signature");
  must(publicKey.startsWith("ed25519:"), "signature");
  const raw = unhex(publicKey.slice(8)), signed = unbase64(signature.slice(prefix.length, -1));
  const named = await sha256(bytes(`${lines[0]}\n\x01`), raw);
  must(same(signed.slice(0, 4), named.slice(0, 4)), "signature");
  const key = await crypto.subtle.importKey("raw", raw, { name: "Ed25519" }, false, ["verify"]);
  must(await crypto.subtle.verify("Ed25519", key, signed.slice(4), bytes(`${body}\n`)), "signature");
  must(/^(0|[1-9]\d*)$/.test(lines[1]), "signature");
  return { size: BigInt(lines[1]), root: unbase64(lines[2]) };
}

// RFC 9162, 2.1.3.2: from the leaf up to the root of a tree of `size` entries.
async function included(leaf, index, tree, proof) {
  let place = index, last = tree.size - 1n, found = leaf;
  must(index >= 0n && index <= last, "tree");
  for (const sibling of proof) {
    must(last > 0n, "tree");
    if (place & 1n || place === last) {
      found = await sha256([1], sibling, found);
      while (!(place & 1n) && place > 0n) { place >>= 1n; last >>= 1n; }
    } else found = await sha256([1], found, sibling);
    place >>= 1n;
    last >>= 1n;
  }
  must(last === 0n && same(found, tree.root), "tree");
}

async function verified(text, trusted) {
  const parts = partsOf(text), entry = JSON.parse(parts.entry), key = JSON.parse(parts.public_key);
  must(parts.format_version === "1" && /^(0|[1-9]\d*)$/.test(parts.index), "form");
  must(!trusted || trusted === key, "key");
  await opened(parts, entry);
  const tree = await signedTree(JSON.parse(parts.checkpoint), key);
  await included(await sha256([0], bytes(parts.entry)), BigInt(parts.index), tree, JSON.parse(parts.proof).map(unhex));
  return { entry, key, index: parts.index };
}

async function checkReceipt() {
  const place = $("checked"), trusted = $("trusted").value.trim();
  place.className = "";
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await $("receipt-file").files[0].arrayBuffer());
    const { entry, key, index } = await verified(text, trusted);
    place.textContent = [say("check.holds", { id: entry.id, time: entry.time, index }), say(trusted ? "check.trusted" : "check.unpinned", { key })].join(" ");
  } catch (fault) {
    const part = ["answer", "signature", "tree", "key"].includes(fault.message) ? fault.message : "form";
    place.textContent = `${say("check.fails")} ${say(`check.fails.${part}`)}`;
    place.className = "safety";
  }
}
$("check").addEventListener("submit", act(checkReceipt));
