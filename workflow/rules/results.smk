"""From runs to findings: seconds, without torch."""


rule write_study:
    """The resolved study beside its results, from the start: it says whose results they are."""
    input:
        PLAN.file,
    output:
        report(
            f"{RESULTS}/study.json",
            caption="../captions/study.rst",
            category="Tables",
            labels={"table": "Configuration"},
        ),
    log:
        f"{RESULTS}/logs/write_study.log",
    priority: BEFORE_ALL_RUNS
    params:
        study=PLAN.arguments,
    shell:
        "scalestudy write-study {params.study} --output {output:q} > {log:q} 2>&1"


rule collect:
    input:
        # The record of a run is its last file; at the start all of them are held against the checksums in it.
        runs=lambda wildcards: PLAN.files("run.json"),
        study=rules.write_study.output,
        code=project_files("src/scalestudy/results/*.py"),
    output:
        results=report(
            f"{RESULTS}/results.csv",
            caption="../captions/results.rst",
            category="Tables",
            labels={"table": "All runs"},
        ),
        curves=report(
            f"{RESULTS}/curves.csv",
            caption="../captions/curves.rst",
            category="Tables",
            labels={"table": "Learning curves"},
        ),
    log:
        f"{RESULTS}/logs/collect.log",
    params:
        study=STUDY,
    shell:
        "scalestudy collect --whole {params.study:q} > {log:q} 2>&1"


rule analyse:
    input:
        results=rules.collect.output,
        study=rules.write_study.output,
        data=PLAN.stores(),
        code=project_files(
            "src/scalestudy/findings/*.py",
            "src/scalestudy/stats/*.py",
            "src/scalestudy/topics/findings.py",
            "src/scalestudy/topics/*/find.py",
        ),
    output:
        f"{RESULTS}/findings.json",
    log:
        f"{RESULTS}/logs/analyse.log",
    params:
        study=STUDY,
    shell:
        "scalestudy analyse {params.study:q} > {log:q} 2>&1"
