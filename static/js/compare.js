// Lays one picture over the other with a slider (components/compare.html). The cut goes through a custom property set by script,
// which the content policy allows; without a script both pictures stand side by side.
for (const box of document.querySelectorAll("[data-compare]")) {
  const over = box.querySelector("[data-compare-over]");
  const pair = box.querySelector("[data-compare-pair]");
  const toggle = box.querySelector("[data-compare-toggle]");
  const range = box.querySelector("input[type=range]");
  range.addEventListener("input", () => over.firstElementChild.style.setProperty("--om-cut", `${range.value}%`));
  toggle.addEventListener("click", () => {
    over.hidden = !over.hidden;
    pair.hidden = !over.hidden;
    toggle.setAttribute("aria-pressed", String(!over.hidden));
  });
}
