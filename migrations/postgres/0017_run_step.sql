-- Each state that a run came into, and when: how far it came, and what took how long. A run that plans anew comes into a state
-- twice. Of runs from before this was kept nothing is known but their beginning and their end, which stand on the run.
create table run_step (
    run_id uuid not null references sync_run (id),
    seq bigint not null,
    state text collate "C" not null,
    at bigint not null,
    primary key (run_id, seq)
);
