"""The modules beside this one stand for other packages: tests import them, pytest must not."""

collect_ignore_glob = ["*.py"]
