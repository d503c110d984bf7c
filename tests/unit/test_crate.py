"""A study as a research object: what is in it, and that no alteration of it goes unseen."""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
from rocrate.rocrate import ROCrate
from synthetic import collected

from scalestudy import __version__
from scalestudy.cli.sharing import verify
from scalestudy.errors import UserError
from scalestudy.files import read_json, write_json
from scalestudy.report.render import render_report
from scalestudy.sharing import crate as crates
from scalestudy.sharing.crate import CHECKSUMS, METADATA, _exported_by, export_study, verify_crate
from scalestudy.topics.findings import write_findings

FAILED = "resnet18_glyphs_f1_"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the results and the report of a study of four runs, of which one failed."""
    root = tmp_path_factory.mktemp("project")
    options: dict[str, Any] = {
        "models": ("resnet18",),
        "fractions": ("1/2", "1"),
        "broken": {FAILED: "failed"},
    }
    folder = collected(root, study="shared", **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        write_findings(folder)
        render_report(folder, root / "report" / "shared")
    (root / "config").mkdir()
    (root / "config" / "shared.yaml").write_text("dataset: digits\n")
    return root


@pytest.fixture(scope="module")
def exported(project: Path) -> Path:
    """The crate of the study."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        return project / export_study(
            "shared", Path("config/shared.yaml"), Path("export/shared"), "CC-BY-4.0"
        )


@pytest.fixture
def crate(exported: Path, tmp_path: Path) -> Path:
    """A copy of the crate to alter."""
    return Path(shutil.copytree(exported, tmp_path / "crate"))


def entities(crate: Path) -> dict[str, Any]:
    return {each["@id"]: each for each in read_json(crate / METADATA)["@graph"]}


def test_every_file_is_described_with_its_checksum_and_is_there(exported: Path) -> None:
    described = {name: each for name, each in entities(exported).items() if each["@type"] == "File"}
    files = {path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()}
    assert described.keys() == files - {METADATA, CHECKSUMS}
    for name, each in described.items():
        content = (exported / name).read_bytes()
        assert each["sha256"] == hashlib.sha256(content).hexdigest()
        assert each["contentSize"] == str(len(content))
    assert "results/shared/results.csv" in described
    assert "report/shared/partial/report.html" in described
    assert "config/shared.yaml" in described


def test_it_is_a_crate_that_the_library_reads_with_what_the_specification_asks_for(exported: Path) -> None:
    crate = ROCrate(exported)
    assert crate.root_dataset["conformsTo"].id == "https://w3id.org/ro/wfrun/process/0.5"
    assert crate.name == "A synthetic study"
    assert crate.description == "Made up for a test."
    assert crate.license == "CC-BY-4.0"
    assert crate.datePublished
    assert crate.mainEntity.id == "report/shared/partial/report.html"
    graph = entities(exported)
    assert graph[METADATA]["about"] == {"@id": "./"}
    references = [
        value["@id"]
        for each in graph.values()
        for values in each.values()
        for value in (values if isinstance(values, list) else [values])
        if isinstance(value, dict) and not value["@id"].startswith("http")
    ]
    assert [reference for reference in references if reference not in graph] == []


def test_each_run_is_an_action_with_its_command_inputs_results_software_and_times(exported: Path) -> None:
    graph = entities(exported)
    actions = {name: each for name, each in graph.items() if each["@type"] == "CreateAction"}
    study = read_json(exported / "results/shared/study.json")
    assert actions.keys() == {"#report", *(f"#{run['run']}" for run in study["runs"])}
    for run in study["runs"]:
        action, folder = actions[f"#{run['run']}"], exported / "results/shared/runs" / run["run"]
        if run["run"].startswith(FAILED):
            assert action["actionStatus"] == {"@id": "http://schema.org/FailedActionStatus"}
            assert action["error"]
            continue
        record = read_json(folder / "run.json")
        assert (action["startTime"], action["endTime"]) == (record["started"], record["ended"])
        assert action["description"] == record["command"]
        made = {Path(each["@id"]).name for each in action["result"]}
        assert made == {"metrics.csv", "run.json", "predictions.npz"}
        assert graph[action["instrument"]["@id"]]["softwareVersion"] == record["versions"]["scalestudy"]


def test_a_crate_as_it_was_exported_is_verified_wherever_it_lies(
    crate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(crate.parent)
    before = sorted(crate.rglob("*"))
    found = verify_crate(Path("crate"))
    assert found.faults == []
    assert found.study == "shared"
    assert sorted(crate.rglob("*")) == before


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum here")
def test_the_checksums_are_those_of_sha256sum(exported: Path) -> None:
    done = subprocess.run(["sha256sum", "--check", "--strict", CHECKSUMS], cwd=exported, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_each_changed_missing_and_added_file_is_named(crate: Path) -> None:
    changed = next(crate.glob("results/shared/runs/*/metrics.csv"))
    changed.write_text(changed.read_text().replace("1", "2", 1))
    (crate / "report/shared/partial/report.md").unlink()
    (crate / "results/shared/more.csv").write_text("run\n")
    assert sorted(verify_crate(crate).faults) == [
        "added: results/shared/more.csv",
        f"changed: {changed.relative_to(crate).as_posix()}",
        "missing: report/shared/partial/report.md",
    ]


def test_a_changed_file_with_a_new_checksum_contradicts_the_metadata(crate: Path) -> None:
    name = "results/shared/results.csv"
    (crate / name).write_text((crate / name).read_text().replace("0.9", "0.8"))
    (crate / CHECKSUMS).unlink()
    crates._write_checksums(crate)
    assert verify_crate(crate).faults == [f"changed: {name} ({METADATA} and {CHECKSUMS} disagree)"]


def test_changed_metadata_are_named(crate: Path) -> None:
    (crate / METADATA).write_text((crate / METADATA).read_text().replace("CC-BY-4.0", "CC0-1.0"))
    assert verify_crate(crate).faults == [f"changed: {METADATA}"]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("results/shared/results.csv", "complete,", "complete,x"),
        ("results/shared/findings.json", "A synthetic study", "A better study"),
        ("report/shared/partial/report.md", "A synthetic study", "A better study"),
    ],
)
def test_a_forgery_with_all_checksums_made_anew_differs_from_what_the_runs_give(
    crate: Path, name: str, old: str, new: str
) -> None:
    text = (crate / name).read_text(encoding="utf-8")
    assert old in text
    (crate / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    for each in (METADATA, CHECKSUMS):
        (crate / each).unlink()
    crates._describe(crate, "shared", "")
    crates._write_checksums(crate)
    assert f"differs when it is made again: {name}" in verify_crate(crate).faults


def test_a_zip_file_is_the_same_crate(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    crate = export_study("shared", Path("config/shared.yaml"), tmp_path / "shared.zip")
    with zipfile.ZipFile(crate) as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {"shared"}
    assert verify_crate(crate).faults == []
    assert list(tmp_path.iterdir()) == [crate]


def test_a_report_that_is_not_what_the_results_give_is_not_exported(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(project, tmp_path / "copy", ignore=shutil.ignore_patterns("export"))
    monkeypatch.chdir(tmp_path / "copy")
    with Path("report/shared/partial/report.md").open("a") as file:
        file.write("And more.\n")
    with pytest.raises(
        UserError,
        match=r"not what the results give \(report/shared/partial/report.md\); make it again: snake",
    ):
        export_study("shared", Path("config/shared.yaml"), Path("export/shared"))
    assert list(Path("export").iterdir()) == []


def test_what_is_there_is_not_overwritten_and_what_is_not_there_not_exported(
    project: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    with pytest.raises(UserError, match="is there already"):
        export_study("shared", Path("config/shared.yaml"), Path("export/shared"))
    with pytest.raises(UserError, match=r"study\.json is not there; `snakemake report --config study=other`"):
        export_study("other", Path("config/shared.yaml"), Path("export/other"))


@pytest.mark.parametrize("name", ["a:b", "con", "nul.txt", "ends with a dot.", "what?", "tab\t"])
def test_names_that_windows_cannot_hold_are_known(name: str) -> None:
    assert not crates._fits_windows(name)
    assert crates._fits_windows("resnet18_none_f1of16_adam_lr1e-3_b256_s0-3f9a1c2b")


def test_what_is_no_crate_or_reaches_outside_of_itself_is_refused(crate: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not there; `scalestudy export` makes a crate"):
        verify_crate(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no RO-Crate"):
        verify_crate(tmp_path / "empty")
    study = read_json(crate / "results/shared/study.json")
    study["runs"][0]["run"] = "../../../../outside"
    write_json(crate / "results/shared/study.json", study)
    with pytest.raises(UserError, match="names files outside of it"):
        verify_crate(crate)


@pytest.mark.parametrize("where", ["data/evil", "results/shared/evil.csv", "evil", CHECKSUMS, METADATA])
@pytest.mark.parametrize("target", ["/dev/zero", "/etc", "/etc/passwd", "..", "README.md", "/nowhere"])
def test_a_link_in_a_crate_is_refused_and_followed_nowhere(crate: Path, where: str, target: str) -> None:
    (crate / where).unlink(missing_ok=True)
    (crate / where).symlink_to(target)
    with pytest.raises(UserError, match=r"evil|checksums|metadata.*is a link"):
        verify_crate(crate)


def test_a_pipe_a_device_and_a_socket_in_a_crate_are_refused_and_not_opened(crate: Path) -> None:
    os.mkfifo(crate / "data" / "pipe.json")
    with pytest.raises(UserError, match=r"pipe\.json' is a device, a pipe or a socket"):
        verify_crate(crate)
    (crate / "data" / "pipe.json").unlink()
    (crate / CHECKSUMS).unlink()
    os.mkfifo(crate / CHECKSUMS)
    with pytest.raises(UserError, match="is a device, a pipe or a socket"):
        verify_crate(crate)


def zipped(folder: Path, *extra: tuple[str, int]) -> Path:
    """Pack a crate, and entries with names and Unix modes of their own, into a zip file."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.rglob("*"):
            if file.is_file():
                archive.write(file, file.relative_to(folder.parent))
        for name, mode in extra:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, "/etc")
    return path


@pytest.mark.parametrize(
    "name", ["../outside.txt", "/tmp/outside.txt", "crate/../../outside.txt", "crate\\..\\..\\x", "C:/x"]
)
def test_a_zip_file_that_names_files_outside_of_it_is_refused(crate: Path, name: str) -> None:
    before = sorted(crate.parent.parent.rglob("*"))
    packed = zipped(crate, (name, 0o100644))
    with pytest.raises(UserError, match="lies outside of it; nothing was unpacked"):
        verify_crate(packed)
    assert sorted(crate.parent.parent.rglob("*")) == sorted([*before, packed])


def test_a_link_and_a_device_in_a_zip_file_are_refused(crate: Path) -> None:
    for mode in (stat.S_IFLNK | 0o777, stat.S_IFCHR | 0o666, stat.S_IFIFO | 0o666):
        with pytest.raises(UserError, match="neither a file nor a folder; nothing was unpacked"):
            verify_crate(zipped(crate, ("crate/data/evil", mode)))


@pytest.mark.parametrize("inside", ["a zip file", "the predictions of a run"])
def test_an_archive_that_would_fill_the_disk_is_refused_before_it_does(crate: Path, inside: str) -> None:
    zeros = bytes(2**20)
    if inside == "a zip file":
        packed = crate.with_suffix(".zip")
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(120):
                archive.writestr(f"crate/data/{number}", zeros)
    else:
        packed = crate
        with zipfile.ZipFile(
            next(crate.glob("results/shared/runs/*/predictions.npz")), "w", zipfile.ZIP_DEFLATED
        ) as archive:
            for number in range(120):
                archive.writestr(f"{number}.npy", zeros)
    with pytest.raises(UserError, match=r"would unpack [\d,]+ bytes to 125,829,120; nothing was unpacked"):
        verify_crate(packed)


def test_a_zip_file_that_is_cut_flipped_or_locked_is_named(crate: Path) -> None:
    packed = zipped(crate)
    content = bytearray(packed.read_bytes())
    for position in range(200, 260):
        content[position] ^= 0xFF
    packed.write_bytes(content)
    with pytest.raises(UserError, match=r"crate\.zip: cannot be unpacked \("):
        verify_crate(packed)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("run", {"a": 1}),
        ("run", ["x"]),
        ("run", None),
        ("run", "/etc/passwd"),
        ("log", "../../../etc/passwd"),
        ("settings", {"dataset": "../../../etc"}),
        ("settings", "none"),
    ],
)
def test_a_study_whose_names_are_no_names_or_lie_outside_is_refused(
    crate: Path, key: str, value: Any
) -> None:
    study = read_json(crate / "results/shared/study.json")
    study["runs"][0][key] = value
    write_json(crate / "results/shared/study.json", study)
    with pytest.raises(UserError, match=r"no crate of a study, its study\.json"):
        verify_crate(crate)


@pytest.mark.parametrize("name", ["study.json", METADATA])
@pytest.mark.parametrize(
    "text", ["", "[]", "{", "null", '{"@graph": [1, 2]}', '{"@graph": {"a": 1}}', "[" * 100_000]
)
def test_a_record_with_other_content_than_a_record_has_is_refused(crate: Path, name: str, text: str) -> None:
    (crate / "results/shared" / name if name == "study.json" else crate / name).write_text(text)
    with pytest.raises(UserError, match=r"no RO-Crate|no crate of a study"):
        verify_crate(crate)


def test_what_a_program_would_read_as_its_own_is_no_part_of_a_crate(crate: Path) -> None:
    (crate / "templates").mkdir()
    (crate / "templates" / "report.html.j2").write_text("{{ cycler.__init__.__globals__.os.system('id') }}")
    for each in (METADATA, CHECKSUMS):
        (crate / each).unlink()
    crates._describe(crate, "shared", "")
    crates._write_checksums(crate)
    assert verify_crate(crate).faults == ["added: templates/report.html.j2"]


def test_a_crate_of_which_no_report_can_be_made_is_named_without_a_traceback(crate: Path) -> None:
    study = read_json(crate / "results/shared/study.json")
    study["experiments"] = {"sizes": 17}
    write_json(crate / "results/shared/study.json", study)
    for each in (METADATA, CHECKSUMS):
        (crate / each).unlink()
    crates._describe(crate, "shared", "")
    crates._write_checksums(crate)
    with pytest.raises(UserError, match="its report cannot be made again from its files"):
        verify_crate(crate)


def test_a_file_name_with_control_characters_is_shown_and_not_obeyed(
    crate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (crate / "data" / "\x1b[2Jall is well\n\r").write_text("")
    with pytest.raises(UserError):
        verify(crate)
    assert capsys.readouterr().out == "added: data/\\x1b[2Jall is well\\n\\x0d\n"


def test_the_command_names_each_fault_and_ends_with_a_failure(crate: Path) -> None:
    (crate / "README.md").write_text("altered\n")
    command = [sys.executable, "-m", "scalestudy", "verify", str(crate)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stdout == "changed: README.md\n"
    assert done.stderr == f"error: {crate} is not as it was exported: 1 fault\n"


def test_a_zip_file_with_something_beside_the_crate_or_an_entry_twice_is_refused(crate: Path) -> None:
    beside = zipped(crate)
    with zipfile.ZipFile(beside, "a") as archive:
        archive.writestr("READ-ME-FIRST.html", "forged")
    with pytest.raises(UserError, match="more than the one folder of a crate"):
        verify_crate(beside)
    beside.unlink()
    twice = zipped(crate)
    with zipfile.ZipFile(twice, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr(next(name for name in archive.namelist() if name.endswith("README.md")), "forged")
    with pytest.raises(UserError, match="is in it twice"):
        verify_crate(twice)


def test_folders_in_folders_without_end_are_refused_in_one_line(crate: Path) -> None:
    deep = crate
    for _ in range(60):
        deep = deep / "d"
        deep.mkdir()
    with pytest.raises(UserError, match="folders lie in it more than 40 deep"):
        verify_crate(crate)


def test_a_zip_file_with_an_entry_for_the_folder_itself_is_the_same_crate(crate: Path) -> None:
    packed = zipped(crate)
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("./", "")
    assert not verify_crate(packed).faults


def test_the_version_that_exported_a_crate_is_that_of_its_report_and_not_of_its_oldest_training(
    crate: Path,
) -> None:
    entities = [
        {"@id": "#old", "softwareVersion": "0.0.1"},
        {"@id": "#new", "softwareVersion": "7.0"},
        {"@id": "#report", "instrument": {"@id": "#new"}},
    ]
    assert _exported_by(entities) == "7.0"
    metadata = read_json(crate / METADATA)["@graph"]
    assert _exported_by(metadata) == __version__
    assert _exported_by([]) == __version__
