#!/usr/bin/env bash
# Runs the example of pre-commit in a repository of its own. Usage: commit_hook.sh PRE-COMMIT FLOWBIND
set -euo pipefail
pre_commit=$1 flowbind=$2
examples=$(dirname "$0")/../../examples
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/bin" "$folder/work" "$folder/work/tenants"
ln -s "$flowbind" "$folder/bin/flowbind"
cp "$examples/pre-commit/.pre-commit-config.yaml" "$folder/work"
cp "$examples"/stages/*.yaml "$folder/work/tenants"
export PATH=$folder/bin:$PATH PRE_COMMIT_HOME=$folder/home GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
cd "$folder/work"
git init --quiet
commit() {
  git add --all && git -c user.name=ci -c user.email=ci@example.com commit --quiet --message "$1" > "$folder/log" 2>&1
}
fail() {
  echo "pre-commit: $1" >&2
  cat "$folder/log" >&2
  exit 1
}
"$pre_commit" install > /dev/null
commit valid || fail "rejects valid files"
grep --quiet Passed "$folder/log" || fail "runs no hook"
echo "# A base alone" >> tenants/base.yaml
commit base || fail "rejects a change of the base"
cp tenants/test.yaml tenants/other.yaml
if commit conflict; then fail "accepts two files for the same tenant"; fi
rm tenants/other.yaml
echo text > README.md
commit other || fail "rejects another file"
grep --quiet Skipped "$folder/log" || fail "runs for another file"
