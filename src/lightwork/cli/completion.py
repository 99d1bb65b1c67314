"""``lightwork completion``: a script that lets a shell complete commands and options."""

from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .command import OK, Command, Group
from .terminal import Terminal

__all__ = ["completion", "words_after"]

DETAILS = """\
examples:
  source <(lightwork completion bash)                              now; in ~/.bashrc: always
  source <(lightwork completion zsh)
  lightwork completion fish > ~/.config/fish/completions/lightwork.fish

Behind a command, what is no option is completed as a path.
"""

SHELLS = ("bash", "zsh", "fish")

_FUNCTION = """\
{head}_lightwork() {{
    local offered="" files="" word place=""
    for word in "${{{typed}}}"; do
        case "$place $word" in
{steps}
        esac
    done
    case "$place" in
{words}
    esac
{offer}
}}
{end}
"""
"""For shells that complete by a function. `path` and `words` are zsh's own."""


class _Shell(NamedTuple):
    head: str
    typed: str
    """The words between the program and the one that is completed."""
    offer: str
    end: str


_SHELLS = {
    "bash": _Shell(
        head="",
        typed="COMP_WORDS[@]:1:COMP_CWORD-1",
        offer="""\
    local current="${COMP_WORDS[COMP_CWORD]}"
    COMPREPLY=($(compgen -W "$offered" -- "$current"))
    if [[ "$files" && "$current" != -* ]]; then COMPREPLY+=($(compgen -f -- "$current")); fi""",
        end="complete -o filenames -F _lightwork lightwork",
    ),
    # Not through its bridge to bash (`bashcompinit`), which cannot read such a function.
    "zsh": _Shell(
        head="#compdef lightwork\n",
        typed="(@)words[2,CURRENT-1]",
        offer="""\
    if [[ "$files" && "$PREFIX" != -* ]]; then _files; fi
    compadd -- ${=offered}""",
        end="""\
if ! whence compdef > /dev/null; then autoload -U compinit && compinit; fi
compdef _lightwork lightwork""",
    ),
}


def completion(commands: Sequence[Command | Group]) -> Command:
    """The command that writes the scripts for these commands and for itself."""

    def add_arguments(parser: ArgumentParser) -> None:
        parser.add_argument("shell", choices=SHELLS, help="whose script to write")
        parser.add_argument("--json", action="store_true", help="one JSON document: the words by command")

    def run(given: Namespace, terminal: Terminal) -> int:
        found = words_after((*commands, itself), "")
        if given.json:
            terminal.write_json({path.strip(): words for path, words in found})
        elif given.shell == "fish":
            terminal.write("\n".join(_fish(found)))
        else:
            terminal.write(_function(found, _SHELLS[given.shell]))
        return OK

    itself = Command("completion", "write a completion script for a shell", DETAILS, add_arguments, run)
    return itself


Words = list[tuple[str, list[str]]]
"""What may follow after each path of commands; a path is ``""`` or begins with a blank."""


def words_after(commands: Sequence[Command | Group], path: str) -> Words:
    """The words that may be typed after each path of commands."""
    found: Words = [(path, [command.name for command in commands] + ["--help"] + ["--version"] * (not path))]
    for command in commands:
        below = f"{path} {command.name}"
        if isinstance(command, Group):
            found += words_after(command.commands, below)
        else:
            found.append((below, list(_options(command))))
    return found


def _options(command: Command) -> Iterator[str]:
    """Long options, and the choices of arguments without a name."""
    parser = ArgumentParser()
    command.add_arguments(parser)
    yield "--help"
    for action in parser._actions:  # argparse tells them in no other way
        if action.help == SUPPRESS:
            continue
        yield from (
            option for option in action.option_strings if option.startswith("--") and option != "--help"
        )
        if not action.option_strings and action.choices:
            yield from action.choices


def _function(found: Words, shell: _Shell) -> str:
    steps = [f'            "{path}") place="{path}" ;;' for path, _ in found if path]
    groups = _groups(found)
    words = [
        f'        "{path}") offered="{" ".join(words)}"{"" if path in groups else " files=1"} ;;'
        for path, words in found
    ]
    return _FUNCTION.format(steps="\n".join(steps), words="\n".join(words), **shell._asdict())


def _groups(found: Words) -> set[str]:
    """The paths that other commands follow, and no file."""
    return {path.rpartition(" ")[0] for path, _ in found if path}


def _fish(found: Words) -> Iterator[str]:
    groups = _groups(found)
    for path, words in found:
        names = path.split()
        conditions = [f"__fish_seen_subcommand_from {name}" for name in names] or ["__fish_use_subcommand"]
        below = [word for word in words if not word.startswith("-")]
        if names and below:
            conditions.append(f"not __fish_seen_subcommand_from {' '.join(below)}")
        when = "; and ".join(conditions)
        if below:
            no_files = "-f " if path in groups else ""
            yield f"complete -c lightwork -n '{when}' {no_files}-a '{' '.join(below)}'"
        for option in words:
            if option.startswith("--"):
                yield f"complete -c lightwork -n '{when}' -l {option[2:]}"
