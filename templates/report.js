"use strict";
(() => {
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  const root = document.documentElement;

  // Light and dark.
  const theme = document.querySelector(".theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch {}
  });

  // Contents: folded where the page is narrow; the section in view is marked.
  const contents = document.querySelector(".contents details");
  const wide = matchMedia("(min-width: 64rem)");
  const fold = () => { contents.open = wide.matches; };
  fold();
  wide.addEventListener("change", fold);
  contents.addEventListener("click", (event) => { if (event.target.closest("li a") && !wide.matches) contents.open = false; });
  const links = new Map(all("li a", contents).map((link) => [link.hash.slice(1), link]));
  const sections = all("main > section");
  const follow = () => {
    const now = sections.filter((section) => section.getBoundingClientRect().top < innerHeight * 0.35).pop();
    links.forEach((link, id) => { if (now && id === now.id) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current"); });
  };
  addEventListener("scroll", follow, { passive: true });
  follow();

  // Only a region that scrolls needs to be reached with the keyboard.
  const reach = () => all(".scroll").forEach((region) => {
    if (region.scrollWidth > region.clientWidth + 1 || region.closest("figure")) region.tabIndex = 0; else region.removeAttribute("tabindex");
  });
  reach();
  addEventListener("resize", reach);

  // Tables sort by the number behind a cell, or by its text.
  const key = (cell) => {
    if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
    const text = cell.textContent.trim();
    const number = Number(text.replace(/[,\s%×]/g, "").replace("\u2212", "-"));
    return text && !Number.isNaN(number) ? number : text;
  };
  const order = (a, b) => typeof a === typeof b ? (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true })) : (typeof a === "number" ? -1 : 1);
  all("table.sortable").forEach((table) => {
    const heads = all("thead tr:last-child th", table);
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const body = table.tBodies[0];
        const rows = [...body.rows].map((row) => [key(row.cells[column]), row]);
        rows.sort((a, b) => (up ? 1 : -1) * order(a[0], b[0]));
        body.append(...rows.map((pair) => pair[1]));
      });
    });
  });

  // The list of runs: filter by words, or show the runs behind one number.
  const list = document.querySelector(".runs");
  const rows = all("tbody tr", list);
  const bar = list.querySelector(".filter");
  const input = bar.querySelector("input");
  const output = bar.querySelector("output");
  const everything = bar.querySelector("button");
  bar.hidden = false;
  const words = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const show = (fits) => {
    const shown = rows.filter((row) => { row.hidden = !fits(row); return !row.hidden; });
    output.textContent = `${shown.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} runs`;
    everything.hidden = shown.length === rows.length;
    return shown;
  };
  const filter = () => {
    const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    show((row) => wanted.every((word) => words.get(row).includes(word)));
  };
  input.addEventListener("input", filter);
  everything.addEventListener("click", () => { input.value = ""; filter(); input.focus(); });
  filter();
  addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#run-"]');
    if (!link) return;
    const holder = link.closest("td, th");
    const names = holder && holder.dataset.runs ? holder.dataset.runs.split(" ") : [link.hash.slice(5)];
    input.value = "";
    if (names.length > 1) show((row) => names.includes(row.id.slice(4))); else filter();
    rows.forEach((row) => row.classList.toggle("found", names.includes(row.id.slice(4))));
  });

  // Which runs a number comes from: on hover and on focus; arrow keys walk through the points of a figure.
  const tip = document.getElementById("tip");
  const tell = (target, label, runs) => {
    tip.replaceChildren(label ? `${label}\n` : "");
    const code = document.createElement("code");
    code.textContent = runs.length > 12 ? `${runs.slice(0, 12).join("\n")}\nand ${runs.length - 12} more runs` : runs.join("\n");
    tip.append(code);
    tip.hidden = false;
    const box = target.getBoundingClientRect();
    const own = tip.getBoundingClientRect();
    const above = box.top - own.height - 8;
    tip.style.left = `${Math.max(8, Math.min(box.left + box.width / 2 - own.width / 2, innerWidth - own.width - 8))}px`;
    tip.style.top = `${above > 8 ? above : box.bottom + 8}px`;
  };
  const hush = () => { tip.hidden = true; };
  const read = (element) => {
    const title = element.querySelector(":scope > title");
    if (title && element.dataset.label === undefined) {  // the browser's own tooltip would stand beside ours
      element.dataset.label = title.textContent.split("\n")[0];
      title.remove();
    }
    const link = element.querySelector("a.from");
    if (link && link.title) link.removeAttribute("title");
    tell(element, element.dataset.label, (element.dataset.runs || "").split(" ").filter(Boolean));
  };
  const traced = (event) => event.target.closest(".mark, td[data-runs], th[data-runs]");
  addEventListener("pointerover", (event) => { const element = traced(event); if (element) read(element); else hush(); });
  addEventListener("focusin", (event) => { const element = traced(event); if (element) read(element); else hush(); });
  addEventListener("scroll", hush, { passive: true, capture: true });
  all("figure .scroll").forEach((region) => {
    const marks = all(".mark", region);
    if (!marks.length) return;
    let at = -1;
    region.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { hush(); return; }
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      if (marks[at]) marks[at].classList.remove("now");
      at = (at + step + marks.length) % marks.length;
      marks[at].classList.add("now");
      read(marks[at]);
    });
    region.addEventListener("blur", () => { if (marks[at]) marks[at].classList.remove("now"); hush(); });
  });

  // Paper shows what is folded, but not the details of every run.
  addEventListener("beforeprint", () => { all(".folded").forEach((table) => { table.open = true; }); input.value = ""; filter(); });
})();
