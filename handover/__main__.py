"""`python -m handover …`"""

from __future__ import annotations

import sys

from handover.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
