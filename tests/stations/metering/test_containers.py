"""The container: in as makers and S.A.F.E. write it, out so that it comes in again the same."""

import pytest

from stations.metering.containers import ContainerUnreadable, read, written
from stations.metering.judging import SignedValue, judge
from stations.metering.keys import public_key_read
from tests.vectors.meters import DATA, SHARED


@pytest.mark.parametrize("name", SHARED)
def test_a_container_of_others_is_read_and_written_again(name: str) -> None:
    found = read((DATA / name).read_bytes())
    values, key = [one.value for one in found], found[0].public_key
    der = public_key_read(key)[0]
    assert judge(values, der).reason == SHARED[name]
    again = read(written(values, der.hex(), found[0].transaction_id))
    assert [one.value for one in again] == values and again[0].transaction_id == found[0].transaction_id
    assert public_key_read(again[-1].public_key)[0] == der


def test_every_character_of_a_text_comes_back() -> None:
    values = [
        SignedValue("OCMF", "plain", "", 'OCMF|{"TT":"<&\r\n\t>"}|{"ä":"€"}'),
        SignedValue("EDL40", "hex", "Sample.Clock", "00ff"),
    ]
    assert [one.value for one in read(written(values))] == values


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no xml",
        b"<values/>",
        b"<values><value/></values>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><values><value><signedData>&a;</signedData></value></values>',
        b'<values><value><signedData encoding="rot13">x</signedData></value></values>',
        "<values/>".encode("utf-16"),
    ],
)
def test_what_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(ContainerUnreadable):
        read(data)
