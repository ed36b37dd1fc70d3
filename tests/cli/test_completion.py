"""What shells complete: commands, options and values, of the parsers themselves."""

import shutil
import subprocess
import sys

import pytest

from vis import __version__
from vis.cli import COMMANDS, main


@pytest.fixture(scope="module")
def scripts() -> dict[str, str]:
    """By shell, printed by a process that then says whether torch came with it."""
    code = (
        "import sys; from vis.cli import main; main(['completion', sys.argv[1]]); "
        "print('#', 'torch' in sys.modules)"
    )
    return {
        shell: subprocess.run(
            [sys.executable, "-c", code, shell], capture_output=True, text=True, check=True
        ).stdout
        for shell in ("bash", "zsh", "fish")
    }


def completed(script: str, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    line = f'{script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vis; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(
        ["bash", "-c", line, "bash", "vis", *words], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes_commands_options_and_values(scripts):
    script = scripts["bash"]
    assert completed(script, "") == list(COMMANDS)
    assert completed(script, "tr") == ["track", "train"]
    assert completed(script, "data", "") == ["check", "convert", "show", "split"]
    assert completed(script, "data", "convert", "--to", "d") == ["davis"]
    assert completed(script, "track", "my.mp4", "--max") == ["--max-frames"]
    assert completed(script, "track", "--on", "") == ["local", "ray"]
    assert completed(script, "completion", "") == ["bash", "zsh", "fish"]
    assert completed(script, "track", "m") == [], "file names are left to the shell"


def test_all_shells_know_every_command_and_none_needs_torch(scripts):
    for script in scripts.values():
        assert script.endswith("# False\n")
        assert all(name in script for name in COMMANDS)
        assert "semi-supervised unsupervised" in script
    assert "bashcompinit" in scripts["zsh"]
    assert "complete -c vis -n '__fish_seen_subcommand_from track' -l on -x" in scripts["fish"]


def test_the_block_for_a_bug_report(capsys):
    assert main(["--version", "--verbose"]) == 0
    lines = dict(line.split(":", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["vis"].strip() == __version__
    assert {"python", "platform", "torch", "av", "ffmpeg", "gpu"} <= set(lines)
    assert "libavcodec" in lines["ffmpeg"] and all(value.strip() for value in lines.values())
