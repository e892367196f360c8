// The client of the interop tests: npm graphql-ws and graphql, over ws and Node's own fetch, none of them ours, asking a server of ours.
//
//   node client.mjs SCHEMA_FILE URL API_KEY
//
// It takes questions as lines of JSON on stdin, one after the other, and answers each by one line on stdout; what a subscription
// brings comes between them. It ends with its stdin.
//
//   {over, kind, field, args}   asks for a root field with everything below it, over "http" or "ws"; a subscription goes over "ws",
//                               and is answered once it stands, as {}
//   {over, query, variables}    asks for just that
//   {unasked: true}             answers {unasked}: the fields of the schema, as Type.field, that no document asked for
//
// An answer is {data, errors, status, empty, wrong}, what a subscription brings {event: field, data, errors, empty, wrong}. The first
// line is {fields}: the root fields by kind.
//
// It writes the documents itself, from the schema, and holds what it hears against the schema; wrong is what graphql says of either.
// empty says that there is no data where the schema has an object.

import assert from "node:assert";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import {
  buildSchema,
  execute,
  getNamedType,
  isCompositeType,
  isObjectType,
  isUnionType,
  parse,
  TypeInfo,
  validate,
  visit,
  visitWithTypeInfo,
} from "graphql";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";

const [, , schemaFile, url, apiKey] = process.argv;
const schema = buildSchema(readFileSync(schemaFile, "utf8"));
const roots = {
  query: schema.getQueryType(),
  mutation: schema.getMutationType(),
  subscription: schema.getSubscriptionType(),
};

// How graphql completes a value of a scalar of Stigg's own.
schema.getType("DateTime").serialize = (value) => {
  if (typeof value !== "string" || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value) || isNaN(Date.parse(value)))
    throw new TypeError(`not a DateTime: ${JSON.stringify(value)}`);
  return value;
};

const tell = (line) => process.stdout.write(JSON.stringify(line) + "\n");

// How deep a selection goes: types point at each other, and each level more doubles the text.
const depth = 4;

// all selects everything below a type. Members of a union may have fields of one name and different types; those are renamed.
function all(type, depth) {
  const named = getNamedType(type);
  if (isUnionType(named)) {
    const members = named.getTypes();
    const conflicts = (field) => new Set(members.flatMap((m) => m.getFields()[field.name]?.type.toString() ?? [])).size > 1;
    return `{ __typename ${members.map((m) => `... on ${m.name} ${fields(m, depth, (f) => (conflicts(f) ? `${m.name}_` : ""))}`).join(" ")} }`;
  }
  return isObjectType(named) ? fields(named, depth, () => "") : "";
}

function fields(type, depth, prefix) {
  const list = Object.values(type.getFields())
    .filter((f) => depth > 0 || !isCompositeType(getNamedType(f.type)))
    .map((f) => `${prefix(f) && `${prefix(f)}${f.name}: `}${f.name} ${all(f.type, depth - 1)}`);
  return `{ __typename ${list.join(" ")} }`;
}

const selections = new Map(); // what is below a root field, once it has been validated
const asked = new Set(); // the fields, as Type.field, that documents have asked for

// write makes the document of a question, and returns what graphql has against it: of the whole of it when it is the first for its
// field, of the arguments alone after that.
function write(question) {
  const { kind, field, args = "" } = question;
  const { type } = roots[kind].getFields()[field];
  const known = selections.get(field);
  const selection = known ?? all(type, depth);
  question.query = `${kind} { ${field}${args} ${selection} }`;
  question.document = parse(question.query);
  const wrong = validate(schema, known ? parse(`${kind} { ${field}${args} { __typename } }`) : question.document);
  if (known === undefined && wrong.length === 0) {
    selections.set(field, selection);
    const types = new TypeInfo(schema);
    visit(question.document, visitWithTypeInfo(types, { Field: () => void asked.add(`${types.getParentType().name}.${types.getFieldDef().name}`) }));
  }
  return wrong.map((e) => e.message);
}

// misfits holds data against the schema, by having graphql answer the document out of it: that refuses what is null and must not be,
// enums, unions and scalars that are not what the schema says, and leaves out whatever was not asked for.
function misfits(document, data, variableValues) {
  const result = execute({
    schema,
    document,
    variableValues,
    rootValue: data,
    fieldResolver: (source, _args, _context, info) => source[info.path.key],
    typeResolver: (value) => value.__typename,
  });
  if (result.errors) return result.errors.map((e) => `${e.path?.join(".")}: ${e.message}`);
  try {
    assert.deepStrictEqual(JSON.parse(JSON.stringify(data)), JSON.parse(JSON.stringify(result.data)));
  } catch (e) {
    return [e.message];
  }
  return [];
}

// heard is what came for a question, held against the schema unless it has errors of its own.
function heard({ kind, field, document, variables }, { data, errors }) {
  if (!field || !data || errors) return { data, errors };
  const object = isCompositeType(getNamedType(roots[kind].getFields()[field].type));
  return { data, empty: object && data[field] == null, wrong: misfits(document, data, variables) };
}

async function overHTTP({ query, variables }) {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-API-KEY": apiKey },
    body: JSON.stringify({ query, variables }),
  });
  return { status: response.status, ...(await response.json()) };
}

let client;
const socket = () =>
  (client ??= createClient({
    url: `${url.replace("http", "ws")}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { headers: { "X-API-KEY": apiKey } },
    lazy: false, // one socket for all that is asked
    retryAttempts: 0,
    onNonLazyError: () => {}, // whoever asks is told as well
  }));

// failure is what graphql-ws says of an operation that it has no answer to: the errors the server sent, or why the socket ended.
const failure = (reason) => ({ errors: Array.isArray(reason) ? reason : [{ message: `the socket: ${reason.code ?? ""} ${reason.reason ?? reason.message}` }] });

const overSocket = ({ query, variables }) =>
  new Promise((resolve) => {
    let answer = { errors: [{ message: "complete, and no answer came" }] };
    socket().subscribe(
      { query, variables },
      { next: (result) => (answer = result), error: (reason) => resolve(failure(reason)), complete: () => resolve(answer) },
    );
  });

// The server has a subscription before it reads what comes after it on the socket.
async function subscribe(question) {
  const tellEvent = (what) => tell({ event: question.field, ...what });
  socket().subscribe(
    { query: question.query },
    {
      next: (result) => tellEvent(heard(question, result)),
      error: (reason) => tellEvent(failure(reason)),
      complete: () => tellEvent({ errors: [{ message: "complete, and nobody asked for that" }] }),
    },
  );
  const { errors } = await overSocket({ query: "{ __typename }" });
  return { errors };
}

async function answer(question) {
  if (question.unasked) {
    const types = Object.values(schema.getTypeMap()).filter((t) => isObjectType(t) && !t.name.startsWith("__"));
    return { unasked: types.flatMap((t) => Object.keys(t.getFields()).map((f) => `${t.name}.${f}`)).filter((f) => !asked.has(f)) };
  }
  if (question.field) {
    const wrong = write(question);
    if (wrong.length > 0) return { wrong };
    if (question.kind === "subscription") return subscribe(question);
  }
  const result = await (question.over === "ws" ? overSocket : overHTTP)(question);
  return { status: result.status, ...heard(question, result) };
}

tell({ fields: Object.fromEntries(Object.entries(roots).map(([kind, type]) => [kind, Object.keys(type.getFields())])) });
for await (const line of createInterface({ input: process.stdin })) {
  tell(await answer(JSON.parse(line)).catch((e) => ({ errors: [{ message: `client.mjs: ${e.stack}` }] })));
}
process.exit();
