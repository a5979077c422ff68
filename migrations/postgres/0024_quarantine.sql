-- A replica table that a check found to differ is in quarantine: not served, since when, and which partitions are suspected. And what
-- can be cloned has grown: every table is looked at again.
alter table replica_table add column quarantined_at bigint;
alter table replica_table add column suspects text collate "C";
update product_table set inspected_at = null;
