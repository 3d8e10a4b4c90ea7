"""`python -m melro_gym.cli` is `melro-gym`."""

import sys

from melro_gym.cli.app import main

sys.exit(main())
