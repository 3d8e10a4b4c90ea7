"""Sphinx settings; `make docs` builds with warnings as errors."""

from docutils.nodes import SkipNode
from latex2mathml.converter import convert

import melro_gym

project = "melro_gym"
author = "The melro_gym developers"
release = melro_gym.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"melro_gym {release}"

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
default_role = "code"  # single backticks in docstrings
autodoc_typehints = "signature"
autodoc_member_order = "groupwise"
autodoc_preserve_defaults = True
html_math_renderer = "mathml"


def _inline_formula(translator, node):
    translator.body.append(convert(node.astext()))
    raise SkipNode


def _displayed_formula(translator, node):
    formula = convert(node.astext(), display="block")
    translator.body.append(f'<div style="overflow-x: auto; padding: 0.4em 0">{formula}</div>')
    raise SkipNode


def setup(app):
    """Formulas become MathML, which browsers draw by themselves; MathJax would have to come from the network."""
    app.add_html_math_renderer("mathml", (_inline_formula, None), (_displayed_formula, None))
