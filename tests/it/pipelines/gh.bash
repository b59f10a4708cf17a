#!/bin/bash
# Fake `gh` of the pipeline tests. Keeps the lists of a repository as JSON in $STATE, and logs its arguments.
set -euo pipefail
echo "$*" >> "$STATE/gh.log"

list() { cat "$STATE/$1.json" 2> /dev/null || echo '[]'; }
change() { # LIST FILTER [OPTIONS OF JQ]
  local name=$1 filter=$2 changed
  shift 2
  changed=$(list "$name" | jq "$@" "$filter")
  printf '%s\n' "$changed" > "$STATE/$name.json"
}
append() { # LIST KEY FIRST BODY
  change "$1" ". + [{(\$key): (length + $3), state: \"open\", user: {login: \"github-actions[bot]\"}, body: \$body[0:-1]}]" \
    --arg key "$2" --arg body "$(cat "$4"; echo .)"
}
edit() { change "$1" 'map(if .[$key] == $id then .body = $body[0:-1] else . end)' --arg key "$2" --argjson id "$3" --arg body "$(cat "$4"; echo .)"; }

api() {
  local method=GET filter=. path='' fields='' number
  while (($#)); do
    case $1 in
      --paginate | --silent) ;;
      --method) method=$2; shift ;;
      --jq) filter=$2; shift ;;
      --field | --raw-field) fields+=$2; shift ;;
      *) path=${1#repos/contoso/identity/} ;;
    esac
    shift
  done
  case "$method $path" in
    "GET commits/abc/pulls") list pulls | jq -r "$filter" ;;
    "GET commits/main") jq -n '{sha: $sha}' --arg sha "$(cat "$STATE/main" 2> /dev/null || echo abc)" | jq -r "$filter" ;;
    "GET pulls/"*) list "pull-${path##*/}" | jq -r "$filter" ;;
    "GET issues/comments/"*) jq -r ".[] | select(.id == ${path##*/}) | $filter" "$STATE"/comments-*.json ;;
    "GET issues/"*/comments) number=${path#issues/} && list "comments-${number%/*}" | jq -r "$filter" ;;
    "POST issues/"*/comments) number=${path#issues/} && append "comments-${number%/*}" id 7 "${fields#body=@}" ;;
    "PATCH issues/comments/"*)
      for file in "$STATE"/comments-*.json; do edit "$(basename "$file" .json)" id "${path##*/}" "${fields#body=@}"; done
      ;;
    "GET issues?labels=flowbind-drift&state=open&sort=created&direction=asc")
      list issues | jq 'map(select(.state == "open"))' | jq -r "$filter"
      ;;
    "GET git/matching-refs/tags/"*)
      list tags | jq --arg start "refs/tags/${path##*/}" 'map(select(.ref | startswith($start)))' | jq -r "$filter"
      ;;
    "PATCH git/refs/tags/"* | "POST git/refs") ;;
    *) echo "unexpected request: $method $path" >&2; return 9 ;;
  esac
}

case "$1 ${2-}" in
  api*) shift && api "$@" ;;
  "issue view") list issues | jq -r ".[] | select(.number == $3) | .body" ;;
  "issue create") append issues number 3 "${!#}" ;;
  "issue edit") edit issues number "$3" "${!#}" ;;
  "issue comment") append "comments-$3" id 7 "${!#}" ;;
  "issue close") change issues 'map(if .number == $id then .state = "closed" else . end)' --argjson id "$3" ;;
  "label create") ;;
  *) echo "unexpected arguments: $*" >&2; exit 9 ;;
esac
