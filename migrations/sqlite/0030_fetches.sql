-- What the runs of a sync job may fetch in place of files that the source has rewritten: nothing (files), what its change feed says of their
-- rows (changes), and nothing at all for what was only compacted, too (least).
alter table sync_job add column fetches text not null default 'changes' check (fetches in ('files', 'changes', 'least'));
