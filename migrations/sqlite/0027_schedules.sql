-- A sync job may also go by what the source does: at most every so often when it has a new version, or so that nothing committed is
-- missing for longer than promised. And each replica may be checked by itself: every object, every row.
alter table sync_job add column new_version_seconds integer;
alter table sync_job add column fresh_seconds integer;
alter table sync_job add column verify_objects text;
alter table sync_job add column verify_objects_due_at integer;
alter table sync_job add column verify_rows text;
alter table sync_job add column verify_rows_due_at integer;
-- Since when the schedule holds: of what was before it promises nothing.
alter table sync_job add column scheduled_at integer;

-- When a replica table was last known to lack nothing of its source.
alter table replica_table add column level_at integer;
update replica_table set level_at = (select max(started_at) from sync_run
    where sync_run.replica_table_id = replica_table.id and sync_run.kind = 'sync' and sync_run.state = 'done');

-- Which stores work on a replica table goes to, so that not all of it goes to one at a time, and where the source lies: a process that
-- stands there may do it, too.
alter table work add column source_store blob;
alter table work add column target_store blob;
alter table work add column beside text;
create index work_leased on work (lease_until);
