"""One training job per run."""


rule train:
    input:
        data=lambda wildcards: PLAN.run_data(wildcards.run),
        weights=lambda wildcards: PLAN.run_weights(wildcards.run),
    output:
        metrics=f"{RESULTS}/runs/{{run}}/metrics.csv",
        record=f"{RESULTS}/runs/{{run}}/run.json",
        predictions=f"{RESULTS}/runs/{{run}}/predictions.npz",
    log:
        f"{RESULTS}/logs/train/{{run}}.log",
    wildcard_constraints:
        run="[^/]+",
    params:
        arguments=lambda wildcards: PLAN.train(wildcards.run),
    threads: PLAN.threads
    priority: lambda wildcards: PLAN.priority(wildcards.run)
    resources:
        gpu=0,
        mem_mb=lambda wildcards, attempt: PLAN.memory_mb(wildcards.run, attempt),
        runtime=lambda wildcards, attempt: PLAN.minutes(wildcards.run, attempt),
    shell:
        "scalestudy train {params.arguments} {PLAN.execution} --threads {threads} > {log:q} 2>&1"
