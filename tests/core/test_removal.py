"""What a machine says when the stack is taken off it."""

from colonnade.rollout.removal import Stayed, removal_script, stayed


def test_what_stays_is_read_from_what_the_script_says() -> None:
    said = "Reading\tpackage\tlists\nneeded\tgcc-16-base\nnewer\tperl-base\nnewer\tlibc6\nnewer\tlibc6\n"
    assert stayed(said) == Stayed(newer=("libc6", "perl-base"), needed=("gcc-16-base",))
    assert stayed("") == Stayed()


def test_data_goes_only_if_asked() -> None:
    assert "rm -rf /var/lib/mysql" not in removal_script(data=False)
    assert "rm -rf /var/lib/mysql-colonnade" in removal_script(data=True)


def test_data_can_go_after_all_else_has_gone() -> None:
    assert "/manifest ] || { remove_data; exit 0; }" in removal_script(data=True)
