"""The command line. Data go to stdout, everything else to stderr."""


def main() -> int:
    """Run the command line; see `soundalike.cli.main.main`."""
    from soundalike.cli.main import main as run

    return run()
