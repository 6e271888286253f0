// Lays one picture over the other with a slider (components/compare.html). The cut goes through a custom property set by script,
// which the content policy allows; without a script both pictures stand side by side. Listens on document, so that a comparison
// which htmx swaps in works too.
document.addEventListener("input", (event) => {
  const over = event.target.matches(".om-compare-range") && event.target.closest("[data-compare-over]");
  if (over) over.firstElementChild.style.setProperty("--om-cut", `${event.target.value}%`);
});
document.addEventListener("click", (event) => {
  const toggle = event.target.closest("[data-compare-toggle]");
  if (!toggle) return;
  const box = toggle.closest("[data-compare]");
  const over = box.querySelector("[data-compare-over]");
  over.hidden = !over.hidden;
  box.querySelector("[data-compare-pair]").hidden = !over.hidden;
  toggle.setAttribute("aria-pressed", String(!over.hidden));
});
