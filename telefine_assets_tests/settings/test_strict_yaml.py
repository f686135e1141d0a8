"""A key that stands twice is a mistake, wherever it stands; what may be merged still is."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.keeping.manifest import KeepingError
from telefine_assets.keeping.places import _require_own
from telefine_assets.settings.file import SettingsError
from telefine_assets.settings.loading import load_settings
from telefine_assets.settings.strict_yaml import RepeatedKey, load_yaml
from telefine_assets_tests.small_settings import SECRET, smallest

MERGING = """\
base: &base {model: a, max_tokens: 7}
middle: &middle
  <<: *base
  model: b
several:
  <<: [*middle, *base]
  model: c
again: {nested: {<<: *middle}}
"""


def test_a_key_that_stands_twice_in_the_settings_is_refused_with_both_lines(tmp_path):
    file = tmp_path / "telefine.yaml"
    file.write_text(yaml.safe_dump(smallest()) + f"lm:\n  model: openai/one\n  # {SECRET}\n  'model': {SECRET}\n")
    first = file.read_text().splitlines().index("  model: openai/one") + 1
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert str(caught.value) == (
        f"telefine.yaml: model: stands twice, in lines {first} and {first + 2}: keep one of them"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lm: {}\nhome: x\nlm: {}\n", "lm: stands twice, in lines 1 and 3"),
        ("a:\n- b: 1\n  c: 2\n  b: 3\n", "b: stands twice, in lines 2 and 4"),
        ("a: &a {x: 1}\nb:\n  <<: *a\n  <<: *a\n", "<<: stands twice, in lines 3 and 4"),
        ("a: &a\n  x: 1\n  x: 2\nb: {<<: *a}\n", "x: stands twice, in lines 2 and 3"),
        ("1: a\n0x1: b\n", "1: stands twice, in lines 1 and 2"),
    ],
)
def test_it_is_seen_at_every_depth(text, said):
    with pytest.raises(RepeatedKey, match=said):
        load_yaml(text)


def test_merge_keys_work_as_ever():
    assert load_yaml(MERGING) == yaml.safe_load(MERGING)
    assert load_yaml(MERGING)["several"] == {"model": "c", "max_tokens": 7}


@settings(max_examples=40)
@given(st.recursive(st.integers() | st.text() | st.none(), lambda each: st.dictionaries(st.text(), each)))
def test_whatever_has_no_key_twice_reads_as_pyyaml_reads_it(value):
    text = yaml.safe_dump(value)
    assert load_yaml(text) == yaml.safe_load(text) == value


def test_dagsters_settings_are_read_as_strictly_before_a_backup(tmp_path):
    file = tmp_path / "dagster.yaml"
    file.write_text("storage:\n  postgres: {}\nrun_queue: {}\nstorage:\n")
    with pytest.raises(KeepingError, match="storage: stands twice, in lines 1 and 4: keep one of them"):
        _require_own(file)


def test_no_object_is_made():
    with pytest.raises(yaml.YAMLError):
        load_yaml("!!python/object/apply:os.getcwd []")
