// Keeps the slider and the number of the threshold the same, and sets both from the presets. Without it the number is enough.
const number = document.querySelector("[data-threshold]");
const range = document.querySelector("[data-threshold-range]");

if (number && range) {
  range.addEventListener("input", () => (number.value = range.value));
  number.addEventListener("input", () => (range.value = number.value));
  document.addEventListener("click", (event) => {
    const preset = event.target.closest("[data-threshold-set]");
    if (preset) number.value = range.value = preset.dataset.thresholdSet;
  });
}
