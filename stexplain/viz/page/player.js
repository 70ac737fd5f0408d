// Draws charts into a page: in its colours, and with a play button where a chart says what moves it (usermeta.play).
window.stexplain = (() => {
  // currentColor follows the page, so that light, dark and print need no second drawing.
  const ink = "currentColor";
  const config = {
    background: "transparent",
    axis: {labelColor: ink, titleColor: ink, domainColor: ink, tickColor: ink, gridColor: "#8c8c8c90"},
    header: {labelColor: ink, titleColor: ink},
    legend: {labelColor: ink, titleColor: ink},
    title: {color: ink, subtitleColor: ink},
    text: {color: ink},
    view: {stroke: "#8c8c8c"},
  };
  const options = {renderer: "svg", config, actions: {export: true, source: false, compiled: false, editor: false}};

  function element(tag, properties) {
    return Object.assign(document.createElement(tag), properties);
  }

  function controls(holder, view, play) {
    let timer = null, speed = 1;
    const button = element("button", {type: "button", className: "play", textContent: "▶ Play"});
    const choice = element("select", {className: "speed", title: "speed"});
    choice.setAttribute("aria-label", "speed");
    for (const factor of [0.25, 0.5, 1, 2, 4])
      choice.append(element("option", {value: factor, textContent: factor + "×", selected: factor === 1}));
    const step = () => {
      const now = view.signal(play.signal);
      // The stop after the present one; where a reader dragged the slider between two, the next.
      const next = play.stops.findIndex(stop => stop > now + 1e-9);
      view.signal(play.signal, play.stops[next < 0 ? 0 : next]).runAsync();
    };
    const stop = () => {
      clearInterval(timer);
      timer = null;
      button.textContent = "▶ Play";
    };
    const start = () => {
      clearInterval(timer);
      timer = setInterval(step, 1000 / (play.rate * speed));
      button.textContent = "❚❚ Pause";
    };
    button.addEventListener("click", () => timer === null ? start() : stop());
    choice.addEventListener("change", () => {
      speed = Number(choice.value);
      if (timer !== null) start();
    });
    const form = holder.querySelector("form.vega-bindings");
    if (!form) return;
    form.addEventListener("submit", event => event.preventDefault());
    // A slider that is held, or moved by the keyboard, is not torn away.
    for (const kind of ["pointerdown", "input"])
      form.addEventListener(kind, event => { if (event.target.type === "range") stop(); });
    const row = element("div", {className: "player"});
    row.append(button, choice);
    form.prepend(row);
    // On paper stands the picture with which the chart opens, that of greatest importance, and the page says so.
    const opens = view.signal(play.signal);
    if (play.still) holder.append(element("p", {className: "still", textContent: play.still}));
    window.addEventListener("beforeprint", () => {
      stop();
      view.signal(play.signal, opens).run();
    });
    // Who asked for less motion starts it by the button.
    if (holder.dataset.autoplay && !matchMedia("(prefers-reduced-motion: reduce)").matches) start();
  }

  // Where the page is narrow, panels lie below each other, so that none has to be scrolled to;
  // a chart with a drawing of its own for that is left as it is.
  function stacked(spec) {
    const {hconcat, ...rest} = spec;
    if (hconcat) return {...rest, vconcat: hconcat};
    const {column, row} = spec.facet || {};
    if (column && !row) return {...spec, facet: {row: {...column, header: {orient: "top", ...column.header}}}};
    return spec.columns > 1 ? {...spec, columns: 1} : spec;
  }

  // Vega does not wrap titles: on a narrow page one of two lines would make the whole chart wider than its drawing.
  function wrapped(spec, width) {
    const pen = document.createElement("canvas").getContext("2d");
    const lines = (texts, font) => [texts].flat().filter(text => typeof text === "string").flatMap(text => {
      pen.font = font;
      const found = [];
      for (const word of text.split(" ")) {
        const longer = found.length ? found[found.length - 1] + " " + word : word;
        if (found.length && pen.measureText(longer).width <= width) found[found.length - 1] = longer;
        else found.push(word);
      }
      // What is marked as written from right to left is marked in each of its lines.
      let inside = false;
      return found.map(line => {
        const begun = inside;
        for (const letter of line) inside = letter === "\u2068" || (inside && letter !== "\u2069");
        return (begun ? "\u2068" : "") + line + (inside ? "\u2069" : "");
      });
    });
    const titled = title => {
      if (typeof title === "string") return lines(title, "bold 16px sans-serif");
      if (!title || typeof title !== "object") return title;
      const {text, subtitle} = title;
      return {...title, text: lines(text, "bold 16px sans-serif"),
              ...(subtitle ? {subtitle: lines(subtitle, "12.5px sans-serif")} : {})};
    };
    const parts = {};
    for (const key of ["hconcat", "vconcat", "concat"])
      if (spec[key]) parts[key] = spec[key].map(part => wrapped(part, width));
    return {...spec, ...parts, ...(spec.title ? {title: titled(spec.title)} : {})};
  }

  async function draw(holder, spec) {
    const said = spec.description;
    const small = holder.clientWidth > 0 && holder.clientWidth < 520;
    if (small && !holder.dataset.narrow) spec = stacked(spec);
    if (small) {
      spec = wrapped(spec, holder.clientWidth - 10);
      // From the left edge: beside names of nodes there is less room.
      spec = {...spec, config: {...spec.config, title: {...(spec.config || {}).title, frame: "bounds"}}};
    }
    const {view} = await vegaEmbed(holder, spec, options);
    const svg = holder.querySelector("svg.marks");
    if (svg) {
      const width = svg.width.baseVal.value;
      // A wide chart shrinks only as far as its text stays readable, then scrolls inside its box.
      svg.style.minWidth = Math.min(width, Math.max(340, 0.8 * width)) + "px";
      // A screen reader would say the coordinates of each of a hundred marks; the description says what they show.
      svg.setAttribute("role", "img");
      // A chart of an earlier version has no description: then what its holder is called.
      svg.setAttribute("aria-label", said || holder.getAttribute("aria-label") || "chart");
    }
    // The button of the menu is a picture of three dots, which says nothing to who does not see it.
    const menu = holder.querySelector("details > summary");
    if (menu) menu.title = "Save this chart as a picture";
    const play = (spec.usermeta || {}).play;
    if (play && play.stops.length > 1) controls(holder, view, play);
    return view;
  }
  return {draw};
})();
