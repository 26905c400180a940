"""Scripts that complete nouns, verbs and options in a shell, made from the table: nothing is run while one types."""

from __future__ import annotations

from collections.abc import Callable

from handover.parts import Verb
from handover.table import NOUNS, VERBS


def options(verb: Verb) -> str:
    named = [f"--{arg.name.replace('_', '-')}" for arg in verb.args if arg.to != "path"]
    return " ".join(["--json", *named])


def verbs(noun: str) -> str:
    return " ".join(verb.name for verb in VERBS if verb.noun == noun)


def bash() -> str:
    """For `source <(handover completion bash)`."""
    second = "\n".join(f'    {noun}) words="{verbs(noun)}" ;;' for noun in NOUNS)
    third = "\n".join(f'    "{verb.noun} {verb.name}") words="{options(verb)}" ;;' for verb in VERBS)
    return f"""_handover() {{
  local words=""
  case $COMP_CWORD in
    1) words="{" ".join([*NOUNS, "completion"])}" ;;
    2) case "${{COMP_WORDS[1]}}" in
{second}
    completion) words="{" ".join(SHELLS)}" ;;
    esac ;;
    *) case "${{COMP_WORDS[1]}} ${{COMP_WORDS[2]}}" in
{third}
    esac ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}")
}}
complete -o default -F _handover handover"""


def zsh() -> str:
    """For `source <(handover completion zsh)`: bash's, which zsh reads."""
    return "autoload -U +X bashcompinit && bashcompinit\n" + bash().replace(
        'mapfile -t COMPREPLY < <(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}")',
        'COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))',
    )


def fish() -> str:
    """For `handover completion fish | source`."""
    first = f'complete -c handover -f -n __fish_use_subcommand -a "{" ".join([*NOUNS, "completion"])}"'
    seen = "__fish_seen_subcommand_from"
    second = [f'complete -c handover -f -n "{seen} {noun}" -a "{verbs(noun)}"' for noun in NOUNS]
    return "\n".join([first, *second])


SHELLS: dict[str, Callable[[], str]] = {"bash": bash, "zsh": zsh, "fish": fish}


def script(shell: str) -> str:
    return SHELLS[shell]()
