-- Each version that was the newest of a table when its log was looked at: how often the source commits, for who asks how fresh
-- the copies are. Of tables from before this was kept it begins with what is known now.
create table table_commit (
    table_id uuid not null references product_table (id),
    version bigint not null,
    committed_at bigint not null,
    primary key (table_id, committed_at, version)
);
insert into table_commit (table_id, version, committed_at)
select id, version, committed_at from product_table where version is not null and committed_at is not null;
