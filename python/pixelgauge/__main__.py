"""``python -m pixelgauge``."""

import sys

from pixelgauge.cli import main

sys.exit(main())
