"""However a solver is asked for, it has one label."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from solvers import ParameterError, SolverError, create
from solvers.labels import read_label, split_labels, write_label
from solvers.registry import BUILT_IN, canonical, solver_class

SPACE = st.sampled_from(["", " ", "  "])


def spellings(annotation: object) -> st.SearchStrategy[str]:
    """Values of a parameter of this type, some of them out of range, in the ways in which a user may write them."""
    if annotation is bool:
        return st.sampled_from(["true", "false", "True", "False", "1", "0", "yes", "off"])
    if annotation is int:
        return st.integers(1, 2000).flatmap(lambda n: st.sampled_from([str(n), f"{n}.0", f"0{n}", f"+{n}"]))
    if annotation is float:
        numbers = st.floats(0, 2) | st.sampled_from([0.0, 1.0, 0.6, 1e-3, 1e-7])
        return numbers.flatmap(lambda x: st.sampled_from([repr(x), f"{x:.3f}", f"{x:e}", f"{x:g}"]))
    choices = [choice for choice in get_args(annotation) if isinstance(choice, str)]
    return st.sampled_from(choices) if choices else st.sampled_from(["no/such.file", "with space", "a,b]=c", 'say "a"'])


@st.composite
def labels(draw: st.DrawFn) -> str:
    """A label of a built-in solver with up to three parameters, in any order."""
    name = draw(st.sampled_from(list(BUILT_IN)))
    fields = solver_class(name).model_fields
    parts = []
    for key in draw(st.lists(st.sampled_from(list(fields)), max_size=3, unique=True)):
        value = draw(spellings(fields[key].annotation))
        if draw(st.booleans()) or set(value) & set(' ,"=[]'):
            value = '"' + value.replace('"', '""') + '"'
        parts.append(f"{draw(SPACE)}{key}{draw(SPACE)}={draw(SPACE)}{value}{draw(SPACE)}")
    return f"{draw(SPACE)}{name}[{','.join(parts)}]"


@given(labels())
def test_a_canonical_label_asks_for_the_same_solver_and_is_its_own(label):
    try:
        solver = create(label)
    except SolverError:
        assume(False)
    found = canonical(label)
    assert create(found) == solver
    assert canonical(found) == found
    assert split_labels(f"er,{label},{found}") == ["er", label.strip(), found]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("rrr[]", "rrr"),
        ("rrr[beta=0.6]", "rrr"),
        ("rrr[ beta = 0.60 ]", "rrr"),
        ("rrr[nonneg=True]", "rrr[nonneg=true]"),
        ("rrr[beta=0.5,starts=2,nonneg=yes]", "rrr[nonneg=true,starts=2,beta=0.5]"),
        ("rrr[tolerance=1e-3]", "rrr"),
        ("rrr[tolerance=1000.0]", "rrr[tolerance=1000]"),
        ("rrr[tolerance=-0.0]", "rrr[tolerance=0]"),
        ("rrr[iterations=500.0]", "rrr[iterations=500]"),
        ('rrr[support="shrinkwrap"]', "rrr[support=shrinkwrap]"),
        ("unet_a[weights=./mine.safetensors]", "unet_a[weights=mine.safetensors]"),
        ('unet_a[weights="my weights"]', 'unet_a[weights="my weights"]'),
        ('unet_a[weights="a,b]"]', 'unet_a[weights="a,b]"]'),
    ],
)
def test_a_label_names_what_differs_from_the_defaults_in_one_way(label, expected):
    assert canonical(label) == expected
    assert create(label).label == expected


@given(st.text(st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(' ,=[]"'), max_size=12))
def test_any_text_can_be_the_value_of_a_parameter(text):
    label = write_label("mine", {"schedule": text, "steps": 2})
    assert read_label(label) == ("mine", {"schedule": text, "steps": "2"})
    assert split_labels(f"er, {label} ,rrr") == ["er", label, "rrr"]


def test_labels_within_labels_are_read_with_their_quotation_marks_doubled():
    counted = 'rrr[support="largest[pixels=30]",beta=0.5]'
    inner = write_label("chain", {"stages": f"{counted} + er"})
    outer = write_label("chain", {"stages": f"{inner} + er[nonneg=true]"})
    assert inner == 'chain[stages="rrr[support=""largest[pixels=30]"",beta=0.5] + er"]'
    for label in (inner, outer):
        assert canonical(label) == label
        assert create(label).label == label
        assert split_labels(f"{label},er") == [label, "er"]
    assert [part.label for part in create(outer).parts()] == [inner, counted, "er", "er[nonneg=true]"]


@pytest.mark.parametrize(
    "label",
    ["er[support=shrinkwrap[threshold=0.1]]", "chain[stages=rrr[nonneg=true] + er", 'chain[a="[",b=rrr[c=1]]'],
)
def test_a_label_within_a_label_without_quotation_marks_is_refused_with_what_to_write(label):
    with pytest.raises(
        ParameterError, match=r'; a value with brackets goes in quotation marks, parameter="name\[…\]"$'
    ):
        canonical(label)


@pytest.mark.parametrize(
    "label",
    [
        'chain[stages="rrr[support="largest[pixels=30]"] + er"]',
        'chain[stages="rrr[support=\\"largest[pixels=30]\\"] + er"]',
        'chain[stages="rrr + "er""]',
    ],
)
def test_quotation_marks_that_are_not_doubled_are_refused_with_what_to_write(label):
    with pytest.raises(ParameterError, match=r'; within quotation marks write "" for one$') as error:
        canonical(label)
    assert str(error.value).isprintable()


def test_text_is_quoted_only_where_it_must_be():
    assert write_label("mine", {"schedule": "hio:400"}) == "mine[schedule=hio:400]"
    assert write_label("mine", {"schedule": "hio:400,er:100"}) == 'mine[schedule="hio:400,er:100"]'
    assert write_label("mine", {"schedule": 'the "best"'}) == 'mine[schedule="the ""best"""]'
    assert write_label("mine", {"schedule": ""}) == 'mine[schedule=""]'
    assert write_label("mine", {"at": Path("a/b")}) == "mine[at=a/b]"


@pytest.mark.parametrize(
    "label",
    [
        "rrr[beta=0.5 starts=2]",
        "rrr[beta=0.5=1]",
        'rrr[support="box]',
        'rrr[support="box"x]',
        'rrr[support=b"o"x]',
        "rrr[[beta=1]]",
        "rrr[beta=1]]",
        'rrr[support="b\x1b[1mox"]',
        'rrr[support="b\nox"]',
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(label):
    with pytest.raises(ParameterError, match="cannot read") as error:
        canonical(label)
    assert str(error.value).isprintable()
