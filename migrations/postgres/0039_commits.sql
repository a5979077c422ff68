-- What one commit of a replica brings: all that its source has committed since the last run (run), or one version of the source, with
-- the files of its change feed, as long as the source still has it (each).
alter table sync_job add column commits text collate "C" not null default 'run' check (commits in ('run', 'each'));
