#!/usr/bin/env python3
"""Packs a release: pack.py TARGET BINARY FOLDER

Writes FOLDER/flowbind-VERSION-TARGET.tar.gz (.zip for Windows) with the binary, the documentation, the
licences of flowbind and of its crates, completions and manual pages. The same input gives the same
bytes: times are SOURCE_DATE_EPOCH, and names are sorted.
"""

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMPLETIONS = {"bash": "flowbind.bash", "zsh": "_flowbind", "fish": "flowbind.fish", "powershell": "_flowbind.ps1"}


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT).stdout


def linked(metadata):
    """Returns the packages whose code is in the binary, sorted by name."""
    resolved = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    packages = {package["id"]: package for package in metadata["packages"]}
    root = metadata["resolve"]["root"]
    seen, todo = {root}, [root]
    while todo:
        for dependency in resolved[todo.pop()]["deps"]:
            code = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            macro = any("proc-macro" in target["kind"] for target in packages[dependency["pkg"]]["targets"])
            if code and not macro and dependency["pkg"] not in seen:
                seen.add(dependency["pkg"])
                todo.append(dependency["pkg"])
    return sorted((packages[it] for it in seen - {root}), key=lambda it: (it["name"], it["version"]))


def licences(packages):
    """Returns the third-party licences: each text once, below the names of its crates."""
    texts = {}
    for package in packages:
        folder = Path(package["manifest_path"]).parent
        name = f"{package['name']} {package['version']} ({package['license']})"
        found = [it for it in folder.iterdir() if it.name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE")) and it.is_file()]
        for path in sorted(found):
            texts.setdefault(path.read_text(encoding="utf-8", errors="replace").strip(), []).append(name)
        if not found:
            texts.setdefault("No licence text in the package: see LICENSE-MIT and LICENSE-APACHE.", []).append(f"{name}, {', '.join(package['authors'])}")
    parts = ["flowbind contains the Rust standard library (MIT OR Apache-2.0), the static Linux builds also musl (MIT), and:"]
    parts += ["\n".join(dict.fromkeys(names)) + "\n\n" + text for text, names in texts.items()]
    return ("\n\n" + "-" * 100 + "\n\n").join(parts) + "\n"


def contents(target, binary, metadata):
    """Returns the files of the archive by name."""
    files = {binary.name: binary.read_bytes()}
    for name in ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE-APACHE", "LICENSE-MIT"]:
        files[name] = (ROOT / name).read_bytes()
    for path in (ROOT / "docs").rglob("*.*"):
        files[path.relative_to(ROOT).as_posix()] = path.read_bytes()
    files["LICENSE-THIRD-PARTY.txt"] = licences(linked(metadata)).encode()
    for shell, name in COMPLETIONS.items():
        files[f"completions/{name}"] = output(binary, "completions", shell)
    with tempfile.TemporaryDirectory() as folder:
        output(binary, "man", folder)
        for page in Path(folder).iterdir():
            files[f"man/{page.name}"] = page.read_bytes()
    return files


def main():
    target, binary, folder = sys.argv[1], Path(sys.argv[2]).resolve(), Path(sys.argv[3])
    metadata = json.loads(output("cargo", "metadata", "--locked", "--format-version=1", f"--filter-platform={target}"))
    version = next(it["version"] for it in metadata["packages"] if it["id"] == metadata["resolve"]["root"])
    when = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    name = f"flowbind-{version}-{target}"
    files = sorted(contents(target, binary, metadata).items())
    folder.mkdir(parents=True, exist_ok=True)
    if "windows" in target:
        path = folder / f"{name}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file, data in files:
                archive.writestr(zipfile.ZipInfo(f"{name}/{file}", time.gmtime(when)[:6]), data, zipfile.ZIP_DEFLATED)
    else:
        path = folder / f"{name}.tar.gz"
        with open(path, "wb") as out, gzip.GzipFile("", "wb", 9, out, when) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
            for file, data in files:
                entry = tarfile.TarInfo(f"{name}/{file}")
                entry.size, entry.mtime, entry.mode = len(data), when, 0o755 if file == binary.name else 0o644
                archive.addfile(entry, io.BytesIO(data))
    print(path)


main()
