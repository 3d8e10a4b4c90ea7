"""Sphinx settings; `make docs` builds with warnings as errors."""

import melro_gym

project = "melro_gym"
author = "The melro_gym developers"
release = melro_gym.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"melro_gym {release}"

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
default_role = "code"  # single backticks in docstrings
autodoc_typehints = "signature"
autodoc_member_order = "groupwise"
