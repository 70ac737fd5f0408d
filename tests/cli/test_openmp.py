from pathlib import Path

import pytest

from stexplain.cli import openmp

MAPS = """\
7f0000000000-7f0000001000 r-xp 00000000 08:01 11 /venv/torch/lib/libgomp.so.1
7f0000001000-7f0000002000 r--p 00001000 08:01 11 /venv/torch/lib/libgomp.so.1
7f0000002000-7f0000003000 r-xp 00000000 08:01 12 /venv/scipy/_decomp_update.so
7f0000003000-7f0000004000 rw-p 00000000 00:00 0
7f0000004000-7f0000005000 rw-p 00000000 00:00 0 [stack]
{more}"""


@pytest.fixture
def environment(monkeypatch):
    """No setting of how threads wait; what a test sets is put back."""
    for name in openmp.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(openmp, "_set_here", False)
    return monkeypatch


def test_threads_wait_passively(environment):
    for name in openmp.WAITING:
        # So that the fixture removes what is set here.
        environment.setenv(name, "")
        environment.delenv(name)
    assert openmp.wait_policy() == openmp.WaitPolicy({}, "nothing")
    openmp.wait_passively()
    assert openmp.wait_policy() == openmp.WaitPolicy(openmp.WAITING, "stexplain")
    assert str(openmp.wait_policy()) == (
        "passive, idle threads spin for microseconds, then sleep: "
        "OMP_WAIT_POLICY=PASSIVE, GOMP_SPINCOUNT=500, set by stexplain"
    )


def test_the_users_own_passive_policy_is_named(environment):
    environment.setenv("OMP_WAIT_POLICY", "passive")
    openmp.wait_passively()
    assert str(openmp.wait_policy()) == "passive, idle threads sleep: OMP_WAIT_POLICY=passive, set by the environment"


@pytest.mark.parametrize("name", openmp.SETTINGS)
def test_what_the_environment_says_is_left_alone(environment, name: str):
    environment.setenv(name, "7")
    openmp.wait_passively()
    assert openmp.wait_policy() == openmp.WaitPolicy({name: "7"}, "the environment")
    assert str(openmp.wait_policy()) == f"as set: {name}=7, set by the environment"


def test_an_active_policy_is_left_alone(environment):
    environment.setenv("OMP_WAIT_POLICY", "active")
    openmp.wait_passively()
    assert "OMP_WAIT_POLICY=active, set by the environment" in str(openmp.wait_policy())


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", ["libgomp.so.1"]),
        (
            "7f1 r-xp 00000000 08:01 13 /venv/intel lib/libiomp5.so\n"
            "7f2 r-xp 00000000 08:01 14 /venv/libgomp-a34b.so.1.0.0\n",
            ["libgomp-a34b.so.1.0.0", "libgomp.so.1", "libiomp5.so"],
        ),
        ("7f1 r-xp 00000000 08:01 13 /usr/lib/libgomp.so.1\n", ["libgomp.so.1", "libgomp.so.1"]),
        ("7f1 r-xp 00000000 08:01 13 /usr/lib/libomp.so\n", ["libgomp.so.1", "libomp.so"]),
    ],
)
def test_runtimes_are_told_apart_from_other_libraries(tmp_path: Path, more: str, expected: list[str]):
    maps = tmp_path / "maps"
    maps.write_text(MAPS.format(more=more))
    assert sorted(path.name for path in openmp.openmp_runtimes(maps)) == expected


def test_where_the_system_lists_no_libraries(tmp_path: Path):
    assert openmp.openmp_runtimes(tmp_path / "maps") is None


def test_two_runtimes_are_explained(monkeypatch):
    from stexplain.cli.diagnosis import diagnose

    monkeypatch.setattr(diagnose, "openmp_runtimes", lambda: [Path("/a/libgomp.so.1"), Path("/b/libiomp5.so")])
    finding = diagnose.check_threads()[-1]
    assert finding.value.startswith("2 (libgomp.so.1, libiomp5.so): each has threads of its own")
    assert finding.ok
