// Small conveniences of every page: copy buttons, menus, local time, files dropped or pasted anywhere, keys in lists, closing
// messages. Each is an addition: the page works without it. Everything listens on document, so parts that htmx swaps in work too.
import { handOver } from "./handover.js";

const doc = document;
const root = doc.documentElement;

// Copy

async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Plain http on another host has no clipboard API; the old way still works there.
  const area = doc.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  doc.body.append(area);
  area.select();
  doc.execCommand("copy");
  area.remove();
}

async function copyFrom(button) {
  await copyText(button.dataset.copy);
  const before = button.getAttribute("aria-label");
  button.classList.add("is-done");
  const use = button.querySelector("use");
  const icon = use.getAttribute("href");
  use.setAttribute("href", icon.replace(/#.*/, "#check"));
  if (before) button.setAttribute("aria-label", button.dataset.done);
  setTimeout(() => {
    button.classList.remove("is-done");
    use.setAttribute("href", icon);
    if (before) button.setAttribute("aria-label", before);
  }, 1600);
}

// Menus, messages

function closeMenus(except) {
  for (const menu of doc.querySelectorAll("details[data-menu][open]")) if (menu !== except) menu.open = false;
}

doc.addEventListener("click", (event) => {
  const target = event.target;
  const button = target.closest("[data-copy]");
  if (button) {
    event.preventDefault();
    copyFrom(button);
  }
  const dismiss = target.closest("[data-dismiss]");
  if (dismiss) dismiss.parentElement.remove();
  closeMenus(target.closest("details[data-menu]"));
});

// Local time under the pointer

doc.addEventListener("pointerover", (event) => {
  const time = event.target.closest && event.target.closest("time[data-local]:not([title])");
  if (!time) return;
  const format = new Intl.DateTimeFormat(root.lang, { dateStyle: "full", timeStyle: "long" });
  time.title = format.format(new Date(time.dateTime));
});

// Files dropped or pasted anywhere

function pictureNames(list) {
  // A pasted picture is always called image.png; the moment makes its name tell something.
  const stamp = new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-");
  return list.map((file, i) => (file.name === "image.png" ? new File([file], `pasted-${stamp}-${i + 1}.png`, { type: file.type }) : file));
}

function emptiest(zones) {
  return zones.find((zone) => !zone.querySelector("input[type=file]").files.length) || zones[0];
}

function fill(zone, files) {
  const input = zone.querySelector("input[type=file]");
  const bag = new DataTransfer();
  for (const file of input.multiple ? files : files.slice(0, 1)) bag.items.add(file);
  input.files = bag.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

async function take(files, zone) {
  if (!files.length) return;
  const zones = [...doc.querySelectorAll("[data-drop]")].filter((one) => one.querySelector("input[type=file]"));
  const place = zone || emptiest(zones);
  if (place) return fill(place, files);
  if (!doc.body.dataset.registerUrl) return;
  await handOver(files);
  location.assign(doc.body.dataset.registerUrl);
}

async function droppedFiles(transfer) {
  // Folders have to be asked for before the event ends; their files come one batch at a time.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = [];
  const walk = async (entry) => {
    if (entry.isFile) found.push(await new Promise((done, fail) => entry.file(done, fail)));
    else {
      const reader = entry.createReader();
      for (;;) {
        const batch = await new Promise((done, fail) => reader.readEntries(done, fail));
        if (!batch.length) break;
        for (const child of batch) await walk(child);
      }
    }
  };
  for (const entry of entries) await walk(entry);
  return found.filter((file) => !file.name.startsWith("."));
}

const carriesFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
const canTake = () => doc.querySelector("[data-drop]") || doc.body.dataset.registerUrl;
let depth = 0;

function dragging(on, zone) {
  for (const one of doc.querySelectorAll(".is-over")) one.classList.remove("is-over");
  if (zone) zone.classList.add("is-over");
  doc.body.classList.toggle("is-dragging", Boolean(on && !doc.querySelector("[data-drop]")));
}

addEventListener("dragenter", (event) => {
  if (!carriesFiles(event) || !canTake()) return;
  depth += 1;
  dragging(true);
});
addEventListener("dragover", (event) => {
  if (!carriesFiles(event) || !canTake()) return;
  event.preventDefault();
  dragging(true, event.target.closest && event.target.closest("[data-drop]"));
});
addEventListener("dragleave", (event) => {
  if (!carriesFiles(event)) return;
  depth = Math.max(0, depth - 1);
  if (!depth) dragging(false);
});
addEventListener("drop", async (event) => {
  if (!carriesFiles(event) || !canTake()) return;
  event.preventDefault();
  depth = 0;
  dragging(false);
  const zone = event.target.closest && event.target.closest("[data-drop]");
  await take(await droppedFiles(event.dataTransfer), zone);
});
addEventListener("paste", (event) => {
  const files = [...(event.clipboardData ? event.clipboardData.files : [])];
  if (!files.length || !canTake()) return;
  event.preventDefault();
  take(pictureNames(files), doc.activeElement && doc.activeElement.closest("[data-drop]"));
});

// A chosen file is named, and drawn when it is a picture: a canvas needs no exception in the content policy.

async function preview(zone, file) {
  for (const old of zone.querySelectorAll("canvas")) old.remove();
  if (!/^image\/(jpeg|png|webp|gif|bmp)$/.test(file.type) || file.size > 60e6) return;
  try {
    const bitmap = await createImageBitmap(file, { resizeHeight: 320, resizeQuality: "medium" });
    const canvas = doc.createElement("canvas");
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    canvas.setAttribute("aria-hidden", "true");
    zone.querySelector("[data-drop-name]").before(canvas);
  } catch {
    // Not a picture after all; the server says so in words.
  }
}

doc.addEventListener("change", (event) => {
  const input = event.target;
  if (input.matches("[data-drop-folder]")) {
    const zone = input.closest("form").querySelector("[data-drop]");
    fill(zone, [...input.files].filter((file) => !file.name.startsWith(".")));
    return;
  }
  const zone = input.type === "file" && input.closest("[data-drop]");
  if (!zone || zone.closest("form[data-upload]")) return;
  const files = [...input.files];
  zone.querySelector("[data-drop-name]").textContent = files.length > 1 ? `${files[0].name} +${files.length - 1}` : files.map((f) => f.name).join("");
  if (files.length) preview(zone, files[0]);
});

// Keys: / finds, j and k walk a list of [data-item], x picks, Enter opens, Escape closes

const typing = (element) => element && element.closest("input:not([type=checkbox]), textarea, select, [contenteditable], button, summary");

function step(by) {
  const items = [...doc.querySelectorAll("[data-item]")];
  if (!items.length) return false;
  const here = items.findIndex((item) => item.classList.contains("is-here"));
  const next = items[Math.min(items.length - 1, Math.max(0, here + by))];
  if (here >= 0) items[here].classList.remove("is-here");
  next.classList.add("is-here");
  next.scrollIntoView({ block: "nearest" });
  const link = next.querySelector("a[href]");
  if (link) link.focus({ preventScroll: true });
  return true;
}

function pick() {
  const box = doc.querySelector("[data-item].is-here input[data-pick]");
  if (!box) return false;
  box.checked = !box.checked;
  box.dispatchEvent(new Event("change", { bubbles: true }));
  return true;
}

doc.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const menu = doc.querySelector("details[data-menu][open]");
    closeMenus();
    if (menu) menu.querySelector("summary").focus();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  let done = false;
  if (event.key === "j") done = step(1);
  else if (event.key === "k") done = step(-1);
  else if (event.key === "x") done = pick();
  else if (event.key === "/") {
    const find = doc.querySelector("[data-find]");
    if (find) find.focus();
    done = Boolean(find);
  }
  if (done) event.preventDefault();
});

// The bulk bar [data-bulk] shows while something is picked and says how many in [data-bulk-count]

function showBulk() {
  const count = doc.querySelectorAll("input[data-pick]:checked").length;
  for (const bar of doc.querySelectorAll("[data-bulk]")) bar.hidden = !count;
  for (const place of doc.querySelectorAll("[data-bulk-count]")) place.textContent = String(count);
}

doc.addEventListener("change", (event) => {
  if (event.target.matches("input[data-pick-all]")) {
    for (const box of doc.querySelectorAll("input[data-pick]")) box.checked = event.target.checked;
  }
  if (event.target.matches("input[data-pick], input[data-pick-all]")) showBulk();
  // A filter that is a select sends its form at once; without a script its button does.
  if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
});
showBulk();

// Folded parts that are only a fallback for the script start closed

for (const numbers of doc.querySelectorAll("[data-chart-numbers]")) numbers.open = false;

// Hovering a finding lights its number on the picture and the other way round: both carry data-pair="3"

for (const kind of ["pointerover", "focusin"]) {
  doc.addEventListener(kind, (event) => {
    const pair = event.target.closest && event.target.closest("[data-pair]");
    for (const lit of doc.querySelectorAll("[data-pair].is-lit")) if (!pair || lit.dataset.pair !== pair.dataset.pair) lit.classList.remove("is-lit");
    if (pair) for (const twin of doc.querySelectorAll(`[data-pair="${CSS.escape(pair.dataset.pair)}"]`)) twin.classList.add("is-lit");
  });
}

// A finished job shows in the tab's title when somebody looks elsewhere

doc.addEventListener("htmx:afterSwap", () => {
  if (doc.hidden && doc.querySelector("[data-finished]") && !doc.title.startsWith("● ")) doc.title = `● ${doc.title}`;
});
doc.addEventListener("visibilitychange", () => {
  if (!doc.hidden) doc.title = doc.title.replace(/^● /, "");
});
