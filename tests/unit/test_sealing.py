"""Sealed values: their format, and which keys open them."""

import pytest

from control_plane.db.sealing import SealBroken, Sealer, split_keys
from control_plane.errors import SecretsKeyMissing

ONE, TWO = "the first key of this test, long enough", "another key of this test, long enough"


@pytest.mark.parametrize("text", ["JBSWY3DPEHPK3PXP", "", "whsec_ äöü 🎟", "x" * 10_000, "sealed:"])
def test_a_sealed_value_opens_again_and_is_unreadable(text: str) -> None:
    sealed = Sealer([ONE]).seal(text)
    assert Sealer([ONE]).open(sealed) == text
    assert not text or text not in sealed.removeprefix("sealed:")


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    sealer = Sealer([ONE])
    assert sealer.seal("secret") != sealer.seal("secret")


@pytest.mark.parametrize("keys", [[], [TWO]])
def test_another_key_or_no_key_opens_nothing(keys: list[str]) -> None:
    with pytest.raises(SealBroken):
        Sealer(keys).open(Sealer([ONE]).seal("secret"))


def test_a_changed_value_is_refused_wherever_it_was_changed() -> None:
    sealed = Sealer([ONE]).seal("secret")
    for place in range(len("sealed:"), len(sealed), 7):
        changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
        with pytest.raises(SealBroken):
            Sealer([ONE]).open(changed)


@pytest.mark.parametrize("garbage", ["sealed:", "sealed:x", "sealed:é", "sealed:" + "A" * 100_000, "sealed:gAAAA"])
def test_garbage_is_refused_as_damaged(garbage: str) -> None:
    with pytest.raises(SealBroken):
        Sealer([ONE]).open(garbage)


def test_a_value_stored_before_there_were_keys_is_read_and_gets_sealed() -> None:
    assert Sealer([ONE]).open("JBSWY3DPEHPK3PXP") == "JBSWY3DPEHPK3PXP"
    renewed = Sealer([ONE]).renewed("JBSWY3DPEHPK3PXP")
    assert Sealer([ONE]).open(renewed) == "JBSWY3DPEHPK3PXP" != renewed


def test_a_new_first_key_takes_over_and_the_old_one_can_be_removed() -> None:
    sealed = Sealer([ONE]).seal("secret")
    renewed = Sealer([TWO, ONE]).renewed(sealed)
    assert Sealer([TWO]).open(renewed) == "secret"
    assert Sealer([TWO, ONE]).renewed(renewed) == renewed


def test_without_a_key_nothing_is_sealed() -> None:
    with pytest.raises(SecretsKeyMissing):
        Sealer().seal("secret")
    with pytest.raises(SecretsKeyMissing):
        Sealer().renewed("secret")


def test_one_setting_can_hold_several_keys() -> None:
    long = "k" * 32
    assert split_keys(f" {long}, {long}a ,\t{long} b") == [long, f"{long}a", f"{long} b"]
    for value in ("", " ", "k" * 31, f"{long},short", f"{long},", ","):
        with pytest.raises(ValueError, match="32 characters"):
            split_keys(value)
