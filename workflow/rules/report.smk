"""From findings to the report."""


rule figure:
    input:
        rules.analyse.output,
        code=project_files("src/scalestudy/report/**/*.py"),
    output:
        svg=report(
            f"{RESULTS}/figures/{{figure}}.svg",
            caption="../captions/figure.rst",
            category="Key figures",
            labels={"figure": "{figure}"},
        ),
        png=f"{RESULTS}/figures/{{figure}}.png",
        csv=f"{RESULTS}/figures/{{figure}}.csv",
    log:
        f"{RESULTS}/logs/figure/{{figure}}.log",
    wildcard_constraints:
        figure=one_of(PLAN.figures),
    conda:
        "../envs/scalestudy.yaml"
    params:
        study=STUDY,
    shell:
        "scalestudy figure {wildcards.figure} {params.study:q} > {log:q} 2>&1"


rule render:
    input:
        findings=rules.analyse.output,
        figures=expand(f"{RESULTS}/figures/{{figure}}.svg", figure=PLAN.figures),
        templates=project_files("templates/*"),
        code=project_files("src/scalestudy/report/**/*.py"),
    output:
        html=f"report/{STUDY}/report.html",
        markdown=f"report/{STUDY}/report.md",
    log:
        f"{RESULTS}/logs/render.log",
    conda:
        "../envs/scalestudy.yaml"
    params:
        study=STUDY,
    shell:
        "scalestudy render {params.study:q} > {log:q} 2>&1"


rule report:
    """The finished report."""
    input:
        rules.render.output,
