"""From runs to findings: seconds, without torch."""


rule write_study:
    """The resolved study beside its results; first of all, for it tries what the report will need."""
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
    priority: 2_000_000
    params:
        study=PLAN.arguments,
    shell:
        "scalestudy write-study {params.study} --output {output:q} > {log:q} 2>&1"


rule collect:
    input:
        # By a function: Snakemake looks each file of a plain list up by a hash of the whole list, a minute at 10,000 runs.
        runs=lambda wildcards: PLAN.files(
            "metrics.csv", "run.json", "predictions.npz"
        ),
        study=rules.write_study.output,
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
        "scalestudy collect {params.study:q} > {log:q} 2>&1"


rule analyse:
    input:
        predictions=lambda wildcards: PLAN.files("predictions.npz"),
        results=rules.collect.output,
        study=rules.write_study.output,
        data=PLAN.stores(),
        code=project_files("src/scalestudy/analysis/**/*.py"),
    output:
        f"{RESULTS}/findings.json",
    log:
        f"{RESULTS}/logs/analyse.log",
    params:
        study=STUDY,
    shell:
        "scalestudy analyse {params.study:q} > {log:q} 2>&1"
