"use strict";
// Draws the timeline of the page: lanes of spans on one canvas. The numbers are in the element #data (see
// timeline.py); texts reach the page only as text, never as HTML. Times are nanoseconds.
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const canvas = $("timeline"), stage = $("stage"), tip = $("tip"), filter = $("filter");
  const AXIS = 22, CLOSEST = 1000, COLOURS = 6;

  // -- the data ------------------------------------------------------------------------------------------

  const functions = new Map(); // name of a function -> number of its colour
  const colourOf = new Int8Array(data.texts.length).fill(-1);
  for (const lane of data.lanes)
    for (const text of lane.kind === "run" ? lane.texts : []) {
      if (colourOf[text] >= 0) continue;
      const name = data.texts[text].split("(")[0];
      if (!functions.has(name)) functions.set(name, functions.size % COLOURS);
      colourOf[text] = functions.get(name);
    }

  function unpack(lane) {
    const size = lane.gaps.length, begin = new Float64Array(size), end = new Float64Array(size);
    const index = new Float64Array(size);
    let now = 0, expected = 0;
    for (let i = 0; i < size; i++) {
      begin[i] = now += lane.gaps[i];
      end[i] = now += lane.lengths[i];
      index[i] = expected + lane.skips[i];
      expected = index[i] + 1;
    }
    return {...lane, begin, end, index, size, found: null};
  }

  const lanes = data.lanes.map(unpack);
  const count = (lane, i) => (lane.counts[i] ? lane.counts[i][0] : 1);
  const busy = (lane, i) => (lane.counts[i] ? lane.counts[i][1] : lane.end[i] - lane.begin[i]);
  const last = (lane, i) => (lane.counts[i] ? lane.counts[i][2] : lane.index[i]);
  const holds = (lane, i, task) => lane.kind === "run" && lane.index[i] <= task && task <= last(lane, i);

  // The first place of an increasing array whose value is at least `value`.
  function lowest(values, value) {
    let low = 0, high = values.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[middle] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // -- words ---------------------------------------------------------------------------------------------

  function duration(time, digits = 3) {
    if (!time) return "0 s";
    const [unit, step] = [["s", 1e9], ["ms", 1e6], ["µs", 1e3], ["ns", 0]].find(([, step]) => time >= step);
    const value = time / (step || 1), whole = Math.ceil(Math.log10(value + 1)); // digits before the point stay
    return `${Number(value.toPrecision(Math.max(digits, whole)))} ${unit}`;
  }

  function title(lane, i) {
    const tasks = count(lane, i), first = lane.index[i], text = data.texts[lane.texts[i]];
    if (lane.kind !== "run") return text;
    if (first < 0) return "a task that runs still";
    if (tasks === 0) return `task ${first}, which its worker did not end`;
    if (tasks === 1) return `task ${first}${text && ": "}${text}`;
    const all = last(lane, i) - first + 1 === tasks ? "tasks" : `${tasks} of the tasks`; // others ran elsewhere
    return `${all} ${first} to ${last(lane, i)}${text && ": "}${text}`;
  }

  // -- drawing -------------------------------------------------------------------------------------------

  const view = {from: 0, to: Math.max(data.wall, CLOSEST)};
  const whole = view.to;
  let width = 0, gutter = 0, laneHeight = 24, hovered = null, asked = false, style = {};
  const pen = canvas.getContext("2d");
  const toX = (time) => gutter + ((time - view.from) / (view.to - view.from)) * (width - gutter);
  const toTime = (x) => view.from + ((x - gutter) / (width - gutter)) * (view.to - view.from);

  function redraw() {
    if (!asked) requestAnimationFrame(draw);
    asked = true;
  }

  function measure() {
    width = stage.clientWidth;
    laneHeight = lanes.length <= 12 ? 24 : lanes.length <= 40 ? 16 : lanes.length <= 400 ? 11 : 4;
    const height = AXIS + lanes.length * laneHeight + 2;
    const ratio = height > 8000 ? 1 : window.devicePixelRatio || 1; // browsers bound the size of a canvas
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = `${height}px`;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.font = `${Math.min(12, laneHeight)}px system-ui, sans-serif`;
    gutter = 8 + Math.ceil(Math.max(0, ...lanes.map((lane) => pen.measureText(lane.name).width)));
    const values = getComputedStyle(canvas), value = (name) => values.getPropertyValue(name).trim();
    style = {text: value("--text"), faint: value("--line"), failed: value("--failed"), tasks: []};
    for (let i = 0; i < COLOURS; i++) style.tasks.push(value(`--task-${i}`));
    for (const kind of new Set(lanes.map((lane) => lane.kind))) style[kind] = value(`--${kind}`);
    redraw();
  }

  function draw() {
    asked = false;
    pen.globalAlpha = 1;
    pen.clearRect(0, 0, width, canvas.height);
    drawAxis();
    lanes.forEach((lane, place) => drawLane(lane, AXIS + place * laneHeight));
    $("range").textContent = `${duration(view.from)} to ${duration(view.to)} of ${duration(whole)}.`;
  }

  function drawAxis() {
    const least = ((view.to - view.from) / (width - gutter)) * 80; // a label needs so many pixels
    const power = 10 ** Math.floor(Math.log10(least));
    const step = power * [1, 2, 5, 10].find((factor) => power * factor >= least);
    pen.textBaseline = "middle";
    for (let time = Math.ceil(view.from / step) * step; time <= view.to; time += step) {
      const x = toX(time);
      pen.fillStyle = style.faint;
      pen.fillRect(x, AXIS - 4, 1, lanes.length * laneHeight + 4);
      pen.fillStyle = style.text;
      const label = duration(time, Math.min(9, Math.max(3, Math.ceil(Math.log10(time / step + 1)) + 1)));
      pen.fillText(label, Math.min(x + 3, width - pen.measureText(label).width), AXIS / 2);
    }
  }

  function drawLane(lane, top) {
    const scale = (width - gutter) / (view.to - view.from), height = laneHeight - (laneHeight > 8 ? 3 : 1);
    let pixel = -1, cover = 0, lit = false, failed = false, colour = 0;
    const paint = (x, wide, alpha, isLit, isFailed, number) => {
      pen.globalAlpha = (0.45 + 0.55 * Math.min(alpha, 1)) * (isLit ? 1 : 0.15);
      pen.fillStyle = isFailed ? style.failed : lane.kind === "run" ? style.tasks[number] : style[lane.kind];
      pen.fillRect(x, top, wide, height);
    };
    const flush = () => {
      if (pixel >= 0) paint(gutter + pixel, 1, cover, lit, failed, colour);
      pixel = -1;
    };
    for (let i = lowest(lane.end, view.from); i < lane.size && lane.begin[i] <= view.to; i++) {
      const x = (lane.begin[i] - view.from) * scale, wide = (lane.end[i] - lane.begin[i]) * scale;
      const share = wide > 0 ? busy(lane, i) / (lane.end[i] - lane.begin[i]) : 1;
      const isLit = !lane.found || lane.found[i] === 1, isFailed = i in lane.errors;
      const number = colourOf[lane.texts[i]];
      if (wide < 1.5) { // all that begins in one column of pixels is one bar, as bright as it is full
        const place = Math.max(0, Math.floor(x));
        if (place !== pixel) {
          flush();
          [pixel, cover, lit, failed, colour] = [place, 0, false, false, number];
        }
        cover += wide * share;
        if (isLit && !lit) [lit, colour] = [true, number];
        failed ||= isFailed;
      } else {
        flush();
        const left = Math.max(x, 0), right = Math.min(x + wide - (wide > 4 ? 1 : 0), width - gutter);
        paint(gutter + left, right - left, share, isLit, isFailed, number);
        if (right - left > 44 && laneHeight > 12) label(lane, i, gutter + left, right - left, top);
      }
    }
    flush();
    pen.globalAlpha = 1;
    pen.fillStyle = style.text;
    if (laneHeight > 8) pen.fillText(lane.name, 0, top + height / 2);
    if (hovered && hovered.lane === lane) {
      const left = Math.max(toX(lane.begin[hovered.i]), gutter);
      pen.strokeStyle = style.text;
      pen.strokeRect(left, top, Math.max(Math.min(toX(lane.end[hovered.i]), width) - left, 1), height);
    }
  }

  function label(lane, i, left, wide, top) {
    const text = data.texts[lane.texts[i]] || (lane.kind === "run" && count(lane, i) === 1 ? `${lane.index[i]}` : "");
    pen.globalAlpha = lane.found && !lane.found[i] ? 0.3 : 1;
    pen.fillStyle = "#fff";
    pen.fillText(text.slice(0, Math.floor((wide - 8) / 6)), left + 4, top + (laneHeight - 3) / 2);
  }

  // -- moving --------------------------------------------------------------------------------------------

  function show(from, to) {
    const span = Math.min(Math.max(to - from, CLOSEST), whole);
    view.from = Math.min(Math.max(from, 0), whole - span);
    view.to = view.from + span;
    hover(null);
    redraw();
  }

  function zoom(factor, x = gutter + (width - gutter) / 2) {
    const time = toTime(x), span = (view.to - view.from) / factor;
    const part = (time - view.from) / (view.to - view.from);
    show(time - part * Math.min(span, whole), time - part * Math.min(span, whole) + span);
  }

  const move = (pixels) => {
    const time = (pixels / (width - gutter)) * (view.to - view.from);
    show(view.from + time, view.to + time);
  };

  function visit(lane, i) {
    const length = Math.max(lane.end[i] - lane.begin[i], 100);
    show(lane.begin[i] - length / 2, lane.end[i] + length / 2);
    stage.scrollIntoView({block: "nearest"});
    $("view").scrollTop = lanes.indexOf(lane) * laneHeight - $("view").clientHeight / 2;
    hover({lane, i, more: 0}, toX((lane.begin[i] + lane.end[i]) / 2));
  }

  // -- what is under the pointer ---------------------------------------------------------------------------

  function under(x, y) {
    const lane = lanes[Math.floor((y - AXIS) / laneHeight)];
    if (!lane || y < AXIS || x < gutter) return null;
    const time = toTime(x), slack = ((view.to - view.from) / (width - gutter)) * 2;
    const first = lowest(lane.end, time - slack), stop = lowest(lane.begin, time + slack);
    if (first >= stop) return null;
    let nearest = Math.min(lowest(lane.end, time), stop - 1);
    if (lane.begin[nearest] > time && nearest > first && time - lane.end[nearest - 1] < lane.begin[nearest] - time)
      nearest--;
    const isWide = lane.end[nearest] - lane.begin[nearest] > 4 * slack;
    return {lane, i: nearest, more: isWide ? 0 : stop - first - 1};
  }

  function hover(found, x = 0) {
    if (hovered || found) redraw();
    hovered = found;
    tip.hidden = !found;
    if (!found) return;
    const {lane, i, more} = found;
    const lines = [
      title(lane, i),
      `${duration(busy(lane, i))}, from ${duration(lane.begin[i], 6)} on, ${lane.name}`,
    ];
    if (lane.errors[i]) lines.push(`failed: ${lane.errors[i]}`);
    if (more) lines.push(`and ${more} more in this place: zoom in`);
    tip.replaceChildren(...lines.map((line) => Object.assign(document.createElement("div"), {textContent: line})));
    tip.style.left = `${Math.max(0, Math.min(x + 12, stage.clientWidth - tip.offsetWidth))}px`;
    tip.style.top = `${AXIS + (lanes.indexOf(lane) + 1) * laneHeight - $("view").scrollTop}px`;
  }

  const fingers = new Map(); // pointers that are down, with their last place
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return {x: event.clientX - box.left, y: event.clientY - box.top};
  };

  canvas.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, place(event));
    canvas.setPointerCapture(event.pointerId);
    const {x, y} = place(event);
    hover(under(x, y), x);
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = place(event), before = fingers.get(event.pointerId);
    if (!before) return hover(under(now.x, now.y), now.x);
    if (fingers.size === 1 && now.x !== before.x) move(before.x - now.x);
    if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      zoom(Math.max(Math.abs(now.x - other.x), 8) / Math.max(Math.abs(before.x - other.x), 8), other.x);
    }
    fingers.set(event.pointerId, now);
  });
  for (const name of ["pointerup", "pointercancel"])
    canvas.addEventListener(name, (event) => fingers.delete(event.pointerId));
  // A finger that is lifted leaves as well: what it has pointed to stays.
  canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hover(null));
  canvas.addEventListener("dblclick", (event) => zoom(4, place(event).x));
  canvas.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.metaKey) zoom(Math.exp(-event.deltaY / 200), place(event).x);
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) move(event.deltaX || event.deltaY);
    else return; // the page scrolls
    event.preventDefault();
  }, {passive: false});
  const keys = {"+": () => zoom(2), "=": () => zoom(2), "-": () => zoom(0.5), 0: () => show(0, whole)};
  Object.assign(keys, {ArrowLeft: () => move(-width / 5), ArrowRight: () => move(width / 5)});
  canvas.addEventListener("keydown", (event) => {
    if (!(event.key in keys) || event.ctrlKey || event.metaKey) return;
    keys[event.key]();
    event.preventDefault();
  });
  $("closer").addEventListener("click", keys["+"]);
  $("farther").addEventListener("click", keys["-"]);
  $("all").addEventListener("click", keys[0]);

  // -- filter and tables -----------------------------------------------------------------------------------

  function search() {
    const wanted = filter.value.trim().toLowerCase(), number = /^#?(\d+)$/.exec(wanted)?.[1];
    const fits = data.texts.map((text) => text.toLowerCase().includes(wanted));
    let tasks = 0, all = 0, time = 0;
    for (const lane of lanes) {
      const found = new Uint8Array(lane.size);
      for (let i = 0; i < lane.size; i++) {
        if (lane.kind !== "run") continue;
        all += count(lane, i);
        const isNamed = fits[lane.texts[i]] || lane.errors[i]?.toLowerCase().includes(wanted);
        if (!isNamed && !(number && holds(lane, i, Number(number)))) continue;
        found[i] = 1;
        tasks += count(lane, i);
        time += busy(lane, i);
      }
      lane.found = wanted ? found : null;
    }
    const figures = `${tasks.toLocaleString("en")} of ${all.toLocaleString("en")} tasks, ${duration(time)}`;
    $("matches").textContent = wanted ? figures : "";
    redraw();
  }

  function next() { // the match that begins first after the middle of the view
    let best = null;
    const middle = (view.from + view.to) / 2;
    for (const lane of lanes)
      for (let i = 0; lane.found && i < lane.size; i++) {
        const after = lane.begin[i] > middle ? lane.begin[i] - middle : lane.begin[i] + whole;
        if (lane.found[i] && (!best || after < best.after)) best = {lane, i, after};
      }
    if (best) visit(best.lane, best.i);
  }

  filter.addEventListener("input", search);
  filter.addEventListener("keydown", (event) => event.key === "Enter" && next());

  for (const [name, number] of [...functions].slice(0, COLOURS)) { // each filters
    const button = document.createElement("button"), key = document.createElement("span");
    key.className = `key stroke-${number}`;
    button.append(key, name);
    button.addEventListener("click", () => {
      filter.value = filter.value === name ? "" : name;
      search();
    });
    if (name) $("names").append(button);
  }

  for (const row of document.querySelectorAll("tr[data-task]")) {
    const go = () => { // to the bar that stands for it and for the fewest others
      let best = null;
      for (const lane of lanes)
        for (let i = 0; i < lane.size; i++)
          if (holds(lane, i, Number(row.dataset.task)) && !(best && count(best.lane, best.i) <= count(lane, i)))
            best = {lane, i};
      if (best) visit(best.lane, best.i);
    };
    row.addEventListener("click", go);
    row.addEventListener("keydown", (event) => event.key === "Enter" && go());
  }

  new ResizeObserver(measure).observe(stage);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", measure);
  canvas.setAttribute("aria-label", `timeline of ${lanes.length} lanes; the tables of this page say the same in words`);
})();
