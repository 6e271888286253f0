// Lays one picture over the other with a slider (components/compare.html). The cut goes through a custom property set by script,
// which the content policy allows; without a script both pictures stand side by side. Listens on document, so that a comparison
// which htmx swaps in works too.
document.addEventListener("input", (event) => {
  const over = event.target.matches(".om-compare-range") && event.target.closest("[data-compare-over]");
  if (over) over.firstElementChild.style.setProperty("--om-cut", `${event.target.value}%`);
});
// From shares of the left picture to shares of the right one, in pixels of the box: CSS writes a matrix by columns.
function lay(box) {
  const [a, b, c, d, e, f, g, h, i] = JSON.parse(box.dataset.matrix);
  const { width: w, height: t } = box.getBoundingClientRect();
  const columns = [a, (d * t) / w, 0, g / w, (b * w) / t, e, 0, h / t, 0, 0, 1, 0, c * w, f * t, 0, i];
  box.querySelector(".om-compare-cut img").style.transform = `matrix3d(${columns.join(",")})`;
}
const laid = new ResizeObserver((entries) => entries.forEach((entry) => entry.contentRect.width && lay(entry.target)));

document.addEventListener("click", (event) => {
  const toggle = event.target.closest("[data-compare-toggle]");
  if (!toggle) return;
  const box = toggle.closest("[data-compare]");
  const over = box.querySelector("[data-compare-over]");
  over.hidden = !over.hidden;
  const aligned = over.querySelector("[data-matrix]");
  if (aligned) laid.observe(aligned);
  box.querySelector("[data-compare-pair]").hidden = !over.hidden;
  toggle.setAttribute("aria-pressed", String(!over.hidden));
});
