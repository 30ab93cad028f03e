// Searches, filters, sorts and exports the people of the page. Without it the page has the whole table.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const CELLS = {TF: "right and fair", TB: "right, but others alike are decided otherwise",
    FF: "wrong for everyone alike", FB: "wrong, and others alike are decided otherwise"};
  const PAGE = {table: matchMedia("(max-width: 48rem)").matches ? 10 : 25, cards: 9};
  const state = {page: 0, key: null, down: false};

  // Places of an instance: decision, cell, dissent, change, changed values, flip, worst.
  const DECISION = 0, CELL = 1, DISSENT = 2, MOVE = 3, CHANGED = 4, FLIP = 5, WORST = 6;
  const people = data.people.map(([row, label, groups, values, [proved, broken], instances], at) =>
    ({at, row, label, groups, values, proved, broken, instances}));

  const value = (place) => data.values[place];
  function shown(place, feature) {
    const found = value(place);
    if (found === null) return "missing";
    const unit = feature && feature.unit ? " " + feature.unit : "";
    if (typeof found !== "number") return found + unit;
    const text = Math.abs(found) >= 1e4 ? found.toLocaleString("en", {maximumFractionDigits: 3})
      : short(found);
    return text + unit;
  }
  function short(number) { return String(Number(number.toPrecision(6))); }
  function percent(share) {
    if (share > 0 && share <= 0.005) return "under 1 %";
    return share >= 0.995 && share < 1 ? "over 99 %" : Math.round(100 * share) + " %";
  }
  const who = (person) => data.features.flatMap((feature, at) =>
    feature.sensitive ? [shown(person.values[at], feature)] : []).join(" · ");
  function holds(person) {
    if (person.broken === 0) return "already broken";
    const parts = [];
    if (person.proved !== null) parts.push("proved up to " + short(person.proved));
    if (person.broken !== null) parts.push("broken at " + short(person.broken));
    return parts.join(", ") || "undecided";
  }
  const stageName = (stage) => stage.stage === "clean" ? "none" : stage.attack + (stage.stage === "repaired" ? ", repaired" : "");
  const current = () => Number(byId("f-stage").value);
  const instance = (person) => person.instances[current()];
  // Numbers before text, and text by the rules of the reader's language.
  function compare(one, other) {
    if (typeof one === "number" && typeof other === "number") return one - other;
    if (typeof one === "number") return -1;
    if (typeof other === "number") return 1;
    return String(one).localeCompare(String(other), undefined, {numeric: true});
  }

  const stageText = () => current() === 0 ? "no attack" : stageName(data.stages[current()]);
  const COLUMNS = [
    {head: () => "row", text: (p) => p.row, key: (p) => isNaN(p.row) ? p.row : Number(p.row)},
    {head: () => data.attributes.map((a) => a.name).join(", "), text: who},
    {head: () => "truth", text: (p) => shown(p.label)},
    {head: () => "decision", text: (p) => shown(p.instances[0][DECISION])},
    {head: () => "cell", text: (p) => p.instances[0][CELL], cell: true},
    {head: () => "decision under " + stageText(), text: (p) => shown(instance(p)[DECISION])},
    {head: () => "cell under " + stageText(), text: (p) => instance(p)[CELL], cell: true},
    {head: () => "others decided otherwise", number: true, key: (p) => instance(p)[DISSENT],
      text: (p) => percent(instance(p)[DISSENT])},
    {head: () => "change", number: true, key: (p) => instance(p)[MOVE], text: (p) => instance(p)[MOVE].toFixed(3)},
    {head: () => "R-AF", number: true, text: holds,
      key: (p) => p.broken === 0 ? -1 : (p.proved === null ? 0 : p.proved) + (p.broken === null ? 1 : p.broken) / 1000},
  ];

  function element(tag, text, attributes) {
    const made = document.createElement(tag);
    if (text !== undefined && text !== null) made.textContent = text;
    for (const [name, content] of Object.entries(attributes || {})) made.setAttribute(name, content);
    return made;
  }
  function badge(cell) {
    return element("span", cell, {class: "cell " + cell, title: CELLS[cell]});
  }
  function choices(id, options) {
    byId(id).replaceChildren(...options.map(([content, text]) => element("option", text, {value: content})));
  }

  function listed(pairs, from) {
    return pairs.map(([at, place]) => {
      const feature = data.features[at];
      return feature.name + " " + shown(from[at], feature) + " → " + shown(place, feature);
    }).join(" · ");
  }
  function counterpart(found, person, changed) {
    const values = person.values.slice();
    for (const [at, place] of changed) values[at] = place;
    return (listed(found[1], values) || "the person as they are") + ": " + shown(found[0]);
  }
  function card(person, level) {
    const before = person.instances[0], after = instance(person);
    const made = element("article", null, {class: "card"});
    const title = element(level, "Test row " + person.row + " ");
    title.append(badge(before[CELL]));
    if (current()) title.append(" → ", badge(after[CELL]));
    const list = element("dl");
    const add = (name, text) => list.append(element("dt", name), element("dd", text));
    add("Person", data.features.map((f, at) => f.name + " " + shown(person.values[at], f)).join(" · "));
    if (current()) add("Change", listed(after[CHANGED], person.values) || "nothing that shows as another value");
    add("Decisions", "truth " + shown(person.label) + " · before " + shown(before[DECISION]) +
      (current() ? " · after " + shown(after[DECISION]) : ""));
    add("Flips with", after[FLIP] ? counterpart(after[FLIP], person, after[CHANGED]) + " (" +
      percent(after[DISSENT]) + " of the counterparts are decided otherwise)" : "no sensitive change");
    add("Worst counterpart", after[WORST] ? counterpart(after[WORST], person, after[CHANGED]) : "nobody else is comparable");
    add("R-AF", holds(person));
    made.append(title, list);
    return made;
  }

  const texts = people.map((person) => [person.row, shown(person.label),
    ...person.values.map((place, at) => data.features[at].name + " " + shown(place, data.features[at])),
    ...person.instances.map((found) => shown(found[DECISION]))].join("\n").toLocaleLowerCase());
  function selected() {
    const words = byId("f-text").value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    const before = byId("f-before").value, cell = byId("f-cell").value;
    const [attribute, level] = byId("f-group").value.split(":").map(Number);
    const found = people.filter((person) =>
      (!before || person.instances[0][CELL] === before) && (!cell || instance(person)[CELL] === cell) &&
      (!byId("f-group").value || person.groups[attribute] === level) &&
      words.every((word) => texts[person.at].includes(word)));
    if (state.key !== null) {
      const column = COLUMNS[state.key], key = column.key || column.text;
      found.sort((one, other) => (state.down ? -1 : 1) * compare(key(one), key(other)) || one.at - other.at);
    }
    return found;
  }

  function row(person) {
    const made = element("tr");
    COLUMNS.forEach((column, at) => {
      const cell = element(at ? "td" : "th", null, at ? {"data-head": column.head()} : {scope: "row"});
      if (!column.number) cell.classList.add("text");
      if (column.cell) cell.append(badge(column.text(person)));
      else if (at) cell.textContent = column.text(person);
      else {
        const button = element("button", column.text(person), {type: "button", "aria-expanded": "false",
          "aria-label": "Test row " + person.row + ", the whole person"});
        button.addEventListener("click", () => toggle(button, made, person));
        cell.append(button);
      }
      made.append(cell);
    });
    return made;
  }
  function toggle(button, below, person) {
    const open = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!open));
    if (open) { below.nextSibling.remove(); return; }
    const wide = element("tr"), cell = element("td", null, {colspan: COLUMNS.length, class: "opened"});
    cell.append(card(person, "h4"));
    wide.append(cell);
    below.after(wide);
  }

  function heads() {
    return COLUMNS.map((column, at) => {
      const sorted = state.key === at ? (state.down ? "descending" : "ascending") : "none";
      const made = element("th", null, {scope: "col", "aria-sort": sorted});
      if (!column.number) made.classList.add("text");
      const button = element("button", column.head(), {type: "button"});
      button.addEventListener("click", () => {
        sortBy(at, state.key === at ? !state.down : false);
        byId("everyone-table").tHead.rows[0].cells[at].firstChild.focus();
      });
      made.append(button);
      return made;
    });
  }
  function sortBy(key, down) {
    state.key = key;
    state.down = down;
    byId("f-sort").value = key === null ? "" : key + (down ? ":down" : ":up");
    show();
  }

  function show(page) {
    state.page = page || 0;
    const found = selected(), view = byId("f-view").value, size = PAGE[view];
    const first = state.page * size, part = found.slice(first, first + size);
    const table = byId("everyone-table"), cards = byId("everyone-cards");
    table.hidden = view !== "table";
    cards.hidden = view !== "cards";
    table.tHead.rows[0].replaceChildren(...heads());
    table.tBodies[0].replaceChildren(...(view === "table" ? part.map(row) : []));
    cards.replaceChildren(...(view === "cards" ? part.map((person) => card(person, "h4")) : []));
    const range = found.length > size ? ", " + (first + 1) + " to " + (first + part.length) : "";
    byId("count").textContent = found.length + " of " + people.length + " people" + range + ", under " + stageText();
    byId("earlier").disabled = state.page === 0;
    byId("later").disabled = first + size >= found.length;
  }

  // A spreadsheet takes text that begins so for a formula.
  const FORMULA = /^[=+\-@\t\r]/;
  function quoted(text) {
    if (typeof text === "number") return String(text);
    const plain = text === null || text === undefined ? "" : String(text);
    return '"' + (FORMULA.test(plain) ? "'" : "") .concat(plain.replaceAll('"', '""')) + '"';
  }
  function csv() {
    const names = data.features.map((feature) => feature.name);
    const sensitive = data.features.flatMap((feature, at) => feature.sensitive ? [at] : []);
    const head = ["row", "truth", "decision", "cell", "attack", "decision_attacked", "cell_attacked", "dissenting", "change",
      "proved_up_to", "broken_at", ...names, ...names.map((name) => "attacked_" + name),
      "flip_decision", ...sensitive.map((at) => "flip_" + names[at])];
    const lines = selected().map((person) => {
      const after = instance(person), changed = person.values.slice();
      for (const [at, place] of after[CHANGED]) changed[at] = place;
      const flip = changed.slice();
      for (const [at, place] of after[FLIP] ? after[FLIP][1] : []) flip[at] = place;
      return [person.row, value(person.label), value(person.instances[0][DECISION]), person.instances[0][CELL],
        stageName(data.stages[current()]), value(after[DECISION]), after[CELL], after[DISSENT], after[MOVE],
        person.proved, person.broken, ...person.values.map(value), ...changed.map(value),
        after[FLIP] ? value(after[FLIP][0]) : null, ...sensitive.map((at) => after[FLIP] ? value(flip[at]) : null)];
    });
    return [head, ...lines].map((line) => line.map(quoted).join(",")).join("\r\n") + "\r\n";
  }
  function save() {
    const address = URL.createObjectURL(new Blob(["\ufeff", csv()], {type: "text/csv;charset=utf-8"}));
    const link = element("a", null, {href: address, download: "people.csv"});
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  function start() {
    choices("f-stage", data.stages.map((stage, at) => [at, stageName(stage)]));
    byId("f-stage").value = data.shown;
    const cells = [["", "any"], ...Object.entries(CELLS).map(([cell, meaning]) => [cell, cell + ", " + meaning])];
    choices("f-before", cells);
    choices("f-cell", cells);
    choices("f-group", [["", "all"], ...data.attributes.flatMap((attribute, at) =>
      attribute.levels.map((level, place) => [at + ":" + place, attribute.name + " " + level]))]);
    choices("f-sort", [["", "as in the data"], ...COLUMNS.flatMap((column, at) =>
      [[at + ":up", column.head() + " ↑"], [at + ":down", column.head() + " ↓"]])]);
    for (const id of ["f-stage", "f-before", "f-cell", "f-group", "f-view"]) byId(id).addEventListener("change", () => show());
    byId("f-text").addEventListener("input", () => show());
    byId("f-sort").addEventListener("change", (event) => {
      const [key, way] = event.target.value.split(":");
      sortBy(key === "" ? null : Number(key), way === "down");
    });
    byId("export").addEventListener("click", save);
    byId("controls").addEventListener("submit", (event) => event.preventDefault());
    for (const [id, text, step] of [["earlier", "Previous", -1], ["later", "Next", 1]]) {
      const button = element("button", text, {type: "button", id});
      button.addEventListener("click", () => show(state.page + step));
      byId("pages").append(button);
    }
    byId("controls").hidden = false;
    show();
  }
  start();
})();
