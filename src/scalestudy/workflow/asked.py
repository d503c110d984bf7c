"""Which study a start asks for, and whether the results that are there are that study's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scalestudy.errors import UserError
from scalestudy.files import read_json
from scalestudy.study import paths
from scalestudy.study.config import DEFAULT_STUDY
from scalestudy.study.yaml_text import read_yaml

# Texts, whatever else they could be read as: a study may be called 2026_07, which Snakemake takes for 202607.
AS_TYPED = ("study", "name", "title", "description")


def asked_for(
    config: Mapping[str, Any], configfiles: Sequence[Path | str], typed: Sequence[str] = ()
) -> tuple[str, dict[str, Any]]:
    """Return the study that Snakemake's `config` names, and the keys that win over its file.

    Snakemake has merged each file of --configfile into `config`, but where a Snakefile of one's own hands on a part of
    it only. A file that holds a whole study (it has a `dataset`) is the study; others give keys, as --config does.
    `typed`: the words after --config. Raises UserError where two studies are named, or an empty one.
    """
    config = {**config, **_texts(config, typed)}
    if "study" in config:
        require_name(config["study"])
    contents = [(_from_here(Path(file)), read_yaml(Path(file))) for file in configfiles]
    whole = [
        (file, content)
        for file, content in contents
        if isinstance(content, dict) and "dataset" in content and "dataset" in config
    ]
    named = config.get("study")
    if len(whole) + (named is not None) > 1:
        several = [
            *([f"study={named}"] if named is not None else []),
            *(f"--configfile {file}" for file, _ in whole),
        ]
        raise UserError(
            f"{' and '.join(several)} name two studies; give one: --config study=NAME, or study=FILE.yaml"
        )
    if not whole:
        return str(DEFAULT_STUDY if named is None else named), {
            k: v for k, v in config.items() if k != "study"
        }
    ((file, content),) = whole
    own = _as_snakemake_reads(file)
    return file, {key: value for key, value in config.items() if key not in content or value != own.get(key)}


def require_name(study: object) -> None:
    """Raise UserError where a study is named by nothing, as by `study=$EMPTY`: that is not the default one."""
    if study in (None, ""):
        raise UserError(
            "--config study= is empty; give the name of a study in config/, or the path of a YAML file"
        )


def _texts(config: Mapping[str, Any], typed: Sequence[str]) -> dict[str, str]:
    """Return the words that Snakemake has read as something else than text, as they were typed."""
    words = dict(word.split("=", 1) for word in typed if "=" in word)
    return {
        key: words[key]
        for key in AS_TYPED
        if words.get(key) and key in config and not isinstance(config[key], str)
    }


def _from_here(file: Path) -> str:
    """Return a path as a user writes it: Snakemake has made it absolute."""
    return str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file)


def _as_snakemake_reads(file: str) -> dict[str, Any]:
    """Return a config file's content as it stands in Snakemake's `config`: by YAML 1.1."""
    import yaml

    found = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}


def check_owner(record: Mapping[str, Any]) -> None:
    """Raise UserError where the folder of the study's results holds those of another study.

    That is one from another file that is still there and asks for something else, or one whose name differs in case on
    a disk that takes both names for the same.
    """
    study, file = str(record["study"]), str(record["file"])
    path = paths.study_folder(study) / "study.json"
    try:
        there = read_json(path)
        name, other = str(there["study"]), str(there["file"])
        same = all(there[key] == record[key] for key in ("dataset", "runs"))
    except (OSError, ValueError, KeyError, TypeError):
        return  # none, a damaged one, or one of a version that did not note its file
    if name != study and name.casefold() == study.casefold():
        raise UserError(
            f"{path.parent} holds the results of study {name}, which this disk takes for the same name as {study}; "
            "give the study another `name:`"
        )
    if same or not Path(other).is_file() or Path(other).samefile(file):
        return
    raise UserError(
        f"{path.parent} holds the results of {other}, another study of the name {study}; give {file} a `name:` of its "
        f"own, or start it under one: --config study={file} name={study}-2"
    )
