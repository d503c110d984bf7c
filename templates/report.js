"use strict";
(() => {
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  const root = document.documentElement;
  const seen = (element) => element.getClientRects().length > 0;

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
  const wide = matchMedia("(min-width: 72rem)");
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

  // A link into something folded opens it.
  const target = () => {
    try { return document.getElementById(decodeURIComponent(location.hash.slice(1))); } catch { return null; }  // "#50%"
  };
  const unfold = () => {
    const place = target();
    if (!place || !place.closest("details:not([open])")) return;
    for (let each = place; each; each = each.parentElement) if (each.tagName === "DETAILS") each.open = true;
    place.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  unfold();

  // Tables sort by the number behind a cell, or by its text; cells without a value come last either way.
  const key = (cell) => {
    if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
    const text = cell.textContent.trim();
    const number = Number(text.replace(/[,\s%×]/g, "").replace("\u2212", "-"));
    return text && !Number.isNaN(number) ? number : text;
  };
  const order = (a, b) => typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
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
        const numbers = rows.some((pair) => typeof pair[0] === "number");
        const valued = rows.filter((pair) => numbers ? typeof pair[0] === "number" : pair[0] !== "");
        const others = rows.filter((pair) => !valued.includes(pair));
        valued.sort((a, b) => (up ? 1 : -1) * order(a[0], b[0]));
        body.append(...[...valued, ...others].map((pair) => pair[1]));
      });
    });
  });

  // One tab stop a table: arrow keys move between its numbers, its heads that sort, its rows that unfold.
  const stops = (table) => all("thead button, tbody a.from, tbody summary", table).filter(seen);
  const settle = (table) => {
    const items = stops(table);
    const now = items.find((item) => item.tabIndex === 0) || items[0];
    all("thead button, tbody a.from, tbody summary", table).forEach((item) => { item.tabIndex = item === now ? 0 : -1; });
    return items.length;
  };

  // The list of runs: filter by a run's settings and state, or show the runs behind one number.
  const list = document.querySelector(".runs");
  const rows = list ? all("tbody tr", list) : [];
  let clear = () => {};
  if (list) {
    const bar = list.querySelector(".filter");
    const input = bar.querySelector("input");
    const output = bar.querySelector("output");
    const everything = bar.querySelector("button");
    bar.hidden = false;
    const fields = new Map(rows.map((row) => [row, (row.dataset.fields || row.textContent.toLowerCase()).split("\n")]));
    // A number or a fraction is a whole value; anything else may be part of one.
    const fits = (field, word) => /^[\d./]+$/.test(word) ? field === word || field.endsWith(` ${word}`) : field.includes(word);
    const show = (wanted) => {
      const shown = rows.filter((row) => { row.hidden = !wanted(row); return !row.hidden; });
      output.textContent = `${shown.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} runs`;
      everything.hidden = shown.length === rows.length;
      settle(list.querySelector("table"));
    };
    const filter = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      show((row) => words.every((word) => fields.get(row).some((field) => fits(field, word))));
    };
    input.addEventListener("input", filter);
    everything.addEventListener("click", () => { clear(); input.focus(); });
    clear = () => { input.value = ""; filter(); };
    clear();
    addEventListener("click", (event) => {
      const link = event.target.closest('a[href^="#run-"]');
      if (!link || event.defaultPrevented) return;
      const holder = link.closest("[data-runs]");
      const names = holder && holder.matches("td, th") ? holder.dataset.runs.split(" ") : [link.hash.slice(5)];
      clear();
      if (names.length > 1) show((row) => names.includes(row.id.slice(4)));
      rows.forEach((row) => row.classList.toggle("found", names.includes(row.id.slice(4))));
    });
  }

  // The tip: what a number says and the runs that it comes from. It stays where it was asked for by click, tap or key.
  const tip = document.getElementById("tip");
  let spot = null;  // () => the place that the tip belongs to, as a rectangle of the window
  let kept = false;
  const place = () => {
    if (!spot) return;
    const box = spot();
    if (kept && (box.bottom < 0 || box.top > innerHeight)) { hush(); return; }
    const own = tip.getBoundingClientRect();
    const above = box.top - own.height - 10;
    const edge = root.clientWidth - own.width - 8;
    tip.style.left = `${Math.max(8, Math.min((box.left + box.right) / 2 - own.width / 2, edge))}px`;
    const wanted = above > 8 ? above : box.bottom + 10;
    tip.style.top = `${Math.max(8, Math.min(wanted, innerHeight - own.height - 8))}px`;  // in view while the page still scrolls to it
  };
  const hush = () => { tip.hidden = true; tip.classList.remove("kept"); spot = null; kept = false; quiet(); };
  const tell = (where, label, runs, keep = false, hint = "") => {
    tip.replaceChildren(label ? `${label}\n` : "");
    const code = document.createElement("code");
    const told = runs.length > 13 ? runs.slice(0, 12) : runs;
    told.forEach((run, at) => {
      const known = list && document.getElementById(`run-${run}`);
      const name = document.createElement(keep && known ? "a" : "span");
      if (keep && known) name.href = `#run-${run}`;
      name.textContent = run;
      code.append(at ? "\n" : "", name);
    });
    if (runs.length > told.length) code.append(`\nand ${runs.length - told.length} more runs`);
    tip.append(code);
    if (hint) { const small = document.createElement("span"); small.className = "small"; small.textContent = hint; tip.append(small); }
    kept = keep;
    tip.classList.toggle("kept", keep);
    tip.hidden = false;
    tip.style.left = tip.style.top = "0";
    spot = where;
    place();
  };
  addEventListener("scroll", place, { passive: true, capture: true });
  addEventListener("resize", hush);
  addEventListener("keydown", (event) => { if (event.key === "Escape" && !tip.hidden) hush(); });
  let finger = false;
  addEventListener("pointerdown", (event) => { finger = event.pointerType === "touch"; }, true);

  // Tables: pointing at a number, or moving to it with the keyboard, tells its runs; a first tap does, a second follows.
  const traced = (target) => target.closest && target.closest("td[data-runs], th[data-runs]");
  const names = (element) => (element.dataset.runs || "").split(" ").filter(Boolean);
  let told = null;
  const read = (cell, keep) => {
    const link = cell.querySelector("a.from");
    if (link) link.removeAttribute("title");  // the browser's own tooltip would stand beside ours
    told = cell;
    tell(() => cell.getBoundingClientRect(), "", names(cell), keep, keep && finger && link ? "\nTap again for the list of runs." : "");
  };
  addEventListener("pointerover", (event) => {
    if (kept || event.pointerType === "touch" || tip.contains(event.target)) return;
    const cell = traced(event.target);
    if (cell) read(cell, false); else if (!event.target.closest(".canvas")) hush();
  });
  addEventListener("focusin", (event) => {
    const cell = traced(event.target);
    if (cell) { if (!finger) read(cell, false); }
    else if (!tip.contains(event.target) && !event.target.closest(".canvas")) hush();
  });
  addEventListener("click", (event) => {
    if (tip.contains(event.target)) { if (event.target.closest("a")) hush(); return; }
    const cell = traced(event.target);
    if (cell && finger && !(kept && told === cell)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      read(cell, true);
    } else if (!event.target.closest(".canvas")) hush();
  }, true);

  const next = (table, item, press) => {
    const items = stops(table);
    const line = items.filter((each) => each.closest("tr") === item.closest("tr"));
    if (press === "Home") return line[0];
    if (press === "End") return line[line.length - 1];
    const step = press === "ArrowRight" || press === "ArrowDown" ? 1 : -1;
    if (press === "ArrowRight" || press === "ArrowLeft") return line[line.indexOf(item) + step];
    const middle = (each) => { const box = each.closest("td, th").getBoundingClientRect(); return (box.left + box.right) / 2; };
    const lines = [...new Set(items.map((each) => each.closest("tr")))];
    const there = lines[lines.indexOf(item.closest("tr")) + step];
    return items.filter((each) => each.closest("tr") === there).sort((a, b) => Math.abs(middle(a) - middle(item)) - Math.abs(middle(b) - middle(item)))[0];
  };
  all("table").forEach((table) => {
    settle(table);
    table.addEventListener("focusin", (event) => {
      const item = event.target.closest("thead button, a.from, summary");
      if (item) stops(table).forEach((each) => { each.tabIndex = each === item ? 0 : -1; });
    });
    table.addEventListener("keydown", (event) => {
      const item = event.target.closest("thead button, a.from, summary");
      if (!item || event.altKey || event.ctrlKey || event.metaKey || !/^(Arrow|Home$|End$)/.test(event.key)) return;
      event.preventDefault();
      const other = next(table, item, event.key);
      if (other) other.focus();
    });
  });

  // Figures: the nearest value answers a pointer, arrow keys walk along a series and from one series to the next.
  let quiet = () => {};
  const canvases = all(".canvas").map((canvas) => {
    const number = canvas.closest("figure").querySelector(".title b");
    let items = [];
    let groups = [];
    let at = -1;
    const gather = () => {  // every value of the drawing that is shown, with the place where it is drawn
      const chart = all("svg.chart", canvas).find(seen);
      items = [];
      groups = [];
      if (!chart) return;
      const known = new Map();
      const add = (item, series) => {
        item.series = series;
        if (!known.has(series)) { known.set(series, { name: null, values: [] }); groups.push(known.get(series)); }
        const group = known.get(series);
        if (item.name) group.name = group.name || item; else group.values.push(item);
        items.push(item);
      };
      all(".mark, .name", chart).forEach((element) => {
        const title = element.querySelector(":scope > title");
        if (title) { element.dataset.label = title.textContent.split("\n")[0]; title.remove(); }
        const runs = names(element);
        const series = element.dataset.series || "";
        const box = () => element.getBoundingClientRect();
        if (element.matches(".name")) { add({ element, box, runs, name: true, label: element.dataset.label || element.textContent }, series); return; }
        if (!element.matches(".track")) { add({ element, box, runs, label: element.dataset.label || "" }, series); return; }
        const path = element.querySelector("path");
        const notes = element.dataset.notes.split("\n");
        const pairs = path.getAttribute("d").match(/-?[\d.]+/g).map(Number);
        notes.forEach((label, vertex) => {
          const [x, y] = pairs.slice(2 * vertex);
          const box = () => { const point = new DOMPoint(x, y).matrixTransform(path.getScreenCTM()); return new DOMRect(point.x - 3, point.y - 3, 6, 6); };
          add({ element, box, runs, label, vertex: [x, y] }, series);
        });
      });
    };
    const mark = (item) => {
      const chart = item.element.ownerSVGElement;
      if (item.series) {
        chart.classList.add("telling");
        all(`[data-series="${CSS.escape(item.series)}"]`, chart).forEach((each) => each.classList.add("said"));
      }
      if (item.vertex) {
        const ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
        ring.setAttribute("class", "here");
        ring.setAttribute("r", "4");
        ring.setAttribute("cx", item.vertex[0]);
        ring.setAttribute("cy", item.vertex[1]);
        item.element.append(ring);
      } else item.element.classList.add("now");
    };
    const calm = () => {
      all(".telling", canvas).forEach((each) => each.classList.remove("telling"));
      all(".said, .now", canvas).forEach((each) => each.classList.remove("said", "now"));
      all(".here", canvas).forEach((each) => each.remove());
    };
    const say = (item, keep) => { hush(); quiet = calm; mark(item); at = items.indexOf(item); tell(item.box, item.label, item.runs, keep); };
    const nearest = (x, y) => {
      const reach = 40;
      let best = null;
      let least = [reach, Infinity];
      items.forEach((item) => {
        const box = item.box();
        const away = Math.hypot(Math.max(box.left - x, 0, x - box.right), Math.max(box.top - y, 0, y - box.bottom));
        const centre = Math.hypot((box.left + box.right) / 2 - x, (box.top + box.bottom) / 2 - y);
        const rank = item.name && away > 2 ? [Infinity, 0] : [away, centre];
        if (rank[0] < least[0] || (rank[0] === least[0] && rank[1] < least[1])) { best = item; least = rank; }
      });
      return best;
    };
    canvas.addEventListener("pointerenter", gather);
    canvas.addEventListener("pointermove", (event) => {
      if (kept || event.pointerType === "touch") return;
      const item = nearest(event.clientX, event.clientY);
      if (!item) hush(); else if (item !== items[at] || tip.hidden) say(item, false);
    });
    canvas.addEventListener("pointerleave", () => { if (!kept) hush(); });
    canvas.addEventListener("click", (event) => {
      gather();
      const item = nearest(event.clientX, event.clientY);
      if (item) say(item, true); else hush();
    });
    canvas.addEventListener("keydown", (event) => {
      if (!/^(Arrow|Home$|End$)/.test(event.key) || event.altKey || event.ctrlKey || event.metaKey) return;
      const before = items[at];
      gather();
      if (!items.length) return;
      event.preventDefault();
      at = before ? items.findIndex((item) => item.element === before.element && String(item.vertex) === String(before.vertex)) : -1;
      const lines = groups.map((group) => [...(group.name ? [group.name] : []), ...group.values]);
      let row = lines.findIndex((line) => line.includes(items[at]));
      let column = row < 0 ? -1 : lines[row].indexOf(items[at]);
      if (row < 0) { row = 0; column = 0; }
      else if (event.key === "ArrowRight") column = (column + 1) % lines[row].length;
      else if (event.key === "ArrowLeft") column = (column - 1 + lines[row].length) % lines[row].length;
      else if (event.key === "Home") column = 0;
      else if (event.key === "End") column = lines[row].length - 1;
      else if (lines.length > 1) row = (row + (event.key === "ArrowDown" ? 1 : -1) + lines.length) % lines.length;
      else column = (column + (event.key === "ArrowDown" ? 1 : -1) + lines[row].length) % lines[row].length;
      say(lines[row][Math.min(column, lines[row].length - 1)], false);
    });
    canvas.addEventListener("blur", () => { if (!kept) hush(); at = -1; });
    if (canvas.querySelector(".mark")) {
      canvas.tabIndex = 0;
      canvas.setAttribute("role", "group");
      canvas.setAttribute("aria-label", `${number.textContent} Arrow keys walk through its values.`);
    }
    return canvas;
  });

  // Only a region that scrolls, and holds nothing to move to, needs to be reached with the keyboard itself.
  const reach = () => {
    all(".scroll").forEach((region) => {
      const inner = region.querySelector("table") && settle(region.querySelector("table"));
      if (region.scrollWidth > region.clientWidth + 1 && !inner) region.tabIndex = 0; else region.removeAttribute("tabindex");
    });
    canvases.forEach((canvas) => { if (!canvas.querySelector(".mark")) { if (canvas.scrollWidth > canvas.clientWidth + 1) canvas.tabIndex = 0; else canvas.removeAttribute("tabindex"); } });
  };
  reach();
  addEventListener("resize", reach);
  addEventListener("toggle", reach, true);

  // PNG and SVG are drawn from the page itself, so that they can be saved wherever it lies.
  const standing = (chart) => {
    const copy = chart.cloneNode(true);
    all(".here", copy).forEach((each) => each.remove());
    const box = chart.viewBox.baseVal;
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("width", `${box.width}pt`);
    copy.setAttribute("height", `${box.height}pt`);
    copy.removeAttribute("class");
    const light = JSON.parse(document.getElementById("colours").textContent);
    const colours = (style) => style.replace(/var\((--[\w-]+)\)/g, (whole, name) => light[name] || whole);
    [copy, ...all("[style]", copy)].forEach((each) => each.setAttribute("style", colours(each.getAttribute("style") || "")));
    copy.style.fontFamily = "sans-serif";
    return [new XMLSerializer().serializeToString(copy), box];
  };
  const save = (url, name) => { const link = document.createElement("a"); link.href = url; link.download = name; link.click(); };
  all("a.drawn").forEach((link) => link.addEventListener("click", (event) => {
    event.preventDefault();
    const name = link.getAttribute("href").split("/").pop();
    const [text, box] = standing(link.closest("figure").querySelector(".wide svg"));
    const url = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
    if (name.endsWith(".svg")) { save(url, name); return; }
    const image = new Image();
    image.onload = () => {
      const scale = 200 / 72;
      const sheet = document.createElement("canvas");
      sheet.width = Math.round(box.width * scale);
      sheet.height = Math.round(box.height * scale);
      const brush = sheet.getContext("2d");
      brush.fillStyle = "#fff";
      brush.fillRect(0, 0, sheet.width, sheet.height);
      brush.drawImage(image, 0, 0, sheet.width, sheet.height);
      save(sheet.toDataURL("image/png"), name);
    };
    image.src = url;
  }));

  // Paper shows what is folded, but not the details of every run; afterwards all is as it was.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all(".folded:not([open]), .more:not([open])");
    opened.forEach((each) => { each.open = true; });
  });
  addEventListener("afterprint", () => { opened.forEach((each) => { each.open = false; }); });
})();
