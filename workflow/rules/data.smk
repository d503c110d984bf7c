"""Datasets and initial weights: each made once, by one job, for all runs."""


rule data:
    """Only the datasets of the study."""
    input:
        [PLAN.store(name) for name in PLAN.datasets],


rule prepare_dataset:
    output:
        "data/{dataset}/dataset.json",
    log:
        "data/logs/{dataset}.log",
    wildcard_constraints:
        dataset=one_of(PLAN.datasets),
    priority:
        (lambda wildcards: PLAN.preparation_priority(wildcards.dataset))
        if JOBS_HAVE_PRIORITIES
        else BEFORE_ALL_RUNS
    threads: lambda wildcards: PLAN.preparation_threads(wildcards.dataset)
    params:
        arguments=lambda wildcards: PLAN.prepare(wildcards.dataset),
    shell:
        "scalestudy prepare {params.arguments} 2>&1 | tee {log:q}"


rule fetch_weights:
    """Published weights, or a checkpoint file, with the SHA-256 verified. Training never opens a socket."""
    output:
        "weights/{weights}/weights.json",
    log:
        "weights/logs/{weights}.log",
    wildcard_constraints:
        weights=one_of(set(PLAN.sources) - set(PLAN.upstreams)),
    priority: BEFORE_ALL_RUNS
    params:
        arguments=lambda wildcards: PLAN.fetch(wildcards.weights),
    shell:
        "scalestudy fetch-weights {params.arguments} 2>&1 | tee {log:q}"


rule pretrain:
    """An upstream stage: initial weights trained on other data, or without labels."""
    input:
        lambda wildcards: PLAN.upstream_data(wildcards.weights),
    output:
        "weights/{weights}/weights.json",
    log:
        "weights/logs/{weights}.log",
    wildcard_constraints:
        weights=one_of(PLAN.upstreams),
    priority:
        (lambda wildcards: PLAN.priority(wildcards.weights))
        if JOBS_HAVE_PRIORITIES
        else 1_000_000
    threads: PLAN.threads
    resources:
        gpu=0,
        device=PLAN.study.compute.device,
        jobs_per_gpu=PLAN.study.compute.jobs_per_gpu,
        log_to="tensorboard" if PLAN.study.compute.tensorboard else "none",
        mem_mb=lambda wildcards, attempt: PLAN.memory_mb(wildcards.weights, attempt),
        runtime=lambda wildcards, attempt: PLAN.minutes(wildcards.weights, attempt),
    params:
        arguments=lambda wildcards: PLAN.pretrain(wildcards.weights),
    shell:
        "scalestudy pretrain {params.arguments} --threads {threads} --device {resources.device} --jobs-per-gpu {resources.jobs_per_gpu} --log-to {resources.log_to} > {log:q} 2>&1"
