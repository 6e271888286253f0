// Sends the files of a form[data-upload] one by one, three at a time, and shows each one's fate. Without this script the same
// form sends them all at once. Each file keeps its request id over retries, so a receipt that got lost on the way is given again
// instead of a second entry. The server answers {results: [{file, status, code, message, url, seq, leaf_hash}]}, where status is
// registered, existing or rejected; a ZIP answers with one result per file in it.
import { takeOver } from "./handover.js";

const PARALLEL = 3;

function requestId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  // Plain http on another host than localhost has no randomUUID; this makes the same version 4 layout.
  const b = crypto.getRandomValues(new Uint8Array(16));
  b[6] = (b[6] & 0x0f) | 0x40;
  b[8] = (b[8] & 0x3f) | 0x80;
  const hex = [...b].map((x) => x.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

function formatSize(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB"];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 1000 && unit < 2) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

class Uploads {
  constructor(form) {
    this.form = form;
    this.panel = form.querySelector("[data-upload-panel]") || document.querySelector("[data-upload-panel]");
    this.input = form.querySelector("[data-drop] input[type=file]");
    this.rows = this.panel.querySelector("[data-upload-rows]");
    this.retry = this.panel.querySelector("[data-upload-retry]");
    this.queue = [];
    this.items = [];
    this.active = 0;
    // Choosing is sending, so the button that sends everything at once has nothing left to do.
    for (const button of form.querySelectorAll("button:not([type=button])")) button.hidden = true;
    this.input.addEventListener("change", () => this.add([...this.input.files]));
    this.retry.addEventListener("click", () => this.again());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.add([...this.input.files]);
    });
    addEventListener("beforeunload", (event) => {
      if (this.active || this.queue.length) event.preventDefault();
    });
    takeOver().then((files) => this.add(files));
  }

  add(files) {
    if (!files.length) return;
    this.panel.hidden = false;
    for (const file of files) {
      const item = { file, id: requestId(), row: this.newRow(file.webkitRelativePath || file.name, formatSize(file.size)), state: "waiting" };
      this.show(item.row, "waiting");
      this.items.push(item);
      this.queue.push(item);
    }
    this.input.value = "";
    this.total();
    this.pump();
  }

  again() {
    for (const item of this.items.filter((one) => one.state === "broken")) {
      item.state = "waiting";
      this.show(item.row, "waiting");
      this.queue.push(item);
    }
    this.total();
    this.pump();
  }

  pump() {
    while (this.active < PARALLEL && this.queue.length) {
      const item = this.queue.shift();
      this.active += 1;
      this.send(item).finally(() => {
        this.active -= 1;
        this.total();
        this.pump();
      });
    }
  }

  async send(item) {
    item.state = "running";
    this.show(item.row, "running");
    const body = new FormData(this.form);
    body.delete(this.input.name);
    body.set("request_id", item.id);
    body.set("path", item.file.webkitRelativePath || item.file.name);
    body.append(this.input.name, item.file, item.file.name);
    let answer;
    try {
      const token = this.form.querySelector("input[name=csrfmiddlewaretoken]").value;
      answer = await fetch(this.form.action, {
        method: "POST",
        body,
        credentials: "same-origin",
        headers: { Accept: "application/json", "X-CSRFToken": token, "X-Request-Id": item.id },
      });
    } catch {
      return this.broken(item, "network");
    }
    if (answer.redirected || answer.status === 401) return this.broken(item, "signin");
    if (answer.status === 413) return this.broken(item, "big");
    let results;
    try {
      results = (await answer.json()).results;
    } catch {
      results = null;
    }
    if (!Array.isArray(results) || !results.length) return this.broken(item, "server");
    this.settle(item, results);
  }

  settle(item, results) {
    item.state = results.every((one) => one.status === "rejected") ? "rejected" : "done";
    item.results = results;
    let row = item.row;
    results.forEach((result, i) => {
      if (i) {
        const next = this.newRow(result.file, "", row);
        row = next;
      }
      this.show(row, result.status, result);
    });
  }

  broken(item, why) {
    item.state = "broken";
    this.show(item.row, "broken", { message: this.words(why) });
  }

  newRow(name, size, after) {
    const row = this.panel.querySelector("template[data-upload-row]").content.firstElementChild.cloneNode(true);
    const place = row.querySelector(".om-upload-name");
    place.textContent = name;
    if (size) {
      const small = document.createElement("span");
      small.className = "om-muted om-small";
      small.textContent = ` ${size}`;
      place.append(small);
    }
    if (after) after.after(row);
    else this.rows.append(row);
    return row;
  }

  show(row, state, result = {}) {
    row.dataset.upload = state;
    const chip = this.panel.querySelector(`template[data-upload-state="${state}"]`).content.cloneNode(true);
    row.querySelector(".om-upload-state").replaceChildren(chip);
    const why = row.querySelector(".om-upload-why");
    why.textContent = [result.message, result.code].filter(Boolean).join(" · ");
    const name = row.querySelector(".om-upload-name");
    if (result.file && !name.textContent.startsWith(result.file)) name.firstChild.textContent = result.file;
    if (result.url && !name.querySelector("a")) {
      const link = document.createElement("a");
      link.href = result.url;
      link.append(name.firstChild);
      name.prepend(link);
    }
  }

  total() {
    const settled = this.items.filter((item) => !["waiting", "running"].includes(item.state));
    const results = this.items.flatMap((item) => item.results || []);
    const good = results.filter((one) => one.status !== "rejected").length;
    const rejected = results.length - good;
    const broken = this.items.filter((item) => item.state === "broken").length;
    const bar = this.panel.querySelector("[data-upload-bar]");
    bar.max = this.items.length;
    bar.value = settled.length;
    const over = settled.length === this.items.length;
    bar.closest(".om-progress").dataset.state = !over ? "running" : broken || rejected ? "waiting" : "passed";
    this.panel.querySelector("[data-upload-count]").textContent = `${settled.length} / ${this.items.length}`;
    const say = (key, n) => this.words(key).replace("{n}", String(n));
    const parts = [good && say("good", good), rejected && say("rejected", rejected), broken && say("broken", broken)].filter(Boolean);
    this.panel.querySelector("[data-upload-title]").textContent = over ? this.words("over") : this.words("going");
    this.panel.querySelector("[data-upload-parts]").textContent = parts.join(" · ");
    if (over) this.panel.querySelector("[data-upload-status]").textContent = [this.words("over"), ...parts].join(" · ");
    this.panel.querySelector("[data-upload-after]").hidden = !over;
    this.retry.hidden = !broken;
    if (over) document.dispatchEvent(new CustomEvent("uploads:over", { detail: { good, rejected, broken } }));
  }

  words(key) {
    return this.panel.getAttribute(`data-words-${key}`) || "";
  }
}

for (const form of document.querySelectorAll("form[data-upload]")) new Uploads(form);
