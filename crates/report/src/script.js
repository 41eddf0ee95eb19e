"use strict";
// Tables that sort and filter, and the numbers of charts under the pointer. The page is whole without it.
(() => {
const make = (tag, attributes, text) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
};
const parse = (text) => {
  const rows = [[""]];
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const letter = text[i], row = rows[rows.length - 1], end = row.length - 1;
    if (quoted && letter === '"' && text[i + 1] === '"') { row[end] += letter; i++; }
    else if (letter === '"') quoted = !quoted;
    else if (quoted) row[end] += letter;
    else if (letter === ",") row.push("");
    else if (letter === "\n") rows.push([""]);
    else row[end] += letter;
  }
  rows.pop();
  return rows;
};
const quoted = (text) => /[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
const isNumber = (text) => text !== "" && Number.isFinite(Number(text));
const short = (text) => isNumber(text) ? String(Number(Number(text).toPrecision(4))) : text || "–";

// Tables.
const worth = (cell) => {
  const text = cell.dataset.v ?? cell.textContent.trim();
  return text === "" || text === "–" ? null : text;
};
for (const table of document.querySelectorAll("table.sorts")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const sort = (at, down) => {
    const rows = [...body.rows];
    const keys = new Map(rows.map((row) => [row, worth(row.cells[at])]));
    const numbers = rows.every((row) => keys.get(row) === null || isNumber(keys.get(row)));
    rows.sort((a, b) => {
      const x = keys.get(a), y = keys.get(b);
      if (x === null || y === null) return (x === null) - (y === null);
      const order = numbers ? x - y : x.localeCompare(y, "en", { numeric: true });
      return down ? -order : order;
    });
    body.append(...rows);
    heads.forEach((head, i) => i === at
      ? head.setAttribute("aria-sort", down ? "descending" : "ascending")
      : head.removeAttribute("aria-sort"));
  };
  heads.forEach((head, at) => {
    const button = make("button", { type: "button", title: "Sort by this column" });
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(at, head.getAttribute("aria-sort") !== "descending"));
    head.append(button);
  });
  const tools = make("p", { class: "tools" });
  if (body.rows.length > 7) {
    const box = make("input", { type: "search", placeholder: "filter rows", "aria-label": "Filter rows" });
    const left = make("span", { role: "status" });
    box.addEventListener("input", () => {
      const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of body.rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      left.textContent = words.length ? `${shown} of ${body.rows.length} rows` : "";
    });
    tools.append(box, left);
  }
  const link = make("a", { class: "csv", download: (table.dataset.name || "table") + ".csv", href: "#" }, "CSV");
  link.addEventListener("click", () => {
    const lines = [table.tHead.rows[0], ...body.rows].filter((row) => !row.hidden);
    const text = lines.map((row) => [...row.cells].map((cell) => quoted((cell.dataset.v ?? cell.textContent).trim())).join(","));
    link.href = "data:text/csv;charset=utf-8," + encodeURIComponent(text.join("\n") + "\n");
  });
  tools.append(link);
  table.parentNode.before(tools);
}

// Charts.
for (const plot of document.querySelectorAll("svg[data-x]")) {
  const figure = plot.closest("figure"), link = figure.querySelector("a.csv"), cursor = plot.querySelector(".cursor");
  const [low, high, left, right, top, bottom] = plot.dataset.x.split(" ").map(Number);
  let rows, header, tip, at = -1;
  const ready = () => {
    if (rows) return header[0] !== "series";
    const href = link.getAttribute("href");
    [header, ...rows] = parse(decodeURIComponent(href.slice(href.indexOf(",") + 1)));
    const named = plot.dataset.names !== undefined;
    rows = rows.map((row, i) => ({ x: named ? i : Number(row[0]), row }));
    tip = make("div", { class: "tip", hidden: "" });
    figure.append(tip);
    return header[0] !== "series";
  };
  const place = (x) => high > low ? left + (x - low) / (high - low) * (right - left) : (left + right) / 2;
  const hide = () => { if (tip) tip.hidden = true; cursor.setAttribute("d", ""); };
  const show = (index) => {
    at = Math.max(0, Math.min(rows.length - 1, index));
    if (at < 0 || !rows[at]) return;
    const { x, row } = rows[at], across = place(x);
    cursor.setAttribute("d", `M${across} ${top}V${bottom}`);
    tip.replaceChildren(make("b", {}, `${header[0]} ${row[0]}`));
    for (let i = 1; i < header.length; i++) {
      if (header[i].endsWith(" ± se") || row[i] === "") continue;
      const error = header[i + 1] === header[i] + " ± se" && row[i + 1] !== "" ? ` ± ${short(row[i + 1])}` : "";
      tip.append(make("span", {}, `${header[i]}: ${short(row[i])}${error}`));
    }
    tip.hidden = false;
    const share = across / plot.viewBox.baseVal.width;
    tip.style.left = share < 0.5 ? `calc(${100 * share}% + 12px)` : "auto";
    tip.style.right = share < 0.5 ? "auto" : `calc(${100 - 100 * share}% + 12px)`;
  };
  plot.addEventListener("pointermove", (event) => {
    if (!ready()) return;
    const frame = plot.getBoundingClientRect();
    const across = (event.clientX - frame.left) / frame.width * plot.viewBox.baseVal.width;
    let best = 0;
    rows.forEach(({ x }, i) => { if (Math.abs(place(x) - across) < Math.abs(place(rows[best].x) - across)) best = i; });
    if (rows.length) show(best);
  });
  plot.addEventListener("pointerleave", hide);
  plot.addEventListener("blur", hide);
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !ready() || !rows.length) return;
    event.preventDefault();
    show(at + step);
  });
  plot.setAttribute("tabindex", "0");
}
})();
