"""`python -m melro_gym` is `melro-gym`."""

import sys

from melro_gym.cli.app import main

sys.exit(main())
