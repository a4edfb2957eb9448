// The table of all results: sort by a column, choose lines and columns, copy what is shown.
// Without this script it is a table with everything in it.
"use strict";

(() => {
  const table = document.getElementById("table");
  const controls = document.querySelector(".controls");
  const place = (name) => controls.querySelector(`[data-place="${name}"]`);
  const head = [...table.tHead.rows[0].cells];
  const lines = [...table.tBodies[0].rows];
  const text = (cell) => cell.textContent.trim();
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // ---- sorting: upwards, downwards, then as the run had it

  const key = (cell, kind) => {
    if (kind !== "number") return text(cell);
    return cell.dataset.exact === undefined ? NaN : Number(cell.dataset.exact.split(" ")[0].replace("inf", "Infinity"));
  };

  const compare = (a, b) => {
    if (typeof a === "string") return a.localeCompare(b, "en", { numeric: true });
    return a === b ? 0 : a - b;
  };

  const sort = (column, direction) => {
    const kind = head[column].dataset.kind;
    const keyed = lines.map((line) => [key(line.cells[column], kind), line]);
    const missing = (value) => typeof value === "number" && Number.isNaN(value);
    if (direction !== "none") {
      keyed.sort(([a], [b]) => {
        if (missing(a) || missing(b)) return missing(a) - missing(b); // what is not known comes last
        return direction === "ascending" ? compare(a, b) : compare(b, a);
      });
    }
    table.tBodies[0].append(...keyed.map(([, line]) => line));
    head.forEach((cell, i) => cell.setAttribute("aria-sort", i === column ? direction : "none"));
  };

  const next = { none: "ascending", ascending: "descending", descending: "none" };
  head.forEach((cell, column) => {
    const button = make("button", { type: "button", textContent: text(cell) });
    button.addEventListener("click", () => sort(column, next[cell.getAttribute("aria-sort")]));
    cell.replaceChildren(button);
    cell.setAttribute("aria-sort", "none");
  });

  // ---- choosing lines

  const find = document.getElementById("find");
  const label = head.findIndex((cell) => cell.dataset.kind === "label");
  const choices = [];

  const choose = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const line of lines) {
      const name = text(line.cells[label]).toLowerCase();
      const fits = words.every((word) => name.includes(word));
      line.hidden = !(fits && choices.every(([column, select]) => !select.value || text(line.cells[column]) === select.value));
      shown += !line.hidden;
    }
    place("said").textContent = `${shown} of ${lines.length} lines`;
  };

  head.forEach((cell, column) => {
    if (cell.dataset.choice === undefined) return;
    const values = [...new Set(lines.map((line) => text(line.cells[column])))];
    if (values.length < 2) return;
    const select = make("select", { ariaLabel: text(cell) }, make("option", { value: "", textContent: "all" }));
    select.append(...values.map((value) => make("option", { value, textContent: value })));
    select.addEventListener("change", choose);
    choices.push([column, select]);
    place("filters").append(make("label", {}, `${text(cell)} `, select));
  });
  find.addEventListener("input", choose);

  // ---- choosing columns

  const show = (column, shown) => {
    for (const line of table.rows) line.cells[column].hidden = !shown;
  };

  head.forEach((cell, column) => {
    const more = cell.dataset.more !== undefined;
    show(column, !more);
    if (column === label) return;
    const box = make("input", { type: "checkbox", checked: !more });
    box.addEventListener("change", () => show(column, box.checked));
    place("columns").append(make("label", {}, box, ` ${text(cell)}`));
  });
  controls.addEventListener("keydown", (event) => {
    const menu = event.target.closest(".menu");
    if (event.key !== "Escape" || !menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });

  // ---- copying what is shown

  const shownColumns = () => head.flatMap((cell, column) => (cell.hidden ? [] : [column]));
  const shownLines = () => [...table.tBodies[0].rows].filter((line) => !line.hidden);

  const quoted = (value) => (/[",\n\r]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);

  const csv = (columns, of) => {
    const exact = (line, column) => {
      const { keys, kind } = head[column].dataset;
      if (kind !== "number") return [text(line.cells[column])];
      const values = line.cells[column].dataset.exact;
      return values === undefined ? keys.split(" ").map(() => "") : values.split(" ");
    };
    const header = columns.flatMap((column) => head[column].dataset.keys.split(" "));
    const body = of.map((line) => columns.flatMap((column) => exact(line, column)));
    return [header, ...body].map((cells) => cells.map(quoted).join(",")).join("\n") + "\n";
  };

  const markdownText = (value) => value.replace(/[\\`*_{}[\]<>#|~&]/g, "\\$&");
  // A pipe ends a cell even within code, where a backslash before it is understood; longer fences hold backticks.
  const markdownCode = (value) => {
    const fence = "`".repeat(1 + Math.max(0, ...(value.match(/`+/g) || []).map((run) => run.length)));
    const pad = value.includes("`") ? " " : "";
    return fence + pad + value.replaceAll("|", "\\|") + pad + fence;
  };

  const markdown = (columns, of) => {
    const row = (cells) => `| ${cells.join(" | ")} |`;
    const rule = columns.map((column) => (head[column].dataset.kind === "number" ? "---:" : "---"));
    const cell = (line, column) => {
      const value = text(line.cells[column]);
      return head[column].dataset.kind === "label" ? markdownCode(value) : markdownText(value);
    };
    const body = of.map((line) => row(columns.map((column) => cell(line, column))));
    return [row(columns.map((column) => markdownText(text(head[column])))), row(rule), ...body].join("\n") + "\n";
  };

  const special = {
    "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
    "<": "\\textless{}", ">": "\\textgreater{}", "|": "\\textbar{}", '"': "\\textquotedbl{}",
    "–": "--", "−": "\\ensuremath{-}", "µ": "\\textmu{}", "×": "\\ensuremath{\\times}", "\u202f": "\\,",
  };
  const latexText = (value) => value.replace(/[\\~^<>|"–−µ×\u202f&%$#_{}]/g, (sign) => special[sign] ?? `\\${sign}`);

  const latex = (columns, of) => {
    const sides = columns.map((column) => (head[column].dataset.kind === "number" ? "r" : "l")).join("");
    // A line that begins with a bracket or a star would be an argument of the \\ before it.
    const row = (cells) => `${/^[[*]/.test(cells[0]) ? "{}" : ""}${cells.join(" & ")} \\\\`;
    const cell = (line, column) => {
      const value = latexText(text(line.cells[column]));
      return head[column].dataset.kind === "label" ? `\\texttt{${value}}` : value;
    };
    return [
      "% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}",
      `\\begin{tabular}{${sides}}`,
      "\\toprule",
      row(columns.map((column) => latexText(text(head[column])))),
      "\\midrule",
      ...of.map((line) => row(columns.map((column) => cell(line, column)))),
      "\\bottomrule",
      "\\end{tabular}",
    ].join("\n") + "\n";
  };

  const formats = { csv, markdown, latex };
  const byHand = controls.querySelector(".byhand");
  for (const button of controls.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const of = shownLines();
      const copied = formats[button.dataset.copy](shownColumns(), of);
      const said = `${of.length} ${of.length === 1 ? "line" : "lines"} as ${text(button)}`;
      try {
        await navigator.clipboard.writeText(copied);
        byHand.hidden = true;
        place("said").textContent = `copied ${said}`;
      } catch {
        byHand.hidden = false;
        const area = byHand.querySelector("textarea");
        area.value = copied;
        area.select();
        place("said").textContent = `the browser does not let this page copy: ${said} are below`;
      }
    });
  }

  controls.hidden = false;
  choose();
})();
