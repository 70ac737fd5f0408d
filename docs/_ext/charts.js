
// Draws a chart in the colours of the page, and again when the reader turns the lights on or off.
function stxChart(name, spec) {
  // On a phone panels lie below each other, as in charts that are saved as pages.
  const stacked = () => {
    const holder = document.getElementById(name);
    const { hconcat, ...rest } = spec;
    if (holder.clientWidth === 0 || holder.clientWidth >= 520) return spec;
    if (hconcat) return { ...rest, vconcat: hconcat };
    const { column, row } = spec.facet || {};
    if (column && !row) return { ...spec, facet: { row: { ...column, header: { orient: "top", ...column.header } } } };
    return spec.columns > 1 ? { ...spec, columns: 1 } : spec;
  };
  const draw = () => {
    const color = getComputedStyle(document.body).color;
    const text = { labelColor: color, titleColor: color };
    const config = {
      background: "transparent", axis: { ...text, domainColor: color, tickColor: color },
      legend: text, header: text, title: { color: color, subtitleColor: color },
      view: { stroke: "transparent" }, text: { color: color },
    };
    const options = { actions: { export: true, source: false, compiled: false, editor: false }, config: config };
    return vegaEmbed("#" + name, stacked(), options).then(legible);
  };
  // On a phone a chart shrinks no further than its text can be read, and scrolls.
  const legible = () => {
    const drawn = document.querySelector("#" + name + " .marks");
    const width = drawn ? parseFloat(drawn.style.width || drawn.getAttribute("width")) : 0;
    if (width) Object.assign(drawn.style, { maxWidth: "100%", minWidth: 0.75 * width + "px", height: "auto" });
  };
  draw();
  new MutationObserver(draw).observe(document.body, { attributes: true, attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}
