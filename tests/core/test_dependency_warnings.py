"""Alarms that are none stay away; every other one is shown."""

import logging
import warnings

from phi_kit.core import dependency_warnings


def test_known_words_are_silenced_and_no_others():
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        dependency_warnings.silence_dependencies()
        for words in dependency_warnings.WARNINGS:
            warnings.warn(f"{words}. Please update jupyter.", stacklevel=1)
        warnings.warn("the disk is nearly full", stacklevel=1)
    assert [str(one.message) for one in shown] == ["the disk is nearly full"]


def test_a_logger_loses_one_message_only(caplog):
    dependency_warnings.silence_dependencies()
    dependency_warnings.silence_dependencies()
    ((name, words),) = dependency_warnings.LOGS.items()
    logger = logging.getLogger(name)
    assert len([each for each in logger.filters if "_Without" in repr(each)]) == 1
    logger.warning(f"{words} from kernels-community: %s.", "no network")
    logger.warning("a wrong result")
    assert [record.getMessage() for record in caplog.records] == ["a wrong result"]
