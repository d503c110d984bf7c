"""From findings to the report."""


rule figures:
    """All figures in one process: starting one takes longer than drawing a figure."""
    input:
        rules.analyse.output,
        code=project_files(
            "src/scalestudy/report/**/*.py", "src/scalestudy/topics/**/*.py"
        ),
    output:
        [
            report(
                f"{RESULTS}/figures/{name}.svg",
                caption="../captions/figure.rst",
                category="Key figures",
                labels={"figure": title},
            )
            for name, title in PLAN.figures.items()
        ],
        png=expand(f"{RESULTS}/figures/{{figure}}.png", figure=PLAN.figures),
        csv=expand(f"{RESULTS}/figures/{{figure}}.csv", figure=PLAN.figures),
    log:
        f"{RESULTS}/logs/figures.log",
    params:
        study=STUDY,
    shell:
        "scalestudy figure all {params.study:q} > {log:q} 2>&1"


rule render:
    input:
        findings=rules.analyse.output,
        figures=rules.figures.output,
        templates=project_files("templates/*"),
        code=project_files(
            "src/scalestudy/report/**/*.py", "src/scalestudy/topics/**/*.py"
        ),
    output:
        html=report(
            f"report/{STUDY}/report.html",
            caption="../captions/report.rst",
            category="Report",
            labels={"report": "The whole report"},
        ),
        markdown=f"report/{STUDY}/report.md",
    log:
        f"{RESULTS}/logs/render.log",
    params:
        study=STUDY,
    shell:
        "scalestudy render {params.study:q} > {log:q} 2>&1"


rule report:
    """The finished report."""
    input:
        lambda wildcards: PLAN.everything(),
