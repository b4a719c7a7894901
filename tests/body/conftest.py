"""The embedded body, made once for all tests."""

import pytest

from unveil.body import Body


@pytest.fixture(scope="session")
def body(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNVEIL_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return Body.embedded()
