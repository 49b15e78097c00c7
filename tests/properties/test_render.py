"""What is generated depends on the stack and on nothing else."""

from hypothesis import given
from tests.properties.made import Site, site_of
from tests.properties.strategies import SITES

from colonnade.facts import facts_script
from colonnade.render import render_machine
from colonnade.rollout import question_for


@given(SITES)
def test_the_same_stack_gives_the_same_files_whatever_the_order_of_its_maps(site: Site) -> None:
    stack = site.topology.stack
    app = stack.app.model_copy(update={"env": dict(reversed(stack.app.env.items()))})
    again = site_of(
        stack.model_copy(update={"app": app}), platform=site.platform, release=site.release.identity
    ).topology
    turned = dict(reversed(list(site.secrets.items())))
    for machine in again.machines:
        rendered = render_machine(
            again, machine, site.platform, turned, site.release, program=site.program, certificates=site.certificates
        )
        assert rendered == site.desired[machine.name]


@given(SITES)
def test_what_is_promised_to_be_sorted_is(site: Site) -> None:
    for desired in site.desired.values():
        assert list(desired.files) == sorted(desired.files, key=lambda file: file.path)
        assert list(desired.directories) == sorted(desired.directories, key=lambda directory: directory.path)
        assert list(desired.packages) == sorted(desired.packages, key=lambda package: (package.suite, package.name))
        assert len({file.path for file in desired.all_files}) == len(desired.all_files)
        assert len({unit.name for unit in desired.units}) == len(desired.units)


@given(SITES)
def test_every_file_says_who_wrote_it_and_ends_with_a_newline(site: Site) -> None:
    for desired in site.desired.values():
        for file in desired.all_files:
            assert file.text.endswith("\n")
            if not file.path.endswith((".asc", ".crt", ".http", ".json", ".key")):  # what has no place for it
                assert "Written by Colonnade" in "".join(file.text.splitlines()[:2]), file.path


@given(SITES)
def test_a_unit_reads_only_files_that_are_there(site: Site) -> None:
    for desired in site.desired.values():
        paths = {file.path for file in desired.all_files}
        for unit in desired.units:
            assert {path for path in (*unit.restart, *unit.reload) if path.startswith("/")} <= paths


@given(SITES)
def test_the_facts_script_asks_for_everything_that_is_compared(site: Site) -> None:
    for machine in site.topology.machines:
        desired = site.desired[machine.name]
        script = facts_script(question_for(site.topology, machine, desired, wait=True))
        for file in desired.all_files:
            assert file.path in script
            assert (f"shown {file.path} {file.sha256}" in script) is not file.secret
        for unit in desired.units:
            assert unit.name in script
