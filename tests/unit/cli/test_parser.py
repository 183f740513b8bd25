"""The commands and their options."""

import re
from collections.abc import Iterator
from typing import Any

import click
import pytest

from soundalike.cli.main import main
from soundalike.cli.parser import build_parser

COMMANDS = (
    *(
        "demo",
        "index",
        "search",
        "events",
        "searches",
        "timeline",
        "duplicates",
        "motifs",
        "map",
        "status",
        "doctor",
        "delete",
    ),
    *(
        "reindex",
        "collections",
        "export",
        "import",
        "annotations",
        "sql",
        "reset",
        "serve",
        "embed",
        "models",
        "speakers",
        "normal",
        "evaluate",
        "completion",
    ),
)
EACH_COMMAND = pytest.mark.parametrize("command", COMMANDS)


def commands() -> dict[str, click.Command]:
    group = build_parser()
    with click.Context(group) as ctx:
        found = {name: group.get_command(ctx, name) for name in group.list_commands(ctx)}
    return {name: one for name, one in found.items() if one is not None}


def documented() -> Iterator[tuple[str, Any]]:
    for name, command in commands().items():
        for param in command.params:
            yield name, param


def parsed(*argv: str) -> dict[str, Any]:
    name, *rest = argv
    return commands()[name].make_context(name, rest).params


def test_commands():
    assert tuple(commands()) == COMMANDS


@EACH_COMMAND
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]):
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: soundalike {command}")
    assert "--json" in shown
    assert "--data-dir" in shown
    description = commands()[command].help
    assert description
    assert description.rstrip(".") == description


def test_help_lists_every_command_with_its_summary(capsys: pytest.CaptureFixture[str]):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"^ +{command}\s+\S", shown, flags=re.MULTILINE), command


def test_every_option_is_documented():
    badly = [
        f"{command} {'/'.join(param.opts)}: {param.help}"
        for command, param in documented()
        if not param.help or param.help.endswith(".")
    ]
    assert badly == []


def test_defaults_of_search():
    given = parsed("search", "a.wav")
    assert (given["top_k"], given["min_score"], given["exclude_self"]) == (10, -1.0, False)
    assert (given["labels"], given["tags"], given["uri_prefix"]) == ((), {}, "")
    assert (given["window_size"], given["stride"], given["model"]) == (None, None, None)


def test_repeated_options_add_up():
    given = parsed("search", "a.wav", "--label", "rain", "--label", "bell", "--tag", "a=1", "-k", "3")
    assert (given["labels"], given["tags"], given["top_k"]) == (("rain", "bell"), {"a": 1}, 3)


@pytest.mark.parametrize("written", [["--top", "3"], ["--top=3"], ["--top-k=3"], ["-k3"]], ids=" ".join)
def test_an_option_may_be_shortened(written: list[str]):
    assert parsed("search", "a.wav", *written)["top_k"] == 3


def test_a_text_with_blanks_is_no_option():
    given = parsed("sql", "-- how many?\nSELECT 1", "--format", "csv")
    assert (given["statement"], given["layout"]) == ("-- how many?\nSELECT 1", "csv")
    assert parsed("search", "a.wav", "--label", "- a b", "--label=- c")["labels"] == ("- a b", "- c")


def test_an_option_takes_a_negative_number():
    assert parsed("search", "a.wav", "--min-score", "-0.5")["min_score"] == -0.5


def test_what_follows_two_dashes_is_no_option():
    assert parsed("index", "--", "--label", "--top")["paths"] == ("--label", "--top")


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["unheard-of"], "No such command 'unheard-of'"),
        (["serach", "a.wav"], "Did you mean one of: 'search', 'searches'?"),
        (
            ["search", "a.wav", "--lable", "x"],
            "Did you mean one of: '--label', '--like', '--like-label'?",
        ),
        (["search", "a.wav", "--label", "--json"], "Option '--label' requires an argument"),
        (["search", "a.wav", "--label"], "Option '--label' requires an argument"),
        (["timeline", "a.wav"], "Missing option '--min-score'"),
        (["search", "a.wav", "b.wav"], "unexpected extra argument (b.wav)"),
        (["search", "a.wav", "--top-k", "many"], "'many' is not a valid integer"),
        (["search", "a.wav", "--min-score", "high"], "'high' is not a valid float"),
        (["delete"], "PATH"),
        (["models"], "list|show|schema|add"),
        (["models", "upload"], "'upload' is not one of"),
        (["status", "--unheard-of"], "No such option '--unheard-of'"),
        (["serve", "--port", "http"], "'http' is not a port"),
        (["serve", "--port", "0"], "'0' is not a port"),
        (["serve", "--grpc-port", "99999"], "give a number from 1 to 65535"),
    ],
)
def test_wrong_usage_exits_with_2(argv: list[str], complaint: str, capsys: pytest.CaptureFixture[str]):
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("Usage: soundalike")
    last = captured.err.splitlines()[-1]
    assert complaint in last
    is_unknown = "No such" in complaint or "Did you mean" in complaint
    assert last.endswith("[parameter.unknown]" if is_unknown else "[parameter.invalid]")
    assert captured.out == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(shell: str, capsys: pytest.CaptureFixture[str]):
    assert main(["completion", shell]) == 0
    assert f"_SOUNDALIKE_COMPLETE={shell}_complete" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("soundalike tim", "timeline"),
        ("soundalike --v", "--version"),
        ("soundalike search --time-", "--time-of-day"),
        ("soundalike search --group-by ", "label"),
        ("soundalike completion z", "zsh"),
    ],
)
def test_a_shell_completes_commands_options_and_values(
    words: str, found: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("_SOUNDALIKE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    assert main([]) == 0
    assert f"plain,{found}" in capsys.readouterr().out.splitlines()


def test_a_shell_completes_files(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("_SOUNDALIKE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "soundalike search a")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert main([]) == 0
    assert capsys.readouterr().out == "file,a\n"
