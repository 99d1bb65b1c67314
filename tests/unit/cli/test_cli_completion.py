"""``lightwork completion``: the scripts in the shells that they are for."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.cli.command import refused, run

pytestmark = pytest.mark.slow

TRY = """
source ./script
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMPREPLY=()
_lightwork
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(folder: Path, *words: str) -> set[str]:
    """What bash offers for the last word."""
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run(
        [bash, "-c", TRY, "bash", "lightwork", *words], cwd=folder, capture_output=True, text=True, timeout=50
    )
    assert done.stderr == ""
    return set(done.stdout.split())


def test_bash_completes_commands_options_and_paths(tmp_path: Path) -> None:
    """At each place what can stand there."""
    done = run("completion", "bash")
    assert done.returncode == 0
    (tmp_path / "script").write_bytes(done.stdout)
    (tmp_path / "data.lw").write_text("")
    assert completed(tmp_path, "c") == {"cache", "convert", "compat", "completion"}
    assert completed(tmp_path, "cache", "s") == {"show", "stats"}
    assert completed(tmp_path, "cache", "ls", "--so") == {"--sort"}
    assert completed(tmp_path, "cache", "ls", "--sort", "--rev") == {"--reverse"}
    assert completed(tmp_path, "file", "info", "da") == {"data.lw"}
    assert completed(tmp_path, "file", "da") == set()
    assert completed(tmp_path, "completion", "z") == {"zsh"}


def shell(name: str) -> str:
    """Where a shell is, or a skip."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed here")
    return found


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("lightwork c", {"cache", "convert", "compat", "completion"}),
        ("lightwork cache s", {"show", "stats"}),
        ("lightwork cache ls --so", {"--sort"}),
        ("lightwork file info da", {"data.lw"}),
        ("lightwork completion z", {"zsh"}),
    ],
)
def test_fish_completes_commands_options_and_paths(tmp_path: Path, typed: str, offered: set[str]) -> None:
    fish = shell("fish")
    (tmp_path / "script.fish").write_bytes(run("completion", "fish").stdout)
    (tmp_path / "data.lw").write_text("")
    command = [fish, "--no-config", "-c", "source script.fish; complete -C $argv[1]", typed]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=50)
    assert done.stderr == ""
    assert set(done.stdout.split()) == offered


def typed_into(command: list[str], folder: Path, keys: str, expected: str) -> str:
    """What a program on a terminal shows after these keys, until a pattern is found in it."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ |= {"ZDOTDIR": str(folder), "TERM": "dumb"}
        os.execv(command[0], command)
    shown = ""
    try:
        while "READY" not in shown:
            shown += os.read(terminal, 4096).decode(errors="replace")
        os.write(terminal, keys.encode())
        shown = ""
        while not re.search(expected, shown) and select.select([terminal], [], [], 20)[0]:
            shown += os.read(terminal, 4096).decode(errors="replace").replace("\a", "")
    finally:
        os.close(terminal)  # which hangs it up
        os.waitpid(child, 0)
    return shown


@pytest.mark.parametrize("setup", ["", "autoload -U compinit; compinit -u\n"], ids=["bare", "with compinit"])
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("lightwork cac", "lightwork cache"),
        ("lightwork cache ls --so", "lightwork cache ls --sort"),
        ("lightwork file info da", r"lightwork file info data\.lw"),
        ("lightwork completion z", "lightwork completion zsh"),
    ],
)
def test_zsh_completes_commands_options_and_paths(
    tmp_path: Path, setup: str, typed: str, completed: str
) -> None:
    """In a real terminal, as a user types it; whether or not completion was set up before."""
    zsh = shell("zsh")
    (tmp_path / "script").write_bytes(run("completion", "zsh").stdout)
    (tmp_path / "data.lw").write_text("")
    (tmp_path / ".zshrc").write_text(f"{setup}source ./script\nPS1='READY '\n")
    shown = typed_into([zsh, "-d", "-i"], tmp_path, f"{typed}\t", completed)
    assert re.search(completed, shown), shown


def test_other_shells_have_the_words() -> None:
    """JSON for everybody else."""
    words = json.loads(run("completion", "bash", "--json").stdout)
    assert set(words["cache"]) == {
        *("ls", "show", "du", "stats", "explain", "verify", "gc", "clear", "rm", "top", "--help")
    }
    assert set(words["replay"]) == {"--help", "--pdb", "--show", "--json"}
    refused(run("completion", "csh"), 2)


def test_every_command_speaks_json_and_shows_examples() -> None:
    """And tells its exit codes."""
    words = json.loads(run("completion", "bash", "--json").stdout)
    leaves = [path for path in words if not any(other.startswith(f"{path} ") for other in words) and path]
    assert len(leaves) >= 22
    for path in leaves:
        done = run(*path.split(), "--help")
        assert done.returncode == 0
        assert b"examples:" in done.stdout
        assert b"exit codes:" in done.stdout
        if path != "compat":
            assert "--json" in words[path], path
