"""A project of toy steps, which costs nothing."""

import fake_study
import pytest


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The folder of a project, which is the working directory."""
    return fake_study.enter_project(tmp_path, monkeypatch)
