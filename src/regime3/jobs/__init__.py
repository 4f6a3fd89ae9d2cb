"""Jobs of the node: evaluations, generations and comparisons that outlive any process.

    jobs = Jobs(lab, settings, engine, models)     # office: what routes call
    await jobs.start()
    job = await jobs.create(EvalOrder(model="champion", dataset_ref="tasks:arithmetic:1-3"))

    orders    what may be asked for: the bodies of the routes
    record    a job, its item, the model it is bound to
    store     SQLite: the only statements
    sets      dataset_ref -> problems and rows
    desk      what an item's work may use: the engine, the checker, the codebook
    kinds/    one file a kind: what an item is, what the results come to
    runner    keeps the engine's batch filled with items, by priority, then age
    output    sealed shards from the items' results

A job is a count of items. An item is done when its row is in the store, in the transaction that
counts it: whatever is killed, each is there once. No torch, no HTTP.
"""
