# SPDX-License-Identifier: Apache-2.0
"""Attributes: small facts that travel with a version."""

from __future__ import annotations

import numpy as np
import pytest

import clara_fastio as fastio


@pytest.fixture
def variable(context):
    variable = context.variable("x", shape=(4,))
    yield variable
    variable.release()


def write(variable, value=1):
    with variable.map("w") as array:
        array[:] = value


def test_attributes_travel_with_the_next_commit(variable, peer):
    variable.attrs = {"spacing": [0.5, 0.5, 1.25], "units": "mm"}
    assert dict(variable.attrs) == {"spacing": [0.5, 0.5, 1.25], "units": "mm"}
    peer.do("x = context['x']")
    assert peer.value("dict(x.attrs)") == {}
    write(variable)
    assert peer.value("dict(x.attrs)") == {"spacing": [0.5, 0.5, 1.25], "units": "mm"}


def test_attributes_are_a_dictionary(variable):
    write(variable)
    attrs = variable.attrs
    assert len(attrs) == 0
    attrs["a"] = 1
    attrs["b"] = [2, None, True, "drei"]
    attrs.update(c={"d": 4})
    assert list(attrs) == ["a", "b", "c"]
    assert "a" in attrs
    assert attrs.get("z", 7) == 7
    del attrs["a"]
    assert attrs == {"b": [2, None, True, "drei"], "c": {"d": 4}}
    assert repr(attrs) == "Attributes({'b': [2, None, True, 'drei'], 'c': {'d': 4}})"
    with pytest.raises(KeyError):
        attrs["a"]
    with pytest.raises(KeyError):
        del attrs["a"]


def test_attributes_belong_to_the_next_write_until_then(variable, peer):
    variable.attrs["a"] = 1
    write(variable)
    variable.attrs["a"] = 2
    assert variable.attrs["a"] == 2
    peer.do("x = context['x']")
    assert peer.value("x.attrs['a']") == 1
    write(variable)
    assert peer.value("x.attrs['a']") == 2


def test_attributes_stay_when_only_the_content_changes(variable, peer):
    variable.attrs["a"] = 1
    write(variable)
    write(variable, 2)
    assert variable.version == 2
    assert peer.value("context['x'].attrs['a']") == 1


def test_attributes_can_grow_and_shrink_from_write_to_write(variable, peer):
    peer.do("x = context['x']")
    for length in (1, 4000, 10, 3000, 0):
        variable.attrs = {"text": "x" * length}
        write(variable, length % 256)
        assert peer.value("len(x.attrs['text'])") == length


def test_values_of_numpy_become_plain_ones(variable, peer):
    variable.attrs = {"affine": np.eye(2), "level": np.int16(3), "spacing": np.float32(0.5)}
    write(variable)
    wanted = {"affine": [[1.0, 0.0], [0.0, 1.0]], "level": 3, "spacing": 0.5}
    assert peer.value("dict(context['x'].attrs)") == wanted


def test_any_text_can_be_said(variable, peer):
    variable.attrs = {"名前": "Gehirn 🧠\n\0"}
    write(variable)
    assert peer.value("context['x'].attrs['名前']") == "Gehirn 🧠\n\0"


def test_more_than_four_kibibytes_are_refused_and_nothing_changes(variable):
    variable.attrs = {"a": 1}
    with pytest.raises(ValueError, match="4096"):
        variable.attrs["b"] = "x" * 4096
    assert dict(variable.attrs) == {"a": 1}
    variable.attrs = {"": "x" * (4096 - len('{"":""}'))}
    write(variable)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_without_a_form_in_json_are_refused(variable, value):
    with pytest.raises(ValueError, match="JSON"):
        variable.attrs["a"] = value


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", 1j])
def test_values_without_a_form_in_json_are_refused(variable, value):
    with pytest.raises(TypeError, match="has no form in JSON"):
        variable.attrs["a"] = value


def test_names_are_texts(variable):
    with pytest.raises(TypeError, match="is a str, not 5"):
        variable.attrs = {5: 1}
    with pytest.raises(TypeError, match="attributes are a mapping"):
        variable.attrs = [1]


def test_only_the_producer_sets_them(variable, peer):
    write(variable)
    assert peer.error("context['x'].attrs['a'] = 1").startswith("ReadOnlyError")


def test_allocations_have_none():
    assert not hasattr(fastio.Allocation, "attrs")
