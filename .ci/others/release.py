"""Checks the release scripts: release.py BINARY. Archives must have the names that cargo-binstall expects, be
complete and reproducible. Release notes must list the commits since the previous release."""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".github/release"


def run(*command, **options):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def archive_names(package, target):
    """Returns the names of the archive and of the binary in it that cargo-binstall derives from `Cargo.toml`."""
    binstall = package["metadata"]["binstall"]
    binstall = {**binstall, **binstall["overrides"].get(target, {})}
    extension = ".exe" if "windows" in target else ""
    values = {"repo": "https://example.com", "version": package["version"], "target": target, "bin": "flowbind", "binary-ext": extension}
    def expand(text):
        for name, value in values.items():
            text = text.replace(f"{{ {name} }}", value)
        assert "{" not in text, text
        return text
    return expand(binstall["pkg-url"]).rsplit("/", 1)[1], expand(binstall["bin-dir"])


def check_archives(binary, folder):
    metadata = json.loads(run("cargo", "metadata", "--locked", "--no-deps", "--format-version=1", cwd=ROOT))
    package = metadata["packages"][0]
    for target in ["x86_64-unknown-linux-musl", "x86_64-pc-windows-msvc"]:
        archive, inside = archive_names(package, target)
        # A small script instead of the large debug binary.
        stand_in = folder / Path(inside).name
        stand_in.write_text(f'#!/bin/sh\nexec {binary} "$@"\n')
        stand_in.chmod(0o755)
        written = []
        for into in ["once", "again"]:
            run(sys.executable, TOOLS / "pack.py", target, stand_in, folder / into, env={**os.environ, "SOURCE_DATE_EPOCH": "1793606400"})
            written.append((folder / into / archive).read_bytes())
        assert written[0] == written[1], f"{archive} differs from run to run"
        path = folder / "once" / archive
        if archive.endswith(".zip"):
            names = set(zipfile.ZipFile(path).namelist())
        else:
            packed = tarfile.open(path)
            names = set(packed.getnames())
            assert packed.getmember(inside).mode == 0o755, "the binary is not executable"
        top = inside.split("/")[0]
        wanted = [inside] + [f"{top}/{name}" for name in (
            "README.md", "docs/getting-started.md", "docs/images/plan.svg", "LICENSE-MIT", "LICENSE-APACHE", "LICENSE-THIRD-PARTY.txt", "man/flowbind.1", "man/flowbind-plan.1",
            "completions/flowbind.bash", "completions/_flowbind", "completions/flowbind.fish", "completions/_flowbind.ps1",
        )]
        assert names.issuperset(wanted), set(wanted) - names
        assert "man/flowbind-help.1" not in str(names)


def check_notes(folder):
    def git(*arguments):
        run("git", "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments, cwd=folder, env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"})

    def commit(*messages):
        git("commit", "--quiet", "--allow-empty", *(f"--message={it}" for it in messages))

    def notes(tag):
        return run(TOOLS / "notes", tag, cwd=folder)

    git("init", "--quiet")
    commit("plan: the first")
    git("tag", "v0.1.0")
    assert notes("v0.1.0") == "## Changes\n\n- plan: the first\n"
    commit("cli: rename an option", "Why.", "Breaking: use `--new`\n  instead of `--old`")
    commit("docs: the $(touch hacked) `second`")
    git("tag", "nightly")
    git("tag", "v0.2.0")
    assert notes("v0.2.0") == (
        "## Breaking changes\n\n- use `--new` instead of `--old`\n\n"
        "## Changes since v0.1.0\n\n- cli: rename an option\n- docs: the $(touch hacked) `second`\n"
    ), notes("v0.2.0")
    commit("http: fix a retry")
    git("tag", "v0.2.1")
    assert notes("v0.2.1") == "## Changes since v0.2.0\n\n- http: fix a retry\n"


with tempfile.TemporaryDirectory() as temporary:
    folder = Path(temporary)
    check_archives(Path(sys.argv[1]).resolve(), folder)
    (folder / "repository").mkdir()
    check_notes(folder / "repository")
