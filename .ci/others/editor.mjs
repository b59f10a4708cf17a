// Checks completion, hover and diagnostics of the YAML language server with the schema of flowbind.
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import assert from "node:assert/strict";

const server = spawn("node", ["node_modules/yaml-language-server/bin/yaml-language-server", "--stdio"], {
  stdio: ["pipe", "pipe", "inherit"],
});
const schema = pathToFileURL(resolve(process.argv[2])).href;
const settings = { yaml: { validate: true, hover: true, completion: true } };
const pending = new Map();
const diagnostics = new Map();
let buffer = Buffer.alloc(0);
let id = 0;

function send(message) {
  const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }));
  server.stdin.write(`Content-Length: ${body.length}\r\n\r\n`);
  server.stdin.write(body);
}
const request = (method, params) =>
  new Promise((done) => {
    pending.set(++id, done);
    send({ id, method, params });
  });

server.stdout.on("data", (chunk) => {
  buffer = Buffer.concat([buffer, chunk]);
  for (;;) {
    const end = buffer.indexOf("\r\n\r\n");
    if (end < 0) return;
    const length = Number(/Content-Length: (\d+)/i.exec(buffer.subarray(0, end).toString())[1]);
    if (buffer.length < end + 4 + length) return;
    const message = JSON.parse(buffer.subarray(end + 4, end + 4 + length).toString());
    buffer = buffer.subarray(end + 4 + length);
    if (message.method === "textDocument/publishDiagnostics") {
      diagnostics.get(message.params.uri)?.(message.params.diagnostics);
    } else if (message.method && message.id !== undefined) {
      const items = message.params?.items?.map(({ section }) => settings[section] ?? {});
      send({ id: message.id, result: message.method === "workspace/configuration" ? items : null });
    } else if (pending.has(message.id)) {
      pending.get(message.id)(message.result);
      pending.delete(message.id);
    }
  }
});

await request("initialize", {
  processId: process.pid,
  rootUri: null,
  capabilities: { textDocument: { completion: { completionItem: { documentationFormat: ["markdown"] } } } },
});
send({ method: "initialized", params: {} });
send({ method: "workspace/didChangeConfiguration", params: { settings } });

// The first line of a file names the schema. Line numbers below count from 0 after it.
let files = 0;
async function open(body) {
  const text = `# yaml-language-server: $schema=${schema}\n${body}`;
  const uri = `file:///desired-${++files}.yaml`;
  const published = new Promise((done) => diagnostics.set(uri, done));
  send({ method: "textDocument/didOpen", params: { textDocument: { uri, languageId: "yaml", version: 1, text } } });
  return { uri, diagnostics: await published };
}
const at = (uri, line, character) => ({ textDocument: { uri }, position: { line: line + 1, character } });

const good = await open("version: 1\ntenant: contoso.onmicrosoft.com\nflows:\n  B2C_1_a:\n    postFederationSignup: null\n");
assert.deepEqual(good.diagnostics, []);

const unknownKey = await open("version: 1\ntenant: contoso.onmicrosoft.com\nguard: {}\nflows: {}\n");
assert.match(unknownKey.diagnostics.map((it) => it.message).join(), /guard/);

const hover = await request("textDocument/hover", at(good.uri, 1, 2));
assert.match(JSON.stringify(hover), /domain/i, "hover explains a key");

const empty = await open("version: 1\ntenant: contoso.onmicrosoft.com\n\n");
const keys = await request("textDocument/completion", at(empty.uri, 2, 0));
const labels = (keys.items ?? keys).map((it) => it.label);
for (const key of ["flows", "connectors", "prune", "guards", "steps", "cloud", "api", "clientId", "extends"]) {
  assert(labels.includes(key), `${key} is completed: ${labels}`);
}
const value = await open("version: 1\ntenant: contoso.onmicrosoft.com\ncloud: \n");
const clouds = await request("textDocument/completion", at(value.uri, 2, 7));
const values = (clouds.items ?? clouds).map((it) => it.label);
for (const cloud of ["usgov", "usgov-dod", "china"]) assert(values.includes(cloud), `${cloud}: ${values}`);

server.kill();
