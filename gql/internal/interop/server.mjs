// The server of the interop tests: npm graphql-ws, graphql and ws, none of them ours, serving Stigg's schema.
//
//   node server.mjs SCHEMA_FILE
//
// One process serves every test, each on a stage of its own: http://127.0.0.1:PORT/STAGE/graphql, for HTTP and WebSocket. A test
// tells it what to do by lines of JSON on stdin, and learns what it saw by lines of JSON on stdout. It ends with its stdin.
//
// What the packages do by themselves is left to them; a command says so where it goes past them.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { buildSchema, graphql, GraphQLError } from "graphql";
import { MessageType, stringifyMessage } from "graphql-ws";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";

const schema = buildSchema(readFileSync(process.argv[2], "utf8"));
const subscriptions = Object.keys(schema.getSubscriptionType().getFields());
const stages = new Map();

console.error = () => {}; // graphql-ws logs what it also tells the client; a crash is reported all the same

const tell = (happening) => process.stdout.write(JSON.stringify(happening) + "\n");

// Feed is the source of one subscription. Not a generator: return has to end a next that waits.
class Feed {
  #steps = []; // promises not yet taken
  #waiting = []; // of those who took next before there was a step
  #onEnd;
  constructor(onEnd) {
    this.#onEnd = onEnd;
  }
  #step(promise) {
    const resolve = this.#waiting.shift();
    if (resolve) resolve(promise);
    else this.#steps.push(promise);
  }
  push(value) {
    this.#step(Promise.resolve({ value, done: false }));
  }
  fail(message) {
    const promise = Promise.reject(new Error(message));
    promise.catch(() => {}); // it is handled by whoever takes it
    this.#step(promise);
  }
  next() {
    return this.#steps.shift() ?? new Promise((resolve) => this.#waiting.push(resolve));
  }
  return() {
    this.#onEnd(this);
    this.#step(Promise.resolve({ value: undefined, done: true }));
    return Promise.resolve({ value: undefined, done: true });
  }
  [Symbol.asyncIterator]() {
    return this;
  }
}

// Stage is what one test plays on.
class Stage {
  feeds = new Map(subscriptions.map((field) => [field, new Set()]));
  sockets = new Set();
  states = {}; // entitlementsState by customer

  // apiKey is the one that is accepted. init is how connection_init is answered: "ack", "wait" (for the command ack), "refuse".
  // source is when a subscription's source is there: "now", or "wait" (for the command ready), as when a broker has to be asked.
  // refusals are errors to answer an operation with, by its name. upgrade answers the upgrade with that HTTP status instead.
  constructor(name, { apiKey, init = "ack", source = "now", refusals = {}, upgrade, retryAfter, keepAlive = 0 }) {
    Object.assign(this, { name, apiKey, init, source, refusals, upgrade, retryAfter, keepAlive });
    this.acked = new Promise((resolve) => (this.ack = resolve));
    this.isReady = new Promise((resolve) => (this.ready = resolve));
    this.listen();
  }

  listen() {
    this.listener = new WebSocketServer({ noServer: true });
    this.listener.on("connection", (socket, request) => this.watch(socket, request));
    const source = (field) => (this.source === "wait" ? this.isReady.then(() => this.open(field)) : this.open(field));
    const roots = { subscription: Object.fromEntries(subscriptions.map((field) => [field, () => source(field)])) };
    this.server = useServer(
      {
        schema,
        roots,
        onConnect: (ctx) => this.admit(ctx.connectionParams),
        onSubscribe: (_, id, { operationName }) =>
          this.refusals[operationName]?.map(({ message, ...rest }) => new GraphQLError(message, rest)),
      },
      this.listener,
      this.keepAlive,
    );
  }

  tell(saw, more) {
    tell({ stage: this.name, saw, ...more });
  }

  watch(socket, request) {
    this.sockets.add(socket);
    socket.tcp = request.socket;
    this.tell("connection", { headers: request.headers });
    socket.on("message", (data) => {
      const { type, id, payload } = JSON.parse(data);
      this.tell(type, { id, payload });
    });
    socket.on("pong", (data) => this.tell("control pong", { text: String(data) }));
    socket.on("close", (code, reason) => {
      this.sockets.delete(socket);
      this.tell("close", { code, text: String(reason) });
    });
  }

  async admit(params) {
    if (params?.headers?.["X-API-KEY"] !== this.apiKey) throw new Error("Invalid API key");
    if (this.init === "wait") await this.acked;
    return this.init !== "refuse";
  }

  open(field) {
    const feed = new Feed(() => {
      if (this.feeds.get(field).delete(feed)) this.tell("feed end", { text: field });
    });
    this.feeds.get(field).add(feed);
    this.tell("feed", { text: field });
    return feed;
  }

  // answer is GraphQL over HTTP.
  async answer(request, response) {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const { query, variables, operationName } = JSON.parse(body);
    const refused = request.headers["x-api-key"] !== this.apiKey;
    const rootValue = {
      entitlementsState: (args) => this.states[args.query.customerId] ?? { accessDeniedReason: "CustomerNotFound" },
    };
    const result = refused
      ? { errors: [{ message: "no", extensions: { code: "Unauthenticated" } }] }
      : await graphql({ schema, source: query, variableValues: variables, operationName, rootValue });
    this.tell("request", { text: operationName });
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(result));
  }
}

// commands are what a test may ask of its stage.
const commands = {
  ack: (stage) => stage.ack(),
  ready: (stage) => stage.ready(),
  rekey: (stage, { apiKey }) => void (stage.apiKey = apiKey),
  state: (stage, { customer, value }) => void (stage.states[customer] = value),
  publish: (stage, { field, value }) => stage.feeds.get(field).forEach((feed) => feed.push({ [field]: value })),
  fail: (stage, { field, message }) => stage.feeds.get(field).forEach((feed) => feed.fail(message)),
  complete: (stage, { field }) => stage.feeds.get(field).forEach((feed) => feed.return()),
  // As useServer's own keepalive does, at a moment of the test's choosing.
  controlPing: (stage, { data }) => stage.sockets.forEach((socket) => socket.ping(data)),
  // graphql-ws has no way to make a server ping; its own words are used for it.
  ping: (stage, { payload }) => stage.sockets.forEach((socket) => socket.send(stringifyMessage({ type: MessageType.Ping, payload }))),
  close: (stage, { code, reason }) => stage.sockets.forEach((socket) => socket.close(code, reason)),
  // graphql-ws's own way out, and a new server in the place of the old one.
  restart: (stage) => {
    stage.server.dispose();
    stage.listen();
  },
  terminate: (stage) => stage.sockets.forEach((socket) => socket.terminate()),
  reset: (stage) => stage.sockets.forEach((socket) => socket.tcp.resetAndDestroy()),
  // The half-open connection: nothing is read, nothing is said.
  freeze: (stage) => stage.sockets.forEach((socket) => socket.pause()),
  // One message in several WebSocket frames with a ping between them.
  fragments: (stage, { parts }) =>
    stage.sockets.forEach((socket) =>
      parts.forEach((part, i) => {
        socket.send(part, { fin: i === parts.length - 1 });
        socket.ping();
      }),
    ),
};

const stageOf = ({ url }) => stages.get(url.split("/")[1]);

const http = createServer((request, response) => {
  const stage = stageOf(request);
  if (stage) stage.answer(request, response);
  else response.writeHead(404).end();
});

http.on("upgrade", (request, socket, head) => {
  const stage = stageOf(request);
  if (!stage || stage.upgrade) {
    const retry = stage?.retryAfter ? `Retry-After: ${stage.retryAfter}\r\n` : "";
    socket.end(`HTTP/1.1 ${stage?.upgrade ?? 404} No\r\n${retry}Content-Length: 0\r\nConnection: close\r\n\r\n`);
    return;
  }
  stage.listener.handleUpgrade(request, socket, head, (ws) => stage.listener.emit("connection", ws, request));
});

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { stage: name, command, ...args } = JSON.parse(line);
    if (command === "open") stages.set(name, new Stage(name, args));
    else commands[command](stages.get(name), args);
    tell({ stage: name, saw: "command" });
  })
  .on("close", () => process.exit());

http.listen(0, "127.0.0.1", () => tell({ port: http.address().port }));
