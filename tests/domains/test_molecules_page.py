"""The page about molecules: its transform makes what it says, where RDKit is there."""

import re
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from phi_kit.core.yaml12 import load
from phi_kit.data.records import Seed
from phi_kit.domains import custom
from phi_kit.synthesis import known_transforms

PAGE = (Path(__file__).resolve().parents[2] / "docs/how-to/molecules.md").read_text()
SMILES = [
    *("CCO", "NCC(=O)O", "c1ccccc1", "CC(=O)Nc1ccc(O)cc1", "OCC(O)CO", "C1CCNCC1"),
    *("CC(C)Cc1ccc(cc1)C(C)C(=O)O", "Cn1cnc2c1c(=O)n(C)c(=O)n2C", "CS", "c1cc[nH]c1"),
    *("C[C@H](N)C(=O)O", "CC(=O)Oc1ccccc1C(=O)O", "OC1CCCCC1", "NCCc1ccc(O)c(O)c1"),
]


def block(language):
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


@pytest.fixture(scope="module")
def page():
    pytest.importorskip("rdkit", reason="pip install rdkit")
    names = {}
    exec(compile(block("python"), "molecules.py", "exec"), names)
    return names


def asked(smiles):
    prompt = f"How many hydrogen-bond donors has the molecule {smiles}?"
    return Seed("molecules", prompt, "0")


def test_each_row_is_another_molecule_and_its_donors_are_counted_once_more(page):
    from rdkit import Chem

    domain = custom.build("molecules", definition(transforms=[])).in_style("steps")
    rows = [
        (seed, row)
        for rng_seed in range(8)
        for seed in map(asked, SMILES)
        for row in page["RELATIVE"](seed, rng_seed)
    ]
    assert len(rows) > 60
    for seed, row in rows:
        molecule = Chem.AddHs(Chem.MolFromSmiles(row.prompt.split()[-1][:-1]))
        # Hydrogen atoms as atoms of their own: who has one as a neighbour?
        donors = [
            atom
            for atom in molecule.GetAtoms()
            if atom.GetSymbol() in "NO"
            and any(near.GetSymbol() == "H" for near in atom.GetNeighbors())
        ]
        assert row.answer == str(len(donors)), row.prompt
        assert molecule.GetNumHeavyAtoms() <= 20
        assert (row.parent, row.prompt != seed.prompt) == (seed.id, True)
        assert domain.verifier(row, row.solution).right


@pytest.mark.parametrize(
    "smiles", ["", "X1", "C(C)(C)(C)(C)C", "FC(F)(F)F", "O", "CS" * 40]
)
def test_what_is_no_molecule_or_has_no_place_is_left_alone(page, smiles):
    for rng_seed in range(5):
        assert page["RELATIVE"](asked(smiles), rng_seed) == []
    assert page["RELATIVE"](Seed("molecules", "What is 3 + 4?", "7"), 1) == []


def definition(**more):
    given = load(block("yaml"))["domains"]["molecules"]
    given["sources"] = [{"hub": "a/b"}]  # the page's file is its reader's
    return custom.Definition.model_validate(given | more)


def test_the_study_names_it(page, monkeypatch):
    point = EntryPoint("relative", "molecules:RELATIVE", known_transforms.GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda _: page["RELATIVE"])
    monkeypatch.setattr(known_transforms, "_entry_points", lambda path: [point])
    assert f'"{known_transforms.GROUP}"' in block("toml")
    domain = custom.build("molecules", definition())
    assert [one.name for one in known_transforms.chosen(domain)] == ["relative"]
