-- Within how many hours of the source's commit what it deleted is to be gone from a replica, whatever the retention and the schedule say;
-- null: there is no such deadline.
alter table sync_job add column forget_hours bigint check (forget_hours >= 8);

-- How a run brings what the source has rewritten, as its plan says, in JSON; null for runs from before it was kept and for such as had nothing
-- to bring.
alter table sync_run add column how text collate "C";

-- Public halves of keys that signed certificates of erasures and were replaced: what they signed is checked with them.
create table erasure_key_retired (
    public_key text collate "C" primary key not null,
    retired_at bigint not null
);
