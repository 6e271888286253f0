// Draws figure[data-chart] with uPlot (loaded before, as a global). The numbers come from the JSON beside the table that shows
// them without a script. uPlot paints on a canvas, so colours are resolved here and everything is drawn anew when the theme changes.
/* global uPlot */
const TONES = new Set(["waiting", "running", "passed", "failed", "needs", "unknown"]);

function colour(name) {
  const probe = document.createElement("span");
  probe.hidden = true;
  probe.style.color = `var(--om-${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

const toneName = (tone) => {
  const name = tone === "needs-you" ? "needs" : tone;
  return TONES.has(name) ? name : "text";
};

function faded(value) {
  return value.startsWith("rgb(") ? value.replace("rgb(", "rgba(").replace(")", ", 0.75)") : value;
}

function series(data) {
  return data.series.map((one, i) => {
    const stroke = colour(toneName(one.tone));
    if (data.kind === "lines") return { label: one.label, stroke, width: 2, points: { show: data.rows.length < 40, size: 6, fill: stroke } };
    // Bars of one row stand side by side and share the middle of its place. Unit 1 means: counted in rows.
    const width = 0.7 / data.series.length;
    const disp = {
      x0: { unit: 1, values: () => data.rows.map((_, k) => k - 0.35 + width * i) },
      size: { unit: 1, values: () => data.rows.map(() => width) },
    };
    const paths = uPlot.paths.bars({ align: 1, disp });
    return { label: one.label, stroke, fill: faded(stroke), width: 0, paths, points: { show: false } };
  });
}

function axes(data) {
  const stroke = colour("muted");
  const grid = { stroke: colour("line"), width: 1 };
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const room = Math.max(1, Math.ceil(data.rows.length / 8));
  return [
    { stroke, font, grid: { show: false }, ticks: { show: false }, size: 32,
      splits: () => data.rows.map((_, i) => i).filter((i) => i % room === 0), values: (u, splits) => splits.map((i) => (data.rows[i] ? data.rows[i].label : "")) },
    { stroke, font, grid, ticks: { show: false }, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000, 100000] },
  ];
}

function draw(figure, data) {
  const place = figure.querySelector(".om-chart-plot");
  place.replaceChildren();
  const columns = [data.rows.map((_, i) => i), ...data.series.map((_, s) => data.rows.map((row) => row.values[s]))];
  const highest = Math.max(1, ...columns.slice(1).flat());
  return new uPlot(
    {
      width: place.clientWidth,
      height: place.clientHeight,
      legend: { show: false },
      cursor: { drag: { x: false, y: false } },
      scales: { x: { time: false, range: [-0.6, data.rows.length - 0.4] }, y: { range: [0, highest * 1.1] } },
      series: [{}, ...series(data)],
      axes: axes(data),
    },
    columns,
    place,
  );
}

function start(figure) {
  const data = JSON.parse(document.getElementById(figure.dataset.chart).textContent);
  let plot = draw(figure, data);
  const again = () => {
    plot.destroy();
    plot = draw(figure, data);
  };
  document.addEventListener("themechange", again);
  const place = figure.querySelector(".om-chart-plot");
  new ResizeObserver(() => {
    if (place.clientWidth && place.clientWidth !== plot.width) plot.setSize({ width: place.clientWidth, height: place.clientHeight });
  }).observe(place);
}

for (const figure of document.querySelectorAll("figure[data-chart]")) start(figure);
