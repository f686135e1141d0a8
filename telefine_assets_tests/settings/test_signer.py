"""Who signs, and how many must: the signer's settings, also on a machine that has no deployment."""

import pytest

from telefine_assets.settings.file import SettingsError
from telefine_assets.settings.loading import load_signer_settings
from telefine_assets_tests.small_settings import mistakes

ONE, TWO = "0x52908400098527886E0F7030069857D2E4169EE7", "0xde709f2102306220921060314715629080e2fb77"

pytestmark = pytest.mark.usefixtures("own_environment")


def test_one_signature_of_any_good_key_is_enough_unless_told_otherwise(load):
    assert (load().signer.required, load().signer.attesters) == (1, ())
    assert load({"signer": {"required": 2, "attesters": [ONE, TWO]}}).signer.attesters == (ONE, TWO)


@pytest.mark.parametrize(
    ("signer", "words"),
    [
        ({"required": 2}, "at least the 2"),
        ({"required": 2, "attesters": [ONE, ONE]}, "at least the 2"),
        ({"attesters": [ONE.lower()]}, "must be a checksummed"),
        ({"attesters": ["ann.eth"]}, "must be a checksummed"),
        ({"required": 0}, "greater than or equal to 1"),
    ],
)
def test_who_must_sign_must_be_named(load, signer, words):
    assert any(words in line for line in mistakes(load, {"signer": signer}))


def test_a_machine_without_a_deployment_has_a_signer_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("TELEFINE_SIGNER__KIND", "environment")
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", "07" * 32)
    signer = load_signer_settings(tmp_path / "telefine.yaml")
    assert signer.kind == "environment"
    assert "07" * 32 not in repr(signer)


def test_the_settings_file_may_say_no_more_than_who_signs(tmp_path, monkeypatch):
    path = tmp_path / "telefine.yaml"
    path.write_text("signer: {keystore: keys/a.json, password_file: ../password}")
    signer = load_signer_settings(path)
    assert (signer.keystore, signer.password_file) == (tmp_path / "keys/a.json", tmp_path.parent / "password")
    monkeypatch.setenv("TELEFINE_SIGNER__KEYSTORE", "/other.json")
    assert str(load_signer_settings(path).keystore) == "/other.json"
    path.write_text("signer: {chain_id: 0}")
    with pytest.raises(SettingsError, match=r"signer\.chain_id"):
        load_signer_settings(path)
