// Draws a chart of a tutorial as saved pages and reports do: in the page's colours, with a play button where it moves.
function stxChart(name, spec) {
  return window.stexplain.draw(document.getElementById(name), spec);
}
