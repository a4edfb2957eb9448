"""What pydantic refuses is said in one line that names what is taken instead."""

from __future__ import annotations

import contextlib
from enum import Enum
from typing import Annotated, Literal

import numpy as np
import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from pydantic.errors import PydanticErrorMixin, PydanticUserError

from datasets import DatasetError, ImageSource
from datasets.images import create as create_source
from datasets.refusals import of_class, of_value
from solvers import ParameterError, create
from solvers.registry import BUILT_IN, solver_class


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Model(BaseModel):
    flag: bool = False
    count: int = Field(1, ge=1, le=9)
    big: int = Field(1, ge=0, lt=2**63)
    share: float = Field(0.5, gt=0, lt=1, allow_inf_nan=False)
    free: float = 0.0
    capped: float = Field(0.0, le=2)
    maybe: int | None = Field(None, ge=3)
    kind: Literal["best", "last"] = "best"
    single: Literal["one"] = "one"
    colour: Colour = Colour.RED
    inner: Annotated[float, Field(ge=-1)] = 1.0
    numbers: tuple[int, ...] = ()
    text: str = ""

    @field_validator("text")
    @classmethod
    def _short(cls, text: str) -> str:
        if len(text) > 3:
            raise ValueError("is longer than three letters")
        return text

    @model_validator(mode="after")
    def _fits(self) -> Model:
        if self.flag and self.count == 9:
            raise AssertionError("flag leaves no room for nine")
        return self


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"flag": "maybe"}, "flag = maybe: takes true or false"),
        ({"count": "x"}, "count = x: takes a whole number from 1 to 9"),
        ({"count": 0}, "count = 0: takes a whole number from 1 to 9"),
        ({"count": 1.5}, "count = 1.5: takes a whole number from 1 to 9"),
        ({"big": -1}, "big = -1: takes a whole number of at least 0 and below 2^63"),
        ({"share": 1}, "share = 1: takes a number above 0 and below 1"),
        ({"share": "inf"}, "share = inf: takes a finite number above 0 and below 1"),
        ({"free": "x"}, "free = x: takes a number"),
        ({"capped": 3}, "capped = 3: takes a number at most 2"),
        ({"maybe": "x"}, "maybe = x: takes a whole number of at least 3"),
        ({"kind": "first"}, "kind = first: takes best or last"),
        ({"single": "two"}, "single = two: takes one"),
        ({"colour": "green"}, "colour = green: takes red or blue"),
        ({"inner": -2}, "inner = -2: takes a number of at least -1"),
        ({"numbers": ["1", "x"]}, "numbers.1 = x: takes a whole number"),
        ({"numbers": 3}, "numbers = 3: takes a list"),
        ({"text": 3}, "text = 3: takes text"),
        ({"text": "long"}, "text = long: is longer than three letters"),
        ({"flag": True, "count": 9}, "flag leaves no room for nine"),
    ],
)
def test_a_value_is_refused_with_what_is_taken(values, words):
    with pytest.raises(ValidationError) as error:
        Model(**values)
    assert str(of_value(error.value, Model)) == words


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("er[nonneg=maybe]", "solver 'er': nonneg = maybe: takes true or false"),
        ("unet_a[precision=fp16]", "takes float32 or bf16"),
        ('er[support="shrinkwrap[keep=first]"]', "keep = first: takes best or last"),
        ('er[support="largest[pixels=0]"]', "pixels = 0: takes a whole number of at least 1"),
        ('cycle[schedule="hio[beta=x]:20"]', "beta = x: takes a number above 0 and at most 2"),
    ],
)
def test_a_label_is_refused_with_what_is_taken(label, words):
    with pytest.raises(ParameterError) as error:
        create(label)
    assert words in str(error.value)


def test_an_image_set_is_refused_with_what_is_taken():
    with pytest.raises(DatasetError, match=r"dataset 'atoms': count = x: takes a whole number from 1 to 400"):
        create_source("atoms[count=x]")


@pytest.mark.parametrize("name", BUILT_IN)
def test_no_parameter_of_a_solver_is_refused_in_the_words_of_pydantic(name):
    said = []
    for field in solver_class(name).model_fields:
        with contextlib.suppress(ParameterError):
            create(f'{name}[{field}="?/?"]')
            continue
        with pytest.raises(ParameterError) as error:
            create(f'{name}[{field}="?/?"]')
        said.append(str(error.value))
    assert said
    assert not [line for line in said if "Input should" in line]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("beta = 0.9", "'beta' has no type: write beta: float = 0.9 for a parameter, or beta: ClassVar = 0.9 for"),
        ("title = 'a `b`. All model'", "'title' has no type: write title: str = 'a `b`. All model' for a parameter"),
        ("table = [1,\n    2]", "'table' has no type: write table: ClassVar = …"),
        ("beta = Field(0.5, gt=0)", "'beta' has no type"),
        ("count = 3", "'count', a parameter of its base class, has no type"),
        ("start: np.ndarray = None", "declared as <class 'numpy.ndarray'>, which no label can write"),
        ("beta: 'flaot' = 0.9", "declared as flaot, which is not defined"),
    ],
)
def test_a_class_is_refused_with_how_to_declare_its_parameters(body, words):
    source = f"class Mine(Model):\n    {body}\nMine()"
    with pytest.raises(Exception) as error:  # noqa: PT011 - which one is pydantic's affair
        exec(source, {"Model": Model, "np": np, "Field": Field})
    assert isinstance(error.value, PydanticErrorMixin)
    assert words in of_class(error.value)


def test_what_is_not_known_is_left_to_pydantic():
    assert of_class(PydanticUserError("something\nnew", code="config-both")) == ""


def test_an_image_set_does_not_change_once_it_is_made():
    class Mine(ImageSource):
        name = "mine"
        summary = "images"
        size: int = 3

        def read(self, split, folder=None):
            self._seen = split
            self.size = 4

    mine = Mine()
    with pytest.raises(AttributeError, match=r"'size' cannot be set: Mine does not change.*begins with _"):
        mine.read("train")
    assert (mine.size, mine._seen) == (3, "train")
