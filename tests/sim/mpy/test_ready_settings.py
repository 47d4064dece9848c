"""sim/mpy/ready_settings.py: what is there is used, what is missing is made, and all of it belongs together."""

import json

import pytest

from pb_link.settings import FILE, read
from server.service.key_file import KeyFile
from sim.mpy.ready_settings import KEYS, MAX_CLIENTS, prepare


@pytest.fixture
def made(tmp_path):
    """Prepares clients in the folder `user`. Returns their list; `said` has what a user is told."""
    user, said = tmp_path / "user", []
    user.mkdir()

    def run(count, look=True):
        scratch = tmp_path / f"scratch{len(list(tmp_path.iterdir()))}"
        scratch.mkdir()
        return prepare(user, count, scratch, look=look, say=said.append)

    run.user, run.said = user, said
    return run


def test_missing_settings_are_made_once_and_only_their_owner_can_read_them(made):
    [one] = made(1)
    path = made.user / FILE
    assert one.id == "demo" and one.made and path.stat().st_mode & 0o077 == 0
    key = json.loads(path.read_text())["key"]
    assert key not in "".join(made.said) and len(made.said) == 1
    [again] = made(1)
    assert not again.made and json.loads(path.read_text())["key"] == key and len(made.said) == 1


def test_each_further_client_has_the_same_settings_under_an_id_and_a_key_of_its_own(made):
    ready = made(3)
    assert [one.id for one in ready] == ["demo", "demo-2", "demo-3"] and len({one.folder for one in ready}) == 3
    settings = [read(str(one.folder / FILE)) for one in ready]
    assert len({one["key"] for one in settings}) == 3 and len({one["port"] for one in settings}) == 1
    keys = KeyFile(made.user / KEYS).read()
    assert {one["id"]: bytes.fromhex(one["key"]) for one in settings} == keys


def test_keys_of_the_time_before_are_used_again(made):
    before = [read(str(one.folder / FILE))["key"] for one in made(2)]
    assert [read(str(one.folder / FILE))["key"] for one in made(2)] == before


def test_settings_that_are_no_good_are_left_to_the_program_unless_the_id_is_needed(made):
    (made.user / FILE).write_text('{"pasword": 1}')
    assert made(1, look=False)[0].id is None
    for count in (1, 2):
        with pytest.raises(ValueError, match="pasword"):
            made(count)


def test_there_is_an_end_to_the_number_of_clients(made):
    with pytest.raises(ValueError, match="too many"):
        made(MAX_CLIENTS + 1)
