"""``lightwork completion``: the script of bash in a real bash, those of other shells by their words."""

import json
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


def test_other_shells_have_scripts_too() -> None:
    """zsh through its bridge to bash; fish line by line; JSON for everybody else."""
    assert b"bashcompinit" in run("completion", "zsh").stdout
    assert b"-n '__fish_seen_subcommand_from doctor' -l quick" in run("completion", "fish").stdout
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
