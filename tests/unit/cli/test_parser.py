"""The commands and their options."""

import argparse
import re
from collections.abc import Iterator

import pytest

from soundalike.cli.main import main
from soundalike.cli.parser import build_parser

COMMANDS = (
    *("demo", "index", "search", "timeline", "status", "doctor", "delete"),
    *(
        "reindex",
        "collections",
        "export",
        "import",
        "sql",
        "reset",
        "serve",
        "embed",
        "models",
        "evaluate",
    ),
)
EACH_COMMAND = pytest.mark.parametrize("command", COMMANDS)


def subparsers() -> dict[str, argparse.ArgumentParser]:
    (action,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


def documented() -> Iterator[tuple[str, argparse.Action]]:
    for name, parser in subparsers().items():
        for action in parser._actions:
            yield name, action


def test_commands():
    assert tuple(subparsers()) == COMMANDS


@EACH_COMMAND
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: soundalike {command}")
    assert "--json" in shown
    assert "--data-dir" in shown
    description = subparsers()[command].description
    assert description
    assert description.rstrip(".") == description


def test_help_lists_every_command_with_its_summary(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"^ +{command}\s+\S", shown, flags=re.MULTILINE), command


def test_every_option_is_documented():
    badly = [
        f"{command} {'/'.join(action.option_strings) or action.dest}: {action.help}"
        for command, action in documented()
        # What argparse would fill in must be there.
        if not action.help or action.help.endswith(".") or "%(" in action.help
    ]
    assert badly == []


def test_every_command_can_be_run():
    for command, parser in subparsers().items():
        assert callable(parser.get_default("run")), command


def test_defaults_of_search():
    arguments = build_parser().parse_args(["search", "a.wav"])
    assert (arguments.top_k, arguments.min_score, arguments.exclude_self) == (10, -1.0, False)
    assert (arguments.label, arguments.tag, arguments.under) == ([], [], "")
    assert (arguments.window_size, arguments.stride, arguments.model) == (None, None, None)


def test_repeated_options_add_up():
    arguments = build_parser().parse_args(
        ["search", "a.wav", "--label", "rain", "--label", "bell", "--tag", "a=1", "-k", "3"]
    )
    assert (arguments.label, arguments.tag, arguments.top_k) == (["rain", "bell"], ["a=1"], 3)


def test_repeated_options_of_one_call_are_not_those_of_the_next():
    build_parser().parse_args(["search", "a.wav", "--label", "rain"])
    assert build_parser().parse_args(["search", "a.wav"]).label == []


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["unheard-of"], "invalid choice"),
        (["search", "a.wav", "b.wav"], "unrecognized arguments"),
        (["search", "a.wav", "--top-k", "many"], "invalid int value"),
        (["search", "a.wav", "--min-score", "high"], "invalid float value"),
        (["search", "a.wav", "--model", "yamnet"], "invalid choice"),
        (["delete"], "PATH"),
        (["models"], "action"),
        (["models", "upload"], "invalid choice"),
        (["status", "--unheard-of"], "unrecognized arguments"),
        (["serve", "--port", "http"], "'http' is no port"),
        (["serve", "--port", "0"], "'0' is no port"),
        (["serve", "--grpc-port", "99999"], "give a number from 1 to 65535"),
    ],
)
def test_wrong_usage_exits_with_2(argv: list[str], complaint: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert complaint in captured.err
    assert captured.out == ""
