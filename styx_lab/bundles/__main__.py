"""`python -m styx_lab.bundles FILE`: verify a bundle in this, clean, process."""

import sys

from styx_lab.bundles.verify import main

sys.exit(main(sys.argv[1]))
