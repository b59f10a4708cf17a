"""Checks the shell scripts in YAML files with ShellCheck.

Usage: scripts.py SHELL KEY[,KEY…] FILE…

Takes the texts and the lists of lines under the keys, such as `run` or `script`. Under `args`, takes those of a
shell's `-c`. A file without a script is an error.
"""
import subprocess
import sys
import yaml


def scripts(node, keys, path=""):
    """Yields the location and the text of each script."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from scripts(item, keys, f"{path}/{index}")
    if isinstance(node, dict):
        for key, value in node.items():
            at = f"{path}/{key}"
            if key not in keys or (key == "args" and "-c" not in node.get("command", [])):
                yield from scripts(value, keys, at)
            elif isinstance(value, str):
                yield at, value
            elif isinstance(value, list):
                yield at, "\n".join(value)


def main(shell, keys, *files):
    failed = False
    for file in files:
        with open(file, encoding="utf-8") as text:
            parts = list(yaml.safe_load_all(text))
        found = list(scripts(parts, keys.split(",")))
        assert found, f"{file}: no script"
        for at, script in found:
            command = ["shellcheck", "--shell", shell, "--format", "gcc", "-"]
            result = subprocess.run(command, input=script + "\n", encoding="utf-8", stdout=subprocess.PIPE)
            if result.returncode:
                print(f"{file}{at}:\n{script}\n{result.stdout}")
                failed = True
    return failed


sys.exit(main(*sys.argv[1:]))
