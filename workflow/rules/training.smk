"""One training job per run."""


rule train:
    input:
        data=lambda wildcards: PLAN.run_data(wildcards.run),
        weights=lambda wildcards: PLAN.run_weights(wildcards.run),
    output:
        metrics=report(
            f"{RESULTS}/runs/{{run}}/metrics.csv",
            caption="../captions/run.rst",
            category="Runs",
            labels=lambda wildcards: PLAN.labels(wildcards.run),
        ),
        record=f"{RESULTS}/runs/{{run}}/run.json",
        predictions=f"{RESULTS}/runs/{{run}}/predictions.npz",
    log:
        f"{RESULTS}/logs/train/{{run}}.log",
    wildcard_constraints:
        run="[^/]+",
    priority: (lambda wildcards: PLAN.priority(wildcards.run)) if JOBS_HAVE_PRIORITIES else 0
    threads: PLAN.threads
    resources:
        gpu=0,
        device=PLAN.study.compute.device,
        jobs_per_gpu=PLAN.study.compute.jobs_per_gpu,
        log_to="tensorboard" if PLAN.study.compute.tensorboard else "none",
        mem_mb=lambda wildcards, attempt: PLAN.memory_mb(wildcards.run, attempt),
        runtime=lambda wildcards, attempt: PLAN.minutes(wildcards.run, attempt),
    params:
        arguments=lambda wildcards: PLAN.train(wildcards.run),
    shell:
        "scalestudy train {params.arguments} --threads {threads} --device {resources.device} --jobs-per-gpu {resources.jobs_per_gpu} --log-to {resources.log_to} > {log:q} 2>&1"
