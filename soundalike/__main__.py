"""``python -m soundalike``."""

import sys

from soundalike.cli.main import main

sys.exit(main())
