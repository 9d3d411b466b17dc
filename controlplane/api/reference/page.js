"use strict";

/** An element with text or children; text is never read as HTML. */
function el(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const nameOf = (ref) => ref.split("/").pop();

/** What a schema is, in a few words; names of others are links. */
function kind(schema) {
  if (!schema) return document.createTextNode("anything");
  if (schema.$ref) return el("a", { href: `#schema-${nameOf(schema.$ref)}` }, nameOf(schema.$ref));
  const several = schema.anyOf || schema.oneOf || schema.allOf;
  if (several) return el("span", {}, ...several.flatMap((one, place) => (place ? [" or ", kind(one)] : [kind(one)])));
  if (schema.enum) return document.createTextNode(schema.enum.map((one) => JSON.stringify(one)).join(", "));
  if (schema.const !== undefined) return document.createTextNode(JSON.stringify(schema.const));
  if (schema.type === "array") return el("span", {}, "list of ", kind(schema.items));
  const said = ["format", "pattern", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "minLength", "maxLength", "default"];
  const limits = said.filter((key) => schema[key] !== undefined).map((key) => `${key} ${JSON.stringify(schema[key])}`);
  return document.createTextNode([schema.type || "anything", ...limits].join(", "));
}

const row = (...cells) => el("tr", {}, ...cells.map((cell) => el("td", {}, cell)));

function fields(schema) {
  const required = new Set(schema.required || []);
  const rows = Object.entries(schema.properties || {}).map(([name, one]) =>
    row(el("code", {}, name + (required.has(name) ? " *" : "")), kind(one), one.description || ""),
  );
  return rows.length ? el("table", {}, ...rows) : el("p", {}, kind(schema));
}

function parameters(operation) {
  const rows = (operation.parameters || []).map((one) =>
    row(el("code", {}, one.name + (one.required ? " *" : "")), one.in, kind(one.schema), one.description || ""),
  );
  return rows.length ? el("table", {}, ...rows) : null;
}

function exampleOf(content, schemas) {
  if (content.example) return content.example;
  const find = (schema) => {
    if (!schema) return undefined;
    const whole = schema.$ref ? schemas[nameOf(schema.$ref)] : schema;
    if (whole.examples) return whole.examples[0];
    return (whole.oneOf || whole.anyOf || []).map(find).find((one) => one !== undefined);
  };
  return find(content.schema);
}

function curl(method, path, operation, example) {
  const lines = [`curl -sS -H "Authorization: Bearer $TOKEN" "${location.origin}${path}"`];
  if (method !== "get") lines.push(`-X ${method.toUpperCase()}`);
  if ((operation.parameters || []).some((one) => one.name === "if-match") && operation.responses["428"]) lines.push(`-H 'If-Match: "1"'`);
  if (example !== undefined) lines.push(`-H 'Content-Type: application/json'`, `-d '${JSON.stringify(example).replaceAll("'", "'\\''")}'`);
  return el("pre", {}, lines.join(" \\\n  "));
}

function shown(method, path, operation, schemas) {
  const content = ((operation.requestBody || {}).content || {})["application/json"];
  const example = content && exampleOf(content, schemas);
  const answers = Object.entries(operation.responses).map(([status, one]) => {
    const body = ((one.content || {})["application/json"] || {}).schema;
    return row(el("code", {}, status), one.description || "", body ? kind(body) : "");
  });
  return el(
    "details",
    { "data-words": `${method} ${path} ${operation.description || ""}`.toLowerCase() },
    el("summary", {}, el("span", { class: "method" }, method.toUpperCase()), el("span", { class: "path" }, path)),
    el("p", {}, operation.description || operation.summary || ""),
    parameters(operation),
    content ? el("p", {}, "Body: ", kind(content.schema)) : null,
    content && content.schema && content.schema.properties ? fields(content.schema) : null,
    curl(method, path, operation, example),
    el("table", {}, ...answers),
  );
}

async function show() {
  const answer = await fetch("/openapi.json");
  const api = await answer.json();
  const schemas = api.components.schemas;
  document.getElementById("about").textContent = `${api.info.description} Version ${api.info.version}.`;
  const byTag = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const tag = (operation.tags || ["other"])[0];
      byTag.set(tag, [...(byTag.get(tag) || []), shown(method, path, operation, schemas)]);
    }
  }
  const all = [...byTag].map(([tag, made]) => el("section", {}, el("h2", {}, tag), ...made));
  document.getElementById("operations").replaceChildren(...all);
  const bodies = Object.entries(schemas).map(([name, schema]) =>
    el("details", { id: `schema-${name}` }, el("summary", {}, el("code", {}, name)), el("p", {}, schema.description || ""), fields(schema)),
  );
  document.getElementById("schemas").replaceChildren(...bodies);
}

function openTheLinked() {
  const found = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (found && found.tagName === "DETAILS") {
    found.open = true;
    found.scrollIntoView();
  }
}

document.getElementById("find").addEventListener("input", (event) => {
  const word = event.target.value.trim().toLowerCase();
  for (const one of document.querySelectorAll("#operations details")) one.hidden = !one.dataset.words.includes(word);
  for (const one of document.querySelectorAll("#operations section")) one.hidden = !one.querySelector("details:not([hidden])");
});
window.addEventListener("hashchange", openTheLinked);
show()
  .then(openTheLinked)
  .catch((error) => {
    document.getElementById("operations").textContent = `The document could not be read: ${error}`;
  });
