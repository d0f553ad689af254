"""Step 5: which arm's rows `best` takes."""

import pandas as pd
import pytest

from phi_kit.core.errors import StudyError
from phi_kit.steps.synthesize import Params, organic_rows


def test_a_control_is_no_data_even_where_it_is_the_only_arm():
    arms = pd.DataFrame({"arm": ["base", "few-shot base", "own"], "accuracy": 0.5})
    with pytest.raises(StudyError, match=r"(?s)no arm but 'own'.*probe_sft\.arms"):
        organic_rows(None, arms, Params())
