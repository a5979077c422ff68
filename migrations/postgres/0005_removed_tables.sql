-- A table that was cloned and is taken out of its product stays on record with its runs. Its name may be used again.
alter table product_table add column removed_at bigint;
-- The clone of such a table ends by itself, before its replica does.
alter table replica_table add column drain_until bigint;
