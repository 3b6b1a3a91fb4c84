"""What `make verify` compares beside hashes."""

import pytest

from fmnist.versions import verification

RECORDED = "epoch,loss,weights\n1,0.5,0a\n2,0.4,1b\n3,0.3,2c\n"


@pytest.mark.parametrize(
    ("rebuilt", "epoch"),
    [
        (RECORDED, None),
        (RECORDED.replace("1b", "ff").replace("2c", "fe"), "2"),
        (RECORDED.replace("3,0.3,2c\n", ""), "3"),
        (RECORDED + "4,0.2,3d\n", "4"),
        ("", "1"),
    ],
)
def test_the_first_epoch_after_which_trainings_differ_is_found(rebuilt, epoch):
    assert verification.first_other_epoch(RECORDED, rebuilt) == epoch
